/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_PUSH_QUEUE_H
#define RECORD_PUSH_QUEUE_H

/*
 * Frames on their way to the host: a ring of bytes, allocated once, that holds
 * whole frames until they are acknowledged.
 *
 *   oldest [frame][frame][fra | me][frame] newest      sent <= used <= cap
 *                            ^ sent so far
 *
 * A row that finds no room is dropped and counted; a stream or a label waits
 * for room, and no row goes before it. The stream and the label that the oldest frame stands under
 * are kept beside it, so that a new connection can be told of them first.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "trace/trace.h"

struct push_queue {
	uint8_t *data; /* owned */
	size_t cap, head, used, sent, frames;
	struct byte_writer stream, label; /* what the oldest stands under; len 0: none yet */
	struct byte_writer new_stream, new_label, row; /* encoded */
	bool stream_waits, label_waits;
	unsigned stream_id;
	uint64_t rows, dropped; /* in the queue; without room */
};

int push_queue_init(struct push_queue *q, size_t bytes, struct err *e);
void push_queue_release(struct push_queue *q);

/* Append; -EMSGSIZE where memory ran out, or for what is larger than a frame may be. */
int push_queue_stream(struct push_queue *q, const struct trace_stream *s, struct err *e);
int push_queue_label(struct push_queue *q, int64_t real_ns, const char *label, struct err *e);
int push_queue_row(struct push_queue *q, int64_t real_ns, const double *values, size_t n,
		   struct err *e);

/* Forget the oldest frame; 0 where it was not sent whole. */
enum trace_type push_queue_pop(struct push_queue *q);

/* Bytes that can be sent at once, and where they are; and that `n` of them are. */
size_t push_queue_unsent(const struct push_queue *q, const uint8_t **ret);
void push_queue_sent(struct push_queue *q, size_t n);

/* Nothing is sent: a new connection begins. */
void push_queue_rewind(struct push_queue *q);

#endif
