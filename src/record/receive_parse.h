/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_RECEIVE_PARSE_H
#define RECORD_RECEIVE_PARSE_H

/*
 * What a guest pushes, from bytes to calls: a hello, then streams, rows and
 * labels (channel.h, trace/trace.h). It does no I/O and believes nothing: a
 * frame over RECEIVE_FRAME_MAX, a CRC that is wrong, a row of a stream that
 * was not described, or with other columns, and a stream of a host's are
 * errors, after which the connection is to be ended.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "trace/trace.h"

#define RECEIVE_FRAME_MAX (256u << 10) /* of a payload: some 2,000 CPUs in a row */
#define RECEIVE_REST_MAX  (4u << 20)   /* of an earlier connection over virtio */

/* Who takes it; an error of theirs ends the connection too. */
struct receive_sink {
	int (*hello)(void *user, const char *token, uint32_t number, struct err *e);
	int (*stream)(void *user, const struct trace_stream *s, struct err *e);
	int (*row)(void *user, int64_t real_ns, const double *values, size_t n, struct err *e);
	int (*label)(void *user, int64_t real_ns, const char *label, struct err *e);
};

struct receive_parser {
	const struct receive_sink *sink;
	void *user;
	bool virtio; /* a hello may come behind a rest, and again between two frames */
	bool greeted, has_stream;
	unsigned stream_id;
	size_t n_columns, passed_over;
	double *values; /* owned; n_columns */
	uint8_t *data;	/* owned; what is not yet a whole frame */
	size_t len, cap;
	uint64_t frames; /* since the last hello */
};

void receive_parser_init(struct receive_parser *p, const struct receive_sink *sink, void *user,
			 bool virtio);
void receive_parser_release(struct receive_parser *p);

/* The next bytes. ERR_FORMAT, or what the sink gave. */
int receive_parser_feed(struct receive_parser *p, const void *data, size_t len, struct err *e);

/* True where a frame, or the hello, has begun and is not whole. */
bool receive_parser_within(const struct receive_parser *p);

#endif
