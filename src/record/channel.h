/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_CHANNEL_H
#define RECORD_CHANNEL_H

/*
 * The channel that a guest pushes its recording over: a TCP connection with
 * TLS (GnuTLS), a virtio-serial port, or a vsock. Both sides use this; nothing
 * here ever blocks but channel_lookup().
 *
 *   tcp://HOST:PORT     either side; TLS always
 *   vsock://CID:PORT    a guest;  vsock://PORT  a host
 *   virtio:PORT         a guest: a device (/dev/vport0p1) or the port's name
 *   virtio:VM=SOCKET    a host: QEMU's chardev socket, and whose it is
 *
 * What is said on it, both sides in lines until START:
 *
 *   guest  "VMWPUSH1 TOKEN NUMBER\n", then frames as in a trace, without its magic
 *   host   "HELLO\n"               over virtio: begin (again) with VMWPUSH1
 *          "START NUMBER\n"        the token is known: frames may come
 *          "ACK NUMBER FRAMES\n"   so many since START are in the trace
 *          "BYE SENTENCE\n"        why the connection ends
 *
 * NUMBER tells one START from the next and is the guest's choice; a guest
 * forgets a frame when it is acknowledged, and begins with the first one that
 * is not. Over virtio the token is "-": the port says who it is.
 */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/err.h"

#define CHANNEL_HELLO "VMWPUSH1 "
#define CHANNEL_LINE  160 /* of any line, with its end */
#define CHANNEL_VM    128 /* of a VM's name, with its NUL */
#define CHANNEL_CHUNK 16384

enum channel_kind { CHANNEL_TCP, CHANNEL_VIRTIO, CHANNEL_VSOCK };

struct channel_address {
	enum channel_kind kind;
	char host[256];	     /* of TCP; "" to listen everywhere */
	char vm[CHANNEL_VM]; /* of a host's virtio */
	char path[108];	     /* of virtio: socket, device or port name */
	unsigned port, cid;  /* of TCP and vsock */
};

/* ERR_USAGE for what is none; `host` takes the host's forms. */
int channel_address_parse(const char *text, bool host, struct channel_address *ret, struct err *e);

/* True for a name that a VM may have: no control characters, not empty, not too long. */
bool channel_vm_name(const char *name);

struct channel_peer {
	struct sockaddr_storage address;
	socklen_t len;
};

/* Addresses of a TCP or vsock peer, at most `max`; their number. Blocks on the name service. */
int channel_lookup(const struct channel_address *a, struct channel_peer *ret, size_t max,
		   struct err *e);

/* Each gives a non-blocking descriptor, which the caller owns, or -errno. */
int channel_connect(const struct channel_peer *peer, struct err *e); /* may be under way */
int channel_connect_unix(const char *path, struct err *e);
int channel_open_port(const char *device_or_name, struct err *e);
int channel_listen(const struct channel_address *a, struct err *e);

/* ---- TLS ---- */

struct channel_tls; /* credentials; owned by who made them, who keeps them longer than channels */

/* Who is believed: `ca` (PEM), or the system's where it is NULL. */
int channel_tls_client(const char *ca, struct channel_tls **ret, struct err *e);
int channel_tls_server(const char *cert, const char *key, struct channel_tls **ret, struct err *e);
void channel_tls_free(struct channel_tls *t); /* NULL is fine */

/* ---- bytes ---- */

struct channel; /* owned by channel_new's caller */

/* Takes `fd` over, in any case. `tls` NULL: plain. `name`: whom a client's peer must be. */
int channel_new(int fd, const struct channel_tls *tls, const char *name, struct channel **ret,
		struct err *e);
void channel_free(struct channel *c); /* NULL is fine */

int channel_fd(const struct channel *c);

/* 1: done; 0: wait for channel_wants(); else it failed. A plain channel's is done. */
int channel_handshake(struct channel *c, struct err *e);

/* POLLIN or POLLOUT, of a handshake. */
short channel_wants(const struct channel *c);

/*
 * Bytes moved; 0: not now; -EPIPE: the other side has ended it. A send that
 * gave 0 must be followed by one that begins with the same bytes.
 */
ssize_t channel_recv(struct channel *c, void *buf, size_t size, struct err *e);
ssize_t channel_send(struct channel *c, const void *data, size_t len, struct err *e);

/* Bytes are here already that poll(2) does not know of. */
bool channel_pending(const struct channel *c);

#endif
