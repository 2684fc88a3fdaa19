/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

/*
 * A trace: what was recorded, as it was read, append-only and crash-safe
 * (docs/formats/trace.md). Guests write their kernel's raw counters, hosts
 * their meters' figures; one file may hold both sides and several VMs.
 *
 *   file    "VMWTRC1\n", then frames
 *   frame   u32 length of the payload, u8 type, payload, u32 CRC-32 of all before it
 *   STREAM  u16 id, u8 kind, text vm, u16 n, n x (text key, text value),
 *           u16 n, n x text column
 *   ROW     u16 id, i64 real_ns, u16 n, n x f64     n = the stream's columns
 *   LABEL   u16 id, i64 real_ns, text                from here on, "" ends it
 *
 * Little-endian; a text is a u16 length and its bytes. A frame is written by
 * one write(2): a killed writer loses at most the frame it was writing, and
 * whoever opens the file for appending cuts such a rest off. NaN is missing.
 * real_ns is the recorder's CLOCK_REALTIME at the instant of reading.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TRACE_MAGIC	  "VMWTRC1\n"
#define TRACE_MAGIC_LEN	  8
#define TRACE_FRAME_MAX	  (1u << 20) /* bytes of one payload */
#define TRACE_OVERHEAD	  9	     /* bytes of a frame around its payload */
#define TRACE_COLUMNS_MAX 65535
#define TRACE_META_MAX	  64
#define TRACE_STREAMS_MAX 4096
#define TRACE_TEXT	  256 /* of any one text, with its NUL */

enum trace_kind {
	TRACE_GUEST = 1, /* a guest's raw counters: columns of trace/sample.h */
	TRACE_HOST, /* a host's meters: <zone>_joules, <zone>_watts (docs/formats/recordings.md) */
};

/* What a stream holds. Texts are borrowed where one is written, owned where one was read. */
struct trace_stream {
	enum trace_kind kind;
	const char *vm; /* which VM the figures are of; pairs the two sides */
	size_t n_meta, n_columns;
	const char *const *meta; /* n_meta pairs: key, value */
	const char *const *columns;
};

/* The value of a key, or NULL. */
const char *trace_meta(const struct trace_stream *s, const char *key);

/* The position of a column, or -1. */
int trace_column(const struct trace_stream *s, const char *name);

/* ---- writing ---- */

struct trace_writer; /* owned by trace_writer_open's caller */

/*
 * Create the file (0600), or take up one that a recorder left: a rest of a
 * broken-off frame is cut off and *ret_cut (may be NULL) says how many bytes.
 * The file is locked: -EBUSY where another recorder writes it. ERR_FORMAT
 * where it is something else; a file that is no trace is never touched.
 */
int trace_writer_open(const char *path, struct trace_writer **ret, size_t *ret_cut, struct err *e);

/* Syncs and closes. NULL is fine. */
void trace_writer_close(struct trace_writer *w);

/*
 * Each appends one frame, whole or not at all: where a write fails the file is
 * cut back to its last whole frame. -ENOSPC for a full disk and for the limit
 * of trace_writer_limit(). Rows and labels allocate nothing once warm.
 */
int trace_write_stream(struct trace_writer *w, const struct trace_stream *s, unsigned *ret_id,
		       struct err *e);
int trace_write_row(struct trace_writer *w, unsigned id, int64_t real_ns, const double *values,
		    size_t n, struct err *e);
int trace_write_label(struct trace_writer *w, unsigned id, int64_t real_ns, const char *label,
		      struct err *e);

/* Refuse to grow the file over `bytes`; 0: no limit. */
void trace_writer_limit(struct trace_writer *w, uint64_t bytes);

/* Size of the file now. */
uint64_t trace_writer_size(const struct trace_writer *w);

/* What is written is on the disk when this returns. */
int trace_writer_sync(struct trace_writer *w, struct err *e);

/* ---- frames, as they stand in a file and go over a channel ---- */

enum trace_type { TRACE_STREAM = 1, TRACE_ROW, TRACE_LABEL };

struct trace_frame {
	enum trace_type type;
	const uint8_t *payload;
	size_t len;
};

/*
 * The frame at the start of `data`: 1 and its whole length in *ret_used; 0
 * where more bytes are needed; -ERR_FORMAT for what is none.
 */
int trace_frame_decode(const void *data, size_t len, struct trace_frame *ret, size_t *ret_used);

struct byte_writer;

/* Append a frame to `w`, whose `failed` says whether memory ran out. */
void trace_encode_stream(struct byte_writer *w, unsigned id, const struct trace_stream *s);
void trace_encode_row(struct byte_writer *w, unsigned id, int64_t real_ns, const double *values,
		      size_t n);
void trace_encode_label(struct byte_writer *w, unsigned id, int64_t real_ns, const char *label);

/* A stream as read from its frame; ERR_FORMAT. Released with trace_stream_free(). */
int trace_stream_decode(const struct trace_frame *f, unsigned *ret_id, struct trace_stream **ret,
			struct err *e);
void trace_stream_free(struct trace_stream *s);

/* The numbers of a ROW: n must be the stream's columns. ERR_FORMAT. */
int trace_row_decode(const struct trace_frame *f, unsigned *ret_id, int64_t *ret_real_ns,
		     double *ret_values, size_t n, struct err *e);
int trace_label_decode(const struct trace_frame *f, unsigned *ret_id, int64_t *ret_real_ns,
		       char ret_label[TRACE_TEXT], struct err *e);

/* The stream that a ROW or LABEL belongs to, before it is decoded; -1 where it has none. */
int trace_frame_stream(const struct trace_frame *f);

/* ---- reading ---- */

struct trace_reader; /* owned by trace_reader_open's caller */

struct trace_record {
	enum trace_type type;
	unsigned id;
	const struct trace_stream *stream; /* valid as long as the reader */
	int64_t real_ns;		   /* 0 for a STREAM */
	const double *values;		   /* of a ROW; stream->n_columns, until the next record */
	const char *label;		   /* of a LABEL; until the next record */
};

/* True when the file begins as a trace does. */
bool trace_is(const char *path);

/* -errno; ERR_FORMAT where the file is no trace. */
int trace_reader_open(const char *path, struct trace_reader **ret, struct err *e);
void trace_reader_close(struct trace_reader *r); /* NULL is fine */

/*
 * The next record: 1, 0 at the end, -errno for a failed read. Damaged bytes
 * are skipped up to the next whole frame and counted in trace_reader_damage().
 */
int trace_next(struct trace_reader *r, struct trace_record *ret, struct err *e);

/* Bytes skipped so far; a rest of a frame at the end of the file counts too. */
uint64_t trace_reader_damage(const struct trace_reader *r);

/* Of these, the bytes behind the last whole frame. */
uint64_t trace_reader_tail(const struct trace_reader *r);

#endif
