// SPDX-License-Identifier: Apache-2.0
/* Where a channel goes to, and descriptors to it: see channel.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/listen.h"
#include "base/parse.h"
#include "base/root.h"
#include "record/channel.h"

#define PORTS_MAX 64
#define BACKLOG	  16

bool channel_vm_name(const char *name)
{
	size_t n = 0;

	for (; name[n]; n++) {
		if ((unsigned char)name[n] < ' ' || name[n] == 0x7f)
			return false;
	}
	return n && n < CHANNEL_VM;
}

static bool take_number(const char *text, uint64_t max, unsigned *ret)
{
	uint64_t v;

	if (parse_u64(text, &v) < 0 || v > max)
		return false;
	*ret = (unsigned)v;
	return true;
}

/* HOST:PORT, [HOST]:PORT; `empty`: :PORT too. */
static bool take_tcp(const char *text, bool empty, struct channel_address *ret)
{
	const char *colon = strrchr(text, ':'), *host = text;
	size_t n = colon ? (size_t)(colon - text) : 0;

	if (!colon || !take_number(colon + 1, 65535, &ret->port) || (!ret->port && !empty))
		return false;
	if (n > 1 && host[0] == '[' && host[n - 1] == ']') {
		host++;
		n -= 2;
	}
	if ((!n && !empty) || n >= sizeof(ret->host))
		return false;
	memcpy(ret->host, host, n);
	return true;
}

static bool take_vsock(const char *text, bool host, struct channel_address *ret)
{
	const char *colon = strchr(text, ':');
	char cid[16];

	ret->cid = VMADDR_CID_ANY;
	if (host)
		return take_number(text, UINT32_MAX - 1, &ret->port);
	if (!colon || (size_t)(colon - text) >= sizeof(cid))
		return false;
	snprintf(cid, sizeof(cid), "%.*s", (int)(colon - text), text);
	return take_number(cid, UINT32_MAX - 1, &ret->cid) &&
	       take_number(colon + 1, UINT32_MAX - 1, &ret->port);
}

static bool take_virtio(const char *text, bool host, struct channel_address *ret)
{
	const char *path = text, *equals = strchr(text, '=');

	if (host) {
		if (!equals || (size_t)(equals - text) >= sizeof(ret->vm))
			return false;
		memcpy(ret->vm, text, (size_t)(equals - text));
		path = equals + 1;
		if (!channel_vm_name(ret->vm))
			return false;
	}
	if (!*path || strlen(path) >= sizeof(ret->path))
		return false;
	memcpy(ret->path, path, strlen(path));
	return true;
}

int channel_address_parse(const char *text, bool host, struct channel_address *ret, struct err *e)
{
	struct channel_address a = {.kind = CHANNEL_TCP};
	bool fine = false;

	if (!strncmp(text, "tcp://", 6)) {
		fine = take_tcp(text + 6, host, &a);
	} else if (!strncmp(text, "vsock://", 8)) {
		a.kind = CHANNEL_VSOCK;
		fine = take_vsock(text + 8, host, &a);
	} else if (!strncmp(text, "virtio:", 7)) {
		a.kind = CHANNEL_VIRTIO;
		fine = take_virtio(text + 7, host, &a);
	}
	if (!fine)
		return err_set(e, -ERR_USAGE, "'%.80s' is not %s", text,
			       host ? "tcp://ADDRESS:PORT, virtio:VM=SOCKET or vsock://PORT"
				    : "tcp://HOST:PORT, virtio:PORT or vsock://CID:PORT");
	*ret = a;
	return 0;
}

static void peer_of(struct channel_peer *peer, const void *address, socklen_t len)
{
	*peer = (struct channel_peer){.len = len};
	memcpy(&peer->address, address, len);
}

static int lookup_tcp(const struct channel_address *a, struct channel_peer *ret, size_t max,
		      struct err *e)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found;
	char port[16];
	size_t n = 0;
	int code;

	snprintf(port, sizeof(port), "%u", a->port);
	code = getaddrinfo(a->host, port, &hints, &found);
	if (code)
		return err_set(e, -ENOENT, "%s: %s", a->host, gai_strerror(code));
	for (const struct addrinfo *i = found; i && n < max; i = i->ai_next)
		peer_of(&ret[n++], i->ai_addr, i->ai_addrlen);
	freeaddrinfo(found);
	return (int)n;
}

static void peer_vsock(const struct channel_address *a, struct channel_peer *ret)
{
	const struct sockaddr_vm vm = {
		.svm_family = AF_VSOCK, .svm_port = a->port, .svm_cid = a->cid};

	peer_of(ret, &vm, sizeof(vm));
}

int channel_lookup(const struct channel_address *a, struct channel_peer *ret, size_t max,
		   struct err *e)
{
	if (a->kind == CHANNEL_TCP)
		return lookup_tcp(a, ret, max, e);
	peer_vsock(a, ret);
	return 1;
}

static int open_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int channel_connect(const struct channel_peer *peer, struct err *e)
{
	autofd int fd = open_socket(peer->address.ss_family);

	if (fd < 0 || (connect(fd, (const struct sockaddr *)&peer->address, peer->len) < 0 &&
		       errno != EINPROGRESS))
		return err_errno(e, "cannot connect");
	return steal_fd(&fd);
}

int channel_connect_unix(const char *path, struct err *e)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	autofd int fd = open_socket(AF_UNIX);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&un, sizeof(un)) < 0)
		return err_errno(e, "%s", path);
	return steal_fd(&fd);
}

/* The device of the virtio-serial port with this name. */
static bool find_port(const char *name, char *ret, size_t size)
{
	struct root root;
	struct err unused = ERR_INIT;

	if (root_init(&root, NULL, &unused) < 0)
		return false;
	for (unsigned i = 0; i < PORTS_MAX * PORTS_MAX; i++) {
		char path[64], line[128] = "";

		snprintf(path, sizeof(path), "/sys/class/virtio-ports/vport%up%u/name",
			 i / PORTS_MAX, i % PORTS_MAX);
		if (root_read_line(&root, path, line, sizeof(line)) > 0 && !strcmp(line, name)) {
			snprintf(ret, size, "/dev/vport%up%u", i / PORTS_MAX, i % PORTS_MAX);
			return true;
		}
	}
	return false;
}

int channel_open_port(const char *device_or_name, struct err *e)
{
	char device[32];
	const char *path = device_or_name;
	int fd;

	if (path[0] != '/') {
		if (!find_port(path, device, sizeof(device)))
			return err_set(e, -ENOENT, "no virtio-serial port is named '%s'", path);
		path = device;
	}
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? err_errno(e, "%s", path) : fd;
}

/* Of TCP as everything in vmwatts listens: without a host on every address, IPv6's too. */
static int listen_tcp(const struct channel_address *a, struct err *e)
{
	char address[sizeof(a->host) + 16];
	bool six = strchr(a->host, ':') != NULL;

	snprintf(address, sizeof(address), six ? "[%s]:%u" : "%s:%u", a->host, a->port);
	return listen_open(address, BACKLOG, e);
}

int channel_listen(const struct channel_address *a, struct err *e)
{
	struct channel_peer peer;
	autofd int fd = -1;

	if (a->kind == CHANNEL_TCP)
		return listen_tcp(a, e);
	peer_vsock(a, &peer);
	fd = open_socket(AF_VSOCK);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&peer.address, peer.len) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return err_errno(e, "cannot listen on port %u of vsock", a->port);
	return steal_fd(&fd);
}
