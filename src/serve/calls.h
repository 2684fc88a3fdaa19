/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_CALLS_H
#define SERVE_CALLS_H

/*
 * The calls of one completion queue, on one thread: gRPC core says what has
 * come, methods.c what to answer. A call is one object from before it comes
 * until after it has gone, and then waits for the next, so that a million
 * calls take the memory of those that were open at once.
 */

#include <grpc/grpc.h>

#include "serve/methods.h"

struct calls; /* owned by the caller of calls_new */

/* Before the server starts: registers methods and queue. */
int calls_new(struct service *s, grpc_server *server, unsigned drain_ms, struct calls **ret,
	      struct err *e);

/*
 * After it has started: serve until service.draining is set, then let calls end,
 * for at most drain_ms, and cancel what is left.
 */
void calls_run(struct calls *c);
void calls_free(struct calls *c); /* NULL is fine */

#endif
