// SPDX-License-Identifier: Apache-2.0
/* From a guest's bytes to calls: see receive_parse.h. */
#include "record/receive_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "record/channel.h"

#define HELLO_LEN (sizeof(CHANNEL_HELLO) - 1)
#define WHOLE_MAX (RECEIVE_FRAME_MAX + TRACE_OVERHEAD)

void receive_parser_init(struct receive_parser *p, const struct receive_sink *sink, void *user,
			 bool virtio)
{
	*p = (struct receive_parser){.sink = sink, .user = user, .virtio = virtio};
}

void receive_parser_release(struct receive_parser *p)
{
	free(p->data);
	free(p->values);
	*p = (struct receive_parser){.sink = p->sink};
}

bool receive_parser_within(const struct receive_parser *p)
{
	return p->len > 0;
}

static int no_frame(struct err *e, const char *what)
{
	return err_set(e, -ERR_FORMAT, "%s", what);
}

/* Text of a hello between its first word and its end: "TOKEN NUMBER". */
static int take_hello(struct receive_parser *p, char *text, struct err *e)
{
	char *space = strchr(text, ' ');
	uint64_t number;

	if (!space || space == text || parse_u64(space + 1, &number) < 0 || number > UINT32_MAX)
		return no_frame(e, "its first line is no greeting");
	*space = 0;
	p->greeted = true;
	p->has_stream = false;
	p->frames = 0;
	return p->sink->hello(p->user, text, (uint32_t)number, e);
}

/* How many bytes at the front cannot begin a hello. */
static size_t rest_before(const uint8_t *data, size_t len)
{
	const uint8_t *at = memmem(data, len, CHANNEL_HELLO, HELLO_LEN);
	size_t i;

	if (at)
		return (size_t)(at - data);
	for (i = len < HELLO_LEN ? 0 : len - HELLO_LEN + 1; i < len; i++) {
		if (!memcmp(data + i, CHANNEL_HELLO, len - i))
			break;
	}
	return i;
}

/* The hello at the front: bytes used, 0 where more are needed. */
static ssize_t parse_hello(struct receive_parser *p, uint8_t *data, size_t len, struct err *e)
{
	size_t rest = p->virtio ? rest_before(data, len) : 0,
	       line = len < HELLO_LEN ? len : HELLO_LEN;
	uint8_t *end;

	if (rest) {
		p->passed_over += rest;
		return p->passed_over <= RECEIVE_REST_MAX ? (ssize_t)rest
							  : no_frame(e, "it never greets");
	}
	if (memcmp(data, CHANNEL_HELLO, line) != 0)
		return no_frame(e, "its first line is no greeting");
	end = memchr(data, '\n', len < CHANNEL_LINE ? len : CHANNEL_LINE);
	if (!end)
		return len < CHANNEL_LINE ? 0 : no_frame(e, "its first line is too long");
	*end = 0;
	if (memchr(data, 0, (size_t)(end - data)))
		return no_frame(e, "its first line is no greeting");
	return take_hello(p, (char *)data + HELLO_LEN, e) < 0 ? e->code : end - data + 1;
}

static int take_stream(struct receive_parser *p, const struct trace_frame *f, struct err *e)
{
	struct trace_stream *s;
	double *values;
	unsigned id;
	int r = trace_stream_decode(f, &id, &s, e);

	if (r < 0)
		return r;
	values = reallocarray(p->values, s->n_columns, sizeof(*values));
	if (values)
		p->values = values;
	if (s->kind != TRACE_GUEST)
		r = no_frame(e, "a guest may push no host's stream");
	else
		r = values ? p->sink->stream(p->user, s, e) : err_nomem(e);
	p->has_stream = r == 0;
	p->stream_id = id;
	p->n_columns = s->n_columns;
	trace_stream_free(s);
	return r;
}

static int take_frame(struct receive_parser *p, const struct trace_frame *f, struct err *e)
{
	char label[TRACE_TEXT];
	int64_t real_ns;
	unsigned id;
	int r;

	p->frames++;
	if (f->type == TRACE_STREAM)
		return take_stream(p, f, e);
	if (!p->has_stream || trace_frame_stream(f) != (int)p->stream_id)
		return no_frame(e, "a row or label of a stream that was not described");
	if (f->type == TRACE_LABEL) {
		r = trace_label_decode(f, &id, &real_ns, label, e);
		return r < 0 ? r : p->sink->label(p->user, real_ns, label, e);
	}
	r = trace_row_decode(f, &id, &real_ns, p->values, p->n_columns, e);
	return r < 0 ? r : p->sink->row(p->user, real_ns, p->values, p->n_columns, e);
}

/* The frame at the front: bytes used, 0 where more are needed. */
static ssize_t parse_frame(struct receive_parser *p, uint8_t *data, size_t len, struct err *e)
{
	struct trace_frame f;
	size_t used = 0, payload;
	int r;

	if (p->virtio && len < HELLO_LEN && !memcmp(data, CHANNEL_HELLO, len))
		return 0;
	if (p->virtio && len >= HELLO_LEN && !memcmp(data, CHANNEL_HELLO, HELLO_LEN))
		return parse_hello(p, data, len, e);
	if (len >= 4) {
		payload = (size_t)data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16 |
			  (size_t)data[3] << 24;
		if (payload > RECEIVE_FRAME_MAX)
			return no_frame(e, "a frame is too large, or is none");
	}
	r = trace_frame_decode(data, len, &f, &used);
	if (r < 0)
		return no_frame(e, "a frame is damaged, or is none");
	if (r == 0)
		return 0;
	return take_frame(p, &f, e) < 0 ? e->code : (ssize_t)used;
}

static int reserve(struct receive_parser *p, size_t len, struct err *e)
{
	uint8_t *grown;
	size_t cap = p->cap ? p->cap : 512;

	while (cap < len)
		cap *= 2;
	if (cap == p->cap)
		return 0;
	grown = realloc(p->data, cap);
	if (!grown)
		return err_nomem(e);
	p->data = grown;
	p->cap = cap;
	return 0;
}

/* All that is whole, off the front. */
static int parse_all(struct receive_parser *p, struct err *e)
{
	size_t at = 0;
	ssize_t used = 0;

	while (at < p->len) {
		used = p->greeted ? parse_frame(p, p->data + at, p->len - at, e)
				  : parse_hello(p, p->data + at, p->len - at, e);
		if (used <= 0)
			break;
		at += (size_t)used;
	}
	memmove(p->data, p->data + at, p->len - at);
	p->len -= at;
	return used < 0 ? (int)used : 0;
}

int receive_parser_feed(struct receive_parser *p, const void *data, size_t len, struct err *e)
{
	const uint8_t *from = data;

	/* By pieces, so that the buffer never holds more than a frame and a piece. */
	while (len) {
		size_t n = len < CHANNEL_CHUNK ? len : CHANNEL_CHUNK;

		if (p->len + n > WHOLE_MAX + CHANNEL_CHUNK)
			return no_frame(e, "a frame is too large, or is none");
		if (reserve(p, p->len + n, e) < 0)
			return e->code;
		memcpy(p->data + p->len, from, n);
		p->len += n;
		from += n;
		len -= n;
		if (parse_all(p, e) < 0)
			return e->code;
	}
	return 0;
}
