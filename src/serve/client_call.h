/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_CLIENT_CALL_H
#define SERVE_CLIENT_CALL_H

/*
 * One connection to a model server, and one question over it at a time: by a
 * call on its own, or, where the server says that its models read history, over
 * a stream that stays open.
 */

#include "remote/wire.h"

struct client_options {
	const char *url; /* HOST:PORT, unix:/PATH; https:// or http:// may stand before */
	const char *ca, *token_file; /* NULL: the system's; none */
	const char *cert, *key;	     /* NULL: we show none */
	unsigned timeout_ms, retries;
};

struct client; /* owned by the caller of client_open */

/*
 * TLS, verified, unless the address is this machine's only and no CA was
 * given. ERR_USAGE for http:// beyond this machine. Nothing is connected yet.
 */
int client_open(const struct client_options *o, struct client **ret, struct err *e);
void client_close(struct client *c); /* NULL is fine */

/*
 * Ask once: the answer, or in ret->reason why there is none, at the latest
 * after the timeout. `why` gets the server's or gRPC's own words.
 */
void client_ask(struct client *c, const struct remote_question *q, struct remote_answer *ret,
		struct err *why);

#endif
