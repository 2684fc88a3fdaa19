/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_PUSH_H
#define RECORD_PUSH_H

/*
 * The guest's end of a push: what is recorded goes, as frames of a trace, over
 * a channel (channel.h) to a host that writes it into its own trace.
 *
 * Nothing here waits for the channel: frames go into a queue of a fixed size
 * and leave it when the host has acknowledged them. Where the queue is full a
 * row is dropped and counted. A connection that fails is made again after
 * 0.5 s, twice as long each time up to 30 s, spread by chance over +-25 %.
 * A host's name is looked up once, when this is opened.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "trace/trace.h"

#define PUSH_QUEUE (1u << 20) /* bytes */

struct push_options {
	const char *to;		/* an address of channel.h */
	const char *ca;		/* whom to believe over TCP; NULL: the system's */
	const char *token_file; /* NULL over virtio */
	size_t queue_bytes;	/* 0: PUSH_QUEUE */
	/* A sentence on the connection: made, lost and why. NULL: nobody. */
	void (*say)(void *user, const char *sentence);
	void *user;
};

struct push_report {
	uint64_t delivered, dropped, waiting; /* rows: acknowledged; not queued; queued still */
	uint64_t starts;		      /* connections that a host has accepted */
	char trouble[256];		      /* what was wrong last; "" */
};

struct push; /* owned by push_open's caller */

/* ERR_USAGE for an address that is none, or a token that is missing. */
int push_open(const struct push_options *o, struct push **ret, struct err *e);
void push_close(struct push *p); /* NULL is fine; what waits is lost */

/*
 * What is recorded from here on, as trace_write_* takes it; never waits. Only
 * memory can be an error, and not once warm.
 */
int push_stream(struct push *p, const struct trace_stream *s, struct err *e);
int push_label(struct push *p, int64_t real_ns, const char *label, struct err *e);
int push_row(struct push *p, int64_t real_ns, const double *values, size_t n, struct err *e);

/* What poll(2) is to wait for, -1 for no descriptor; and how long at most, -1 for ever. */
int push_fd(const struct push *p);
short push_events(const struct push *p);
int push_timeout_ms(const struct push *p);

/* Do what can be done now: after every poll(2). */
void push_serve(struct push *p);

/* Wait until all is acknowledged, `patience_ms` at most. */
void push_drain(struct push *p, int patience_ms);

void push_report(const struct push *p, struct push_report *ret);

#endif
