/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_CLIENT_H
#define SERVE_CLIENT_H

/*
 * The agent's helper: questions from a socket, asked of a model server, back
 * as answers or as reasons. A row that a newer one has overtaken is not asked
 * any more. What keeps a server that is in trouble from being asked harder:
 *
 *   retries   at most --retries a row, while it is the newest, with jitter,
 *             and out of a budget that one answer in ten earns
 *   breaker   after 5 failures in a row nothing is asked for 1 s, 2 s, 4 s and
 *             so on to 10 s, half of it by chance; then one row tries. Rows
 *             meanwhile are answered at once with the reason of the failure.
 */

#include "serve/client_call.h"

/* When to ask: pure, so that it can be tested. Times in ns of one clock. */
struct breaker {
	unsigned failures; /* in a row */
	int64_t until_ns;  /* nothing is asked before; 0: closed */
	double budget;	   /* retries that may be spent */
};

#define BREAKER_FAILURES 5
#define BREAKER_MAX_S	 10.0
#define RETRY_BUDGET	 10.0
#define RETRY_EARNED	 0.1

void breaker_init(struct breaker *b);
bool breaker_open(const struct breaker *b, int64_t now_ns);

/* How a row ended; `chance` in [0, 1). */
void breaker_note(struct breaker *b, bool answered, int64_t now_ns, double chance);

/* Whether failure number `attempt` (from 1) is tried again; it costs budget. *ret_wait_s with
 * jitter. */
bool breaker_retry(struct breaker *b, enum remote_reason reason, unsigned attempt, unsigned retries,
		   double chance, double *ret_wait_s);

/*
 * Serve the socket `fd` until its other side is closed. A worker process does
 * it, and is started anew should it ever crash. 0, or why it could not begin.
 */
int client_run(int fd, const struct client_options *o, struct err *e);

#endif
