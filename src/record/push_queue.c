// SPDX-License-Identifier: Apache-2.0
/* Frames on their way: see push_queue.h. */
#include "record/push_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TYPE_AT 4 /* behind a frame's length */

int push_queue_init(struct push_queue *q, size_t bytes, struct err *e)
{
	*q = (struct push_queue){.data = malloc(bytes), .cap = bytes};
	return q->data ? 0 : err_nomem(e);
}

void push_queue_release(struct push_queue *q)
{
	free(q->data);
	byte_writer_release(&q->stream);
	byte_writer_release(&q->label);
	byte_writer_release(&q->new_stream);
	byte_writer_release(&q->new_label);
	byte_writer_release(&q->row);
	*q = (struct push_queue){.data = NULL};
}

static uint8_t byte_at(const struct push_queue *q, size_t i)
{
	return q->data[(q->head + i) % q->cap];
}

/* False where the frame does not fit. */
static bool add(struct push_queue *q, const uint8_t *frame, size_t len)
{
	size_t at = q->cap ? (q->head + q->used) % q->cap : 0, first = q->cap - at;

	if (len > q->cap - q->used)
		return false;
	if (first > len)
		first = len;
	memcpy(q->data + at, frame, first);
	memcpy(q->data, frame + first, len - first);
	q->used += len;
	q->frames++;
	return true;
}

static int encoded(struct byte_writer *w, struct err *e)
{
	if (!w->failed)
		return 0;
	byte_writer_release(w);
	*w = (struct byte_writer){0};
	return err_set(e, -EMSGSIZE, "push: a frame is too large, or memory ran out");
}

int push_queue_stream(struct push_queue *q, const struct trace_stream *s, struct err *e)
{
	q->stream_id = (q->stream_id + 1) & 0xffff;
	q->new_stream.len = 0;
	trace_encode_stream(&q->new_stream, q->stream_id, s);
	q->stream_waits = !q->new_stream.failed;
	q->label_waits = false; /* a stream begins without one */
	return encoded(&q->new_stream, e);
}

int push_queue_label(struct push_queue *q, int64_t real_ns, const char *label, struct err *e)
{
	q->new_label.len = 0;
	trace_encode_label(&q->new_label, q->stream_id, real_ns, label);
	q->label_waits = !q->new_label.failed;
	return encoded(&q->new_label, e);
}

/* A frame that waits goes before the row; false: no room. */
static bool add_waiting(struct push_queue *q, const struct byte_writer *w, bool *waits)
{
	if (*waits && add(q, w->data, w->len))
		*waits = false;
	return !*waits;
}

int push_queue_row(struct push_queue *q, int64_t real_ns, const double *values, size_t n,
		   struct err *e)
{
	q->row.len = 0;
	trace_encode_row(&q->row, q->stream_id, real_ns, values, n);
	if (encoded(&q->row, e) < 0)
		return e->code;
	if (add_waiting(q, &q->new_stream, &q->stream_waits) &&
	    add_waiting(q, &q->new_label, &q->label_waits) && add(q, q->row.data, q->row.len))
		q->rows++;
	else
		q->dropped++;
	return 0;
}

/* The oldest frame becomes what later ones stand under. */
static void keep(const struct push_queue *q, struct byte_writer *w, size_t len)
{
	size_t first = q->cap - q->head;

	w->len = 0;
	put_bytes(w, q->data + q->head, first < len ? first : len);
	put_bytes(w, q->data, first < len ? len - first : 0);
}

enum trace_type push_queue_pop(struct push_queue *q)
{
	size_t len = TRACE_OVERHEAD;
	enum trace_type type;

	if (!q->frames)
		return 0;
	for (size_t i = 0; i < 4; i++)
		len += (size_t)byte_at(q, i) << (8 * i);
	if (len > q->sent)
		return 0;
	type = (enum trace_type)byte_at(q, TYPE_AT);
	if (type == TRACE_STREAM) {
		keep(q, &q->stream, len);
		q->label.len = 0; /* a stream begins without one */
	} else if (type == TRACE_LABEL) {
		keep(q, &q->label, len);
	}
	q->head = (q->head + len) % q->cap;
	q->used -= len;
	q->sent -= len;
	q->frames--;
	q->rows -= type == TRACE_ROW;
	return type;
}

size_t push_queue_unsent(const struct push_queue *q, const uint8_t **ret)
{
	size_t at = (q->head + q->sent) % q->cap, n = q->used - q->sent;

	*ret = q->data + at;
	return n < q->cap - at ? n : q->cap - at;
}

void push_queue_sent(struct push_queue *q, size_t n)
{
	q->sent += n;
}

void push_queue_rewind(struct push_queue *q)
{
	q->sent = 0;
}
