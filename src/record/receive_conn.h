/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_RECEIVE_CONN_H
#define RECORD_RECEIVE_CONN_H

/*
 * One connection of a guest that pushes: from its TLS handshake over its hello
 * to frames, and what it is told. Who is behind a hello is the receiver's to
 * say; what comes of frames is the store's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/channel.h"
#include "record/receive_parse.h"
#include "record/receive_store.h"

struct receive_conn {
	enum channel_kind kind;
	struct channel *channel;
	struct receive_store *store; /* borrowed */
	struct receive_parser parser;
	/* Whose token it is, and nobody else of this VM from here on; -EACCES. */
	int (*who)(void *user, struct receive_conn *c, const char *token, struct err *e);
	void *user;
	struct receive_vm *vm; /* NULL until known */
	char peer[112];
	size_t slot;
	bool shaken, started, hello_due, start_due;
	uint32_t number;
	uint64_t told; /* frames acknowledged */
	int64_t begun_ns, heard_ns;
	char out[CHANNEL_LINE]; /* a line being sent */
	size_t out_len, out_sent;
};

/* Takes the channel over in any case. */
struct receive_conn *receive_conn_new(enum channel_kind kind, struct channel *channel,
				      struct receive_store *store, int64_t now_ns);

/* Tells the guest why, where that goes without waiting. NULL is fine. */
void receive_conn_free(struct receive_conn *c, const char *why);

/* Do what can be done now. -EPIPE: it has ended; else the rule that it broke. */
int receive_conn_serve(struct receive_conn *c, int64_t now_ns, struct err *e);

/* What to wait for, as poll(2) has it. */
short receive_conn_events(const struct receive_conn *c);

/* -ETIMEDOUT with the reason where it has taken too long. */
int receive_conn_check(const struct receive_conn *c, int64_t now_ns, double handshake_s,
		       double idle_s, struct err *e);

#endif
