// SPDX-License-Identifier: Apache-2.0
/* Frames to bytes and back: see trace.h. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "trace/crc32.h"
#include "trace/trace.h"

#define HEAD 5 /* length and type */
#define TAIL 4 /* CRC */

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

int trace_frame_decode(const void *data, size_t len, struct trace_frame *ret, size_t *ret_used)
{
	const uint8_t *p = data;
	uint32_t n;

	if (len >= HEAD && (p[4] < TRACE_STREAM || p[4] > TRACE_LABEL))
		return -ERR_FORMAT;
	if (len < 4)
		return 0;
	n = le32(p);
	if (n > TRACE_FRAME_MAX || n < 2)
		return -ERR_FORMAT;
	if (len < HEAD + n + TAIL)
		return 0;
	if (le32(p + HEAD + n) != crc32_of(p, HEAD + n))
		return -ERR_FORMAT;
	*ret = (struct trace_frame){(enum trace_type)p[4], p + HEAD, n};
	*ret_used = HEAD + n + TAIL;
	return 1;
}

/* Where the frame begins; its length is filled in at the end. */
static size_t begin(struct byte_writer *w, enum trace_type type)
{
	size_t at = w->len;

	put_u32(w, 0);
	put_u8(w, (uint8_t)type);
	return at;
}

static void end(struct byte_writer *w, size_t at)
{
	size_t n = w->len - at - HEAD;

	if (w->failed || n > TRACE_FRAME_MAX) {
		w->failed = true;
		return;
	}
	for (size_t i = 0; i < 4; i++)
		w->data[at + i] = (uint8_t)(n >> (8 * i));
	put_u32(w, crc32_of(w->data + at, HEAD + n));
}

void trace_encode_stream(struct byte_writer *w, unsigned id, const struct trace_stream *s)
{
	size_t at = begin(w, TRACE_STREAM);

	put_u16(w, (uint16_t)id);
	put_u8(w, (uint8_t)s->kind);
	put_text(w, s->vm);
	put_u16(w, (uint16_t)s->n_meta);
	for (size_t i = 0; i < 2 * s->n_meta; i++)
		put_text(w, s->meta[i]);
	put_u16(w, (uint16_t)s->n_columns);
	for (size_t i = 0; i < s->n_columns; i++)
		put_text(w, s->columns[i]);
	end(w, at);
}

void trace_encode_row(struct byte_writer *w, unsigned id, int64_t real_ns, const double *values,
		      size_t n)
{
	size_t at = begin(w, TRACE_ROW);

	put_u16(w, (uint16_t)id);
	put_u64(w, (uint64_t)real_ns);
	put_u16(w, (uint16_t)n);
	for (size_t i = 0; i < n; i++)
		put_f64(w, values[i]);
	end(w, at);
}

void trace_encode_label(struct byte_writer *w, unsigned id, int64_t real_ns, const char *label)
{
	size_t at = begin(w, TRACE_LABEL);

	put_u16(w, (uint16_t)id);
	put_u64(w, (uint64_t)real_ns);
	put_text(w, label);
	end(w, at);
}

int trace_frame_stream(const struct trace_frame *f)
{
	return f->len < 2 ? -1 : f->payload[0] | f->payload[1] << 8;
}

/* A copy of the next text, NULL where there is none that is allowed. */
static char *take_text(struct byte_reader *r)
{
	char buf[TRACE_TEXT];

	get_text(r, buf, sizeof(buf));
	return r->failed ? NULL : strdup(buf);
}

static char **take_texts(struct byte_reader *r, size_t n)
{
	char **texts;

	if (bytes_left(r) < 2 * n) {
		r->failed = true;
		return NULL;
	}
	texts = calloc(n + 1, sizeof(*texts));
	for (size_t i = 0; texts && i < n; i++) {
		texts[i] = take_text(r);
		if (!texts[i])
			r->failed = true;
	}
	return texts;
}

static void free_texts(const char *const *texts, size_t n)
{
	for (size_t i = 0; texts && i < n; i++)
		free((char *)texts[i]);
	free((void *)texts);
}

void trace_stream_free(struct trace_stream *s)
{
	if (!s)
		return;
	free((char *)s->vm);
	free_texts(s->meta, 2 * s->n_meta);
	free_texts(s->columns, s->n_columns);
	free(s);
}

int trace_stream_decode(const struct trace_frame *f, unsigned *ret_id, struct trace_stream **ret,
			struct err *e)
{
	struct byte_reader r = byte_reader(f->payload, f->len);
	struct trace_stream *s = calloc(1, sizeof(*s));
	unsigned id = get_u16(&r);
	bool whole;

	if (!s)
		return err_nomem(e);
	s->kind = (enum trace_kind)get_u8(&r);
	s->vm = take_text(&r);
	s->n_meta = get_u16(&r);
	if (s->n_meta > TRACE_META_MAX) {
		s->n_meta = 0;
		r.failed = true;
	}
	s->meta = (const char *const *)take_texts(&r, 2 * s->n_meta);
	s->n_columns = get_u16(&r);
	s->columns = (const char *const *)take_texts(&r, s->n_columns);
	whole = !r.failed && !bytes_left(&r) && s->vm && s->meta && s->columns && s->n_columns;
	if (!whole || (s->kind != TRACE_GUEST && s->kind != TRACE_HOST)) {
		trace_stream_free(s);
		return err_set(e, -ERR_FORMAT, "a stream's description is damaged");
	}
	*ret_id = id;
	*ret = s;
	return 0;
}

int trace_row_decode(const struct trace_frame *f, unsigned *ret_id, int64_t *ret_real_ns,
		     double *ret_values, size_t n, struct err *e)
{
	struct byte_reader r = byte_reader(f->payload, f->len);
	unsigned id = get_u16(&r);
	int64_t real_ns = (int64_t)get_u64(&r);

	if (get_u16(&r) != n || r.failed || bytes_left(&r) != n * sizeof(double))
		return err_set(e, -ERR_FORMAT,
			       "a row has another number of columns than its "
			       "stream");
	for (size_t i = 0; i < n; i++)
		ret_values[i] = get_f64(&r);
	*ret_id = id;
	*ret_real_ns = real_ns;
	return 0;
}

int trace_label_decode(const struct trace_frame *f, unsigned *ret_id, int64_t *ret_real_ns,
		       char ret_label[TRACE_TEXT], struct err *e)
{
	struct byte_reader r = byte_reader(f->payload, f->len);
	unsigned id = get_u16(&r);
	int64_t real_ns = (int64_t)get_u64(&r);
	char label[TRACE_TEXT];

	get_text(&r, label, sizeof(label));
	if (r.failed || bytes_left(&r))
		return err_set(e, -ERR_FORMAT, "a label is damaged");
	memcpy(ret_label, label, sizeof(label));
	*ret_id = id;
	*ret_real_ns = real_ns;
	return 0;
}

const char *trace_meta(const struct trace_stream *s, const char *key)
{
	for (size_t i = 0; i < s->n_meta; i++) {
		if (!strcmp(s->meta[2 * i], key))
			return s->meta[2 * i + 1];
	}
	return NULL;
}

int trace_column(const struct trace_stream *s, const char *name)
{
	for (size_t i = 0; i < s->n_columns; i++) {
		if (!strcmp(s->columns[i], name))
			return (int)i;
	}
	return -1;
}
