// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as what a guest pushes, in pieces of any size: the parser hands on only what was
 * described, in the bounds it promises, and holds no more than a frame and a piece.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "record/channel.h"
#include "record/receive_parse.h"

struct seen {
	size_t greetings, columns, rows;
};

static int hello(void *user, const char *token, uint32_t number, struct err *e)
{
	struct seen *s = user;

	(void)number;
	s->greetings++;
	s->columns = 0;
	if (!*token || strlen(token) >= CHANNEL_LINE || strchr(token, ' '))
		abort();
	return *token == '!' ? err_set(e, -ERR_DATA, "refused") : 0;
}

static int stream(void *user, const struct trace_stream *t, struct err *e)
{
	struct seen *s = user;

	if (!s->greetings || t->kind != TRACE_GUEST || !t->n_columns)
		abort();
	s->columns = t->n_columns;
	return t->n_columns > 40 ? err_set(e, -ERR_DATA, "refused") : 0;
}

static int row(void *user, int64_t real_ns, const double *values, size_t n, struct err *e)
{
	struct seen *s = user;
	volatile double sum = 0;

	(void)real_ns;
	(void)e;
	if (!n || n != s->columns)
		abort();
	for (size_t i = 0; i < n; i++)
		sum += values[i];
	(void)sum;
	s->rows++;
	return 0;
}

static int label(void *user, int64_t real_ns, const char *text, struct err *e)
{
	struct seen *s = user;

	(void)real_ns;
	(void)e;
	if (!s->columns || strlen(text) >= TRACE_TEXT)
		abort();
	return 0;
}

/*
 * Few inputs have the right CRC by chance: with the second bit of the first byte
 * frames are written around the rest of the bytes, so that payloads are met too.
 */
static size_t with_frames(const uint8_t *data, size_t size, uint8_t *out)
{
	struct byte_writer w = {0};
	const char *columns[] = {"a", "b"};
	const struct trace_stream s = {TRACE_GUEST, "v", 0, 2, NULL, columns};
	double values[2] = {1, 2};
	size_t n;

	put_bytes(&w, "VMWPUSH1 t 1\n", 13);
	trace_encode_stream(&w, 1, &s);
	while (size > 2) {
		size_t len = data[0] < size - 1 ? data[0] : size - 1;

		if (len < sizeof(values))
			trace_encode_row(&w, data[0] & 3 ? 1 : 2, (int64_t)size, values,
					 data[0] & 4 ? 1 : 2);
		else
			put_bytes(&w, data + 1, len);
		data += len + 1;
		size -= len + 1;
	}
	n = w.len < 65536 ? w.len : 65536;
	memcpy(out, w.data, n);
	byte_writer_release(&w);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct receive_sink sink = {hello, stream, row, label};
	static uint8_t bytes[65536];
	struct receive_parser p;
	struct seen seen = {0};
	struct err e = ERR_INIT;
	size_t len = size > 1 && size < 65536 ? size - 1 : 0, piece;
	int r = 0;

	if (!len)
		return 0;
	piece = 1 + (data[0] >> 2) * 31u;
	receive_parser_init(&p, &sink, &seen, data[0] & 1);
	if (data[0] & 2)
		len = with_frames(data + 1, len, bytes);
	else
		memcpy(bytes, data + 1, len);
	for (size_t at = 0; at < len && r == 0; at += piece) {
		r = receive_parser_feed(&p, bytes + at, piece < len - at ? piece : len - at, &e);
		if (p.cap > 2 * (RECEIVE_FRAME_MAX + TRACE_OVERHEAD + CHANNEL_CHUNK))
			abort();
	}
	if (r < 0 && !e.msg[0])
		abort();
	receive_parser_release(&p);
	return 0;
}
