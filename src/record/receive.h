/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_RECEIVE_H
#define RECORD_RECEIVE_H

/*
 * The host's end of a push: guests that connect over TCP with TLS or vsock,
 * and virtio-serial sockets of QEMU that we connect to, into the trace that
 * the host's recording writes. It lives in that recording's loop: one
 * descriptor to wait for, one function to call.
 *
 * Who pushes is known by its token or its socket, never by what it says. A
 * connection that breaks a rule or a limit is ended with one line and counted;
 * nobody else notices. A VM has one connection: a new one replaces it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "record/host_talk.h"
#include "record/receive_store.h"

#define RECEIVE_ADDRESSES_MAX 80

struct receive_options {
	const char *const *addresses; /* of channel.h, the host's forms */
	size_t n;
	const char *cert, *key, *tokens; /* files; TCP needs all, vsock the tokens */
	struct receive_limits limits;
	double handshake_s, idle_s; /* 0: 10 s, and somewhat over the longest interval */
};

struct receiver; /* owned by receiver_open's caller */

/* ERR_USAGE for addresses that are none, or what is missing; needs no trace. */
int receive_check(const struct receive_options *o, struct err *e);

/* Listen, and read what `path`, which `writer` writes, holds of guests. Texts are borrowed. */
int receiver_open(const struct receive_options *o, struct trace_writer *writer, const char *path,
		  struct host_talk *talk, struct receiver **ret, struct err *e);
void receiver_close(struct receiver *r); /* NULL is fine */

/* Readable when there is something to do. */
int receiver_fd(const struct receiver *r);

/* Do it, without waiting. An error: the trace cannot be written any more. */
int receiver_serve(struct receiver *r, struct err *e);

/* Rows taken since it was opened. */
uint64_t receiver_rows(const struct receiver *r);

/* A line per VM; `"pushed":[...],"refused":N`. */
void receiver_say(const struct receiver *r);
void receiver_json(const struct receiver *r, struct text *t);

#endif
