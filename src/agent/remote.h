/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_REMOTE_H
#define AGENT_REMOTE_H

/*
 * Remote inference as the agent sees it: a helper process that is started once,
 * before anything is served, and a socket to it. Every tick takes the answer
 * to the row before, where it has come, and asks for the row of now; neither
 * ever waits, so a server that is slow, hung or gone costs an answer, not a
 * tick. Remote watts are those of one sampling interval ago.
 */

#include "config/config.h"
#include "remote/wire.h"

struct remote; /* owned by the caller of remote_start */

/* The helper is beside our own executable or in libexecdir; -ENOENT where it is not. */
int remote_start(const struct config *c, struct remote **ret, struct err *e);
void remote_stop(struct remote *r); /* NULL is fine; the helper ends by itself */

/*
 * The answer to the last row that was asked for, or NULL and *ret_reason; and
 * ask for `row`. Allocates nothing once it is warm.
 */
const struct remote_answer *remote_exchange(struct remote *r, const struct row *row,
					    const char *cpu_model, enum remote_reason *ret_reason);

/* What was asked last is not to be answered any more: the past says nothing. */
void remote_forget(struct remote *r);

#endif
