// SPDX-License-Identifier: Apache-2.0
/*
 * Universal Binary JSON as a JSON value, all big-endian:
 *
 *   Z T F           null, true, false
 *   i U I l L d D   int8, uint8, int16, int32, int64, float32, float64, then the number
 *   C S H           a byte; a length and bytes; the same, as digits
 *   [ ... ]  { length name value ... }
 *
 * and with `$type` (one for all) and `#count` behind the bracket, then without a closing one: so
 * XGBoost writes its arrays.
 */
#include "exchange/json.h"

#include <string.h>

#define DEPTH_MAX 64

struct reader {
	const unsigned char *at, *end;
	size_t values; /* made so far: what memory is bounded by */
	unsigned depth;
};

#define VALUES_MAX (32u << 20)

static json_t *read_value(struct reader *r, int type);

static int next_byte(struct reader *r)
{
	return r->at < r->end ? *r->at++ : -1;
}

static int next_type(struct reader *r)
{
	int type;

	do
		type = next_byte(r);
	while (type == 'N'); /* no-op */
	return type;
}

static bool read_bytes(struct reader *r, size_t n, uint64_t *ret)
{
	uint64_t v = 0;

	if ((size_t)(r->end - r->at) < n)
		return false;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | *r->at++;
	*ret = v;
	return true;
}

static size_t number_bytes(int type)
{
	switch (type) {
	case 'i':
	case 'U':
		return 1;
	case 'I':
		return 2;
	case 'l':
	case 'd':
		return 4;
	case 'L':
	case 'D':
		return 8;
	default:
		return 0;
	}
}

static bool read_integer(struct reader *r, int type, int64_t *ret)
{
	size_t n = number_bytes(type);
	uint64_t v;

	if (!n || type == 'd' || type == 'D' || !read_bytes(r, n, &v))
		return false;
	*ret = type == 'i'   ? (int8_t)v
	       : type == 'I' ? (int16_t)v
	       : type == 'l' ? (int32_t)v
			     : (int64_t)v;
	return true;
}

static bool read_length(struct reader *r, size_t *ret)
{
	int64_t n;

	if (!read_integer(r, next_type(r), &n) || n < 0 || (uint64_t)n > VALUES_MAX)
		return false;
	*ret = (size_t)n;
	return true;
}

/* Names and text: what is left must hold it. */
static const char *read_text(struct reader *r, size_t *ret_len)
{
	const char *s;

	if (!read_length(r, ret_len) || (size_t)(r->end - r->at) < *ret_len)
		return NULL;
	s = (const char *)r->at;
	r->at += *ret_len;
	return s;
}

static json_t *read_real(struct reader *r, int type)
{
	uint64_t bits;
	uint32_t low;
	float f;
	double d;

	if (!read_bytes(r, number_bytes(type), &bits))
		return NULL;
	low = (uint32_t)bits;
	memcpy(&f, &low, sizeof(f));
	memcpy(&d, &bits, sizeof(d));
	return json_real(type == 'd' ? (double)f : d); /* NULL for what is not finite */
}

/* What may stand behind a bracket: `$type` and `#count`. */
static bool read_shape(struct reader *r, int *ret_type, bool *ret_counted, size_t *ret_n)
{
	*ret_type = 0;
	*ret_counted = false;
	if (r->at < r->end && *r->at == '$') {
		r->at++;
		*ret_type = next_byte(r);
		if (r->at >= r->end || *r->at != '#')
			return false;
	}
	if (r->at < r->end && *r->at == '#') {
		r->at++;
		*ret_counted = true;
		return read_length(r, ret_n);
	}
	return true;
}

static bool closes(struct reader *r, int bracket)
{
	while (r->at < r->end && *r->at == 'N')
		r->at++;
	if (r->at >= r->end || *r->at != bracket)
		return false;
	r->at++;
	return true;
}

static json_t *read_array(struct reader *r)
{
	json_t *array = json_array();
	bool counted;
	size_t n = 0;
	int type;

	if (!read_shape(r, &type, &counted, &n))
		goto bad;
	for (size_t i = 0; counted ? i < n : !closes(r, ']'); i++) {
		json_t *v = read_value(r, type ? type : next_type(r));

		if (!v || json_array_append_new(array, v) < 0)
			goto bad;
	}
	return array;
bad:
	json_decref(array);
	return NULL;
}

static json_t *read_object(struct reader *r)
{
	json_t *object = json_object();
	bool counted;
	size_t n = 0;
	int type;

	if (!read_shape(r, &type, &counted, &n))
		goto bad;
	for (size_t i = 0; counted ? i < n : !closes(r, '}'); i++) {
		size_t len;
		const char *name = read_text(r, &len);
		json_t *v = name ? read_value(r, type ? type : next_type(r)) : NULL;

		if (!v || json_object_setn_new(object, name, len, v) < 0)
			goto bad;
	}
	return object;
bad:
	json_decref(object);
	return NULL;
}

static json_t *read_nested(struct reader *r, int type)
{
	json_t *v;

	if (r->depth >= DEPTH_MAX)
		return NULL;
	r->depth++;
	v = type == '[' ? read_array(r) : read_object(r);
	r->depth--;
	return v;
}

static json_t *read_value(struct reader *r, int type)
{
	const char *s;
	int64_t i;
	size_t len;

	if (++r->values > VALUES_MAX)
		return NULL;
	switch (type) {
	case 'Z':
		return json_null();
	case 'T':
		return json_true();
	case 'F':
		return json_false();
	case 'd':
	case 'D':
		return read_real(r, type);
	case 'S':
		s = read_text(r, &len);
		return s ? json_stringn(s, len) : NULL;
	case '[':
	case '{':
		return read_nested(r, type);
	default:
		return read_integer(r, type, &i) ? json_integer(i) : NULL;
	}
}

json_t *ubjson_read(const void *data, size_t len)
{
	struct reader r = {.at = data, .end = (const unsigned char *)data + len};
	json_t *v = read_value(&r, next_type(&r));

	if (v && r.at != r.end) {
		json_decref(v);
		return NULL;
	}
	return v;
}
