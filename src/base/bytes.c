// SPDX-License-Identifier: Apache-2.0
/* Little-endian fields: see bytes.h. */
#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

struct byte_reader byte_reader(const void *data, size_t len)
{
	const uint8_t *at = data;

	return (struct byte_reader){.at = at, .end = at + len};
}

size_t bytes_left(const struct byte_reader *r)
{
	return (size_t)(r->end - r->at);
}

static uint64_t get_le(struct byte_reader *r, size_t n)
{
	uint64_t v = 0;

	if (r->failed || bytes_left(r) < n) {
		r->failed = true;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)r->at[i] << (8 * i);
	r->at += n;
	return v;
}

uint8_t get_u8(struct byte_reader *r)
{
	return (uint8_t)get_le(r, 1);
}

uint16_t get_u16(struct byte_reader *r)
{
	return (uint16_t)get_le(r, 2);
}

uint32_t get_u32(struct byte_reader *r)
{
	return (uint32_t)get_le(r, 4);
}

uint64_t get_u64(struct byte_reader *r)
{
	return get_le(r, 8);
}

double get_f64(struct byte_reader *r)
{
	uint64_t bits = get_le(r, 8);
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

float get_f32(struct byte_reader *r)
{
	uint32_t bits = (uint32_t)get_le(r, 4);
	float v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

struct byte_reader get_bytes(struct byte_reader *r, size_t len)
{
	struct byte_reader part = {.at = r->at, .end = r->at};

	if (r->failed || bytes_left(r) < len) {
		r->failed = true;
		part.failed = true;
		return part;
	}
	part.end = r->at + len;
	r->at += len;
	return part;
}

void get_text(struct byte_reader *r, char *buf, size_t size)
{
	size_t n = get_u16(r);
	struct byte_reader text = get_bytes(r, n);

	buf[0] = 0;
	if (text.failed || n >= size) {
		r->failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (text.at[i] < 0x20 || text.at[i] == 0x7f)
			r->failed = true;
	}
	if (r->failed)
		return;
	memcpy(buf, text.at, n);
	buf[n] = 0;
}

void put_bytes(struct byte_writer *w, const void *data, size_t len)
{
	if (w->failed || len == 0)
		return;
	if (w->cap - w->len < len) {
		size_t cap = (w->len + len) * 2 + 256;
		uint8_t *grown = realloc(w->data, cap);

		if (!grown) {
			w->failed = true;
			return;
		}
		w->data = grown;
		w->cap = cap;
	}
	memcpy(w->data + w->len, data, len);
	w->len += len;
}

static void put_le(struct byte_writer *w, uint64_t v, size_t n)
{
	uint8_t b[8];

	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(v >> (8 * i));
	put_bytes(w, b, n);
}

void put_u8(struct byte_writer *w, uint8_t v)
{
	put_le(w, v, 1);
}

void put_u16(struct byte_writer *w, uint16_t v)
{
	put_le(w, v, 2);
}

void put_u32(struct byte_writer *w, uint32_t v)
{
	put_le(w, v, 4);
}

void put_u64(struct byte_writer *w, uint64_t v)
{
	put_le(w, v, 8);
}

void put_f64(struct byte_writer *w, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	put_le(w, bits, 8);
}

void put_f32(struct byte_writer *w, float v)
{
	uint32_t bits;

	memcpy(&bits, &v, sizeof(bits));
	put_le(w, bits, 4);
}

void put_text(struct byte_writer *w, const char *s)
{
	size_t n = strlen(s);

	if (n > UINT16_MAX)
		n = UINT16_MAX;
	put_u16(w, (uint16_t)n);
	put_bytes(w, s, n);
}

void byte_writer_release(struct byte_writer *w)
{
	free(w->data);
	*w = (struct byte_writer){0};
}
