// SPDX-License-Identifier: Apache-2.0
/*
 * A trace being read: see trace.h. One buffer slides over the file, so a
 * recording of any length costs the same memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "trace/trace.h"

#define BUFFER	    (2 * (TRACE_FRAME_MAX + TRACE_OVERHEAD))
#define SEARCH_WORK (64u << 20) /* bytes of checksums over damage, then the rest is given up */

struct trace_reader {
	char *path; /* owned */
	int fd;
	uint8_t *buf; /* owned; BUFFER */
	size_t at, end;
	bool eof;
	uint64_t damage, tail, work;
	struct trace_stream *streams[TRACE_STREAMS_MAX]; /* owned; NULL: not described */
	double *values;					 /* owned */
	size_t values_cap;
	char label[TRACE_TEXT];
};

bool trace_is(const char *path)
{
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char magic[TRACE_MAGIC_LEN];
	struct stat st;

	/* Of a pipe nothing is read: it could not be put back. */
	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       read(fd, magic, sizeof(magic)) == sizeof(magic) &&
	       !memcmp(magic, TRACE_MAGIC, sizeof(magic));
}

static int fill(struct trace_reader *t, struct err *e)
{
	memmove(t->buf, t->buf + t->at, t->end - t->at);
	t->end -= t->at;
	t->at = 0;
	while (!t->eof && t->end < BUFFER) {
		ssize_t n = read(t->fd, t->buf + t->end, BUFFER - t->end);

		if (n < 0 && errno != EINTR)
			return err_errno(e, "%s", t->path);
		t->eof = n == 0;
		t->end += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int trace_reader_open(const char *path, struct trace_reader **ret, struct err *e)
{
	struct trace_reader *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return err_nomem(e);
	t->path = strdup(path);
	t->buf = malloc(BUFFER);
	t->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (t->fd < 0)
		r = err_errno(e, "%s", path);
	else
		r = t->path && t->buf ? fill(t, e) : err_nomem(e);
	if (r == 0 && (t->end < TRACE_MAGIC_LEN || memcmp(t->buf, TRACE_MAGIC, TRACE_MAGIC_LEN)))
		r = err_set(e, -ERR_FORMAT, "%s: not a trace of vmwatts record", path);
	if (r < 0) {
		trace_reader_close(t);
		return r;
	}
	t->at = TRACE_MAGIC_LEN;
	*ret = t;
	return 0;
}

void trace_reader_close(struct trace_reader *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < TRACE_STREAMS_MAX; i++)
		trace_stream_free(t->streams[i]);
	if (t->fd >= 0)
		close(t->fd);
	free(t->values);
	free(t->buf);
	free(t->path);
	free(t);
}

uint64_t trace_reader_damage(const struct trace_reader *t)
{
	return t->damage;
}

uint64_t trace_reader_tail(const struct trace_reader *t)
{
	return t->tail;
}

/* What looking at a frame that is none has cost: its checksum, at most. */
static uint64_t cost(const struct trace_reader *t)
{
	const uint8_t *p = t->buf + t->at;
	uint32_t n;

	if (t->end - t->at < 5)
		return 1;
	n = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
	return n <= TRACE_FRAME_MAX && p[4] >= TRACE_STREAM && p[4] <= TRACE_LABEL ? n : 1;
}

/* The next whole frame: 1, 0 at the end. */
static int next_frame(struct trace_reader *t, struct trace_frame *ret, struct err *e)
{
	size_t used = 0;
	int r;

	for (;;) {
		if (t->end - t->at < TRACE_FRAME_MAX + TRACE_OVERHEAD && !t->eof) {
			r = fill(t, e);
			if (r < 0)
				return r;
		}
		if (t->at == t->end)
			return 0;
		r = trace_frame_decode(t->buf + t->at, t->end - t->at, ret, &used);
		if (r > 0) {
			t->at += used;
			t->tail = 0;
			return 1;
		}
		t->work += r < 0 ? cost(t) : 1;
		if (t->work > SEARCH_WORK)
			return err_set(e, -ERR_FORMAT,
				       "%s: damaged beyond reading after %llu bytes", t->path,
				       (unsigned long long)t->damage);
		t->tail++;
		t->damage++;
		t->at++;
	}
}

static int take_stream(struct trace_reader *t, const struct trace_frame *f,
		       struct trace_record *ret, struct err *e)
{
	struct trace_stream *s;
	double *grown;
	int r = trace_stream_decode(f, &ret->id, &s, e);

	if (r < 0)
		return r;
	/* An id is given once: a second one would pull a stream from under its reader. */
	if (ret->id >= TRACE_STREAMS_MAX || t->streams[ret->id]) {
		trace_stream_free(s);
		return err_set(e, -ERR_FORMAT, "%s: a stream is described twice", t->path);
	}
	t->streams[ret->id] = s;
	ret->stream = s;
	if (s->n_columns > t->values_cap) {
		grown = realloc(t->values, s->n_columns * sizeof(*grown));
		if (!grown)
			return err_nomem(e);
		t->values = grown;
		t->values_cap = s->n_columns;
	}
	return 0;
}

static int take(struct trace_reader *t, const struct trace_frame *f, struct trace_record *ret,
		struct err *e)
{
	int id = trace_frame_stream(f);

	*ret = (struct trace_record){.type = f->type};
	if (f->type == TRACE_STREAM)
		return take_stream(t, f, ret, e);
	if (id < 0 || id >= TRACE_STREAMS_MAX || !t->streams[id])
		return err_set(e, -ERR_FORMAT, "%s: a row of a stream not described", t->path);
	ret->stream = t->streams[id];
	if (f->type == TRACE_LABEL) {
		ret->label = t->label;
		return trace_label_decode(f, &ret->id, &ret->real_ns, t->label, e);
	}
	ret->values = t->values;
	return trace_row_decode(f, &ret->id, &ret->real_ns, t->values, ret->stream->n_columns, e);
}

int trace_next(struct trace_reader *t, struct trace_record *ret, struct err *e)
{
	struct trace_frame f;
	int r;

	while ((r = next_frame(t, &f, e)) > 0) {
		r = take(t, &f, ret, e);
		if (r == 0)
			return 1;
		if (r != -ERR_FORMAT)
			return r;
		t->damage += f.len + TRACE_OVERHEAD;
	}
	return r;
}
