/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

/*
 * Little-endian formats, field by field. A reader never reads past its end:
 * the first short read sets `failed`, and from then on every read gives 0, so
 * a parser may read a whole record and check once. A writer grows its buffer;
 * when memory runs out `failed` is set and nothing more is written.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct byte_reader {
	const uint8_t *at, *end;
	bool failed;
};

struct byte_writer {
	uint8_t *data; /* owned */
	size_t len, cap;
	bool failed;
};

struct byte_reader byte_reader(const void *data, size_t len);
size_t bytes_left(const struct byte_reader *r);
uint8_t get_u8(struct byte_reader *r);
uint16_t get_u16(struct byte_reader *r);
uint32_t get_u32(struct byte_reader *r);
uint64_t get_u64(struct byte_reader *r);
double get_f64(struct byte_reader *r);
float get_f32(struct byte_reader *r);

/*
 * A u16 length and that many bytes of text into buf[size], NUL-terminated.
 * Fails when it does not fit or holds control characters.
 */
void get_text(struct byte_reader *r, char *buf, size_t size);

/* The next `len` bytes as a reader of their own. */
struct byte_reader get_bytes(struct byte_reader *r, size_t len);

void put_bytes(struct byte_writer *w, const void *data, size_t len);
void put_u8(struct byte_writer *w, uint8_t v);
void put_u16(struct byte_writer *w, uint16_t v);
void put_u32(struct byte_writer *w, uint32_t v);
void put_u64(struct byte_writer *w, uint64_t v);
void put_f64(struct byte_writer *w, double v);
void put_f32(struct byte_writer *w, float v);
void put_text(struct byte_writer *w, const char *s);
void byte_writer_release(struct byte_writer *w);

#endif
