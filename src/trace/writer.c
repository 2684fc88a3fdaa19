// SPDX-License-Identifier: Apache-2.0
/*
 * A trace being written: see trace.h. The file's length is always that of its
 * whole frames: what a failed write left is cut off at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "trace/trace.h"

struct trace_writer {
	char *path; /* owned; for messages */
	int fd;
	uint64_t size, limit;
	unsigned next_id;
	struct byte_writer frame; /* reused */
};

/* Where the last whole frame ends, and the first id that no stream has. */
static int find_end(struct trace_writer *w, uint64_t *ret_end, struct err *e)
{
	struct trace_reader *reader;
	struct trace_record record;
	int r = trace_reader_open(w->path, &reader, e);

	if (r < 0)
		return r;
	while ((r = trace_next(reader, &record, e)) > 0) {
		if (record.id >= w->next_id)
			w->next_id = record.id + 1;
	}
	*ret_end = w->size - trace_reader_tail(reader);
	trace_reader_close(reader);
	return r;
}

static int take_up(struct trace_writer *w, size_t *ret_cut, struct err *e)
{
	uint64_t end = 0;
	int r = find_end(w, &end, e);

	if (r < 0)
		return r;
	*ret_cut = (size_t)(w->size - end);
	if (ftruncate(w->fd, (off_t)end) < 0)
		return err_errno(e, "%s: cannot cut off a broken-off frame", w->path);
	w->size = end;
	return 0;
}

static int append(struct trace_writer *w, const void *data, size_t len, struct err *e)
{
	ssize_t n;
	int code;

	if (w->limit && w->size + len > w->limit)
		return err_set(e, -ENOSPC, "%s: the limit of %llu bytes is reached", w->path,
			       (unsigned long long)w->limit);
	do
		n = write(w->fd, data, len);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len) {
		w->size += len;
		return 0;
	}
	code = n < 0 ? errno : ENOSPC;
	if (n > 0 && ftruncate(w->fd, (off_t)w->size) < 0)
		code = errno;
	errno = code;
	return err_errno(e, "%s: cannot be written; what was recorded before is kept", w->path);
}

static int open_file(struct trace_writer *w, size_t *ret_cut, struct err *e)
{
	struct stat st;

	w->fd = open(w->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (w->fd < 0)
		return err_errno(e, "%s", w->path);
	if (flock(w->fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, -EBUSY, "%s: another recorder is writing it", w->path);
	if (fstat(w->fd, &st) < 0)
		return err_errno(e, "%s", w->path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "%s: not a regular file", w->path);
	w->size = (uint64_t)st.st_size;
	return w->size ? take_up(w, ret_cut, e) : append(w, TRACE_MAGIC, TRACE_MAGIC_LEN, e);
}

int trace_writer_open(const char *path, struct trace_writer **ret, size_t *ret_cut, struct err *e)
{
	struct trace_writer *w = calloc(1, sizeof(*w));
	size_t cut = 0;
	int r;

	if (!w)
		return err_nomem(e);
	w->fd = -1;
	w->path = strdup(path);
	r = w->path ? open_file(w, &cut, e) : err_nomem(e);
	if (r < 0) {
		trace_writer_close(w);
		return r;
	}
	if (ret_cut)
		*ret_cut = cut;
	*ret = w;
	return 0;
}

void trace_writer_close(struct trace_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0) {
		fdatasync(w->fd);
		close(w->fd);
	}
	byte_writer_release(&w->frame);
	free(w->path);
	free(w);
}

static int append_frame(struct trace_writer *w, struct err *e)
{
	if (w->frame.failed) {
		byte_writer_release(&w->frame);
		w->frame = (struct byte_writer){0};
		return err_set(e, -EMSGSIZE, "%s: a frame is over %u bytes, or memory ran out",
			       w->path, TRACE_FRAME_MAX);
	}
	return append(w, w->frame.data, w->frame.len, e);
}

int trace_write_stream(struct trace_writer *w, const struct trace_stream *s, unsigned *ret_id,
		       struct err *e)
{
	int r;

	if (w->next_id >= TRACE_STREAMS_MAX)
		return err_set(e, -ENOSPC, "%s: holds %u streams already: record into a new file",
			       w->path, TRACE_STREAMS_MAX);
	w->frame.len = 0;
	trace_encode_stream(&w->frame, w->next_id, s);
	r = append_frame(w, e);
	if (r == 0)
		*ret_id = w->next_id++;
	return r;
}

int trace_write_row(struct trace_writer *w, unsigned id, int64_t real_ns, const double *values,
		    size_t n, struct err *e)
{
	w->frame.len = 0;
	trace_encode_row(&w->frame, id, real_ns, values, n);
	return append_frame(w, e);
}

int trace_write_label(struct trace_writer *w, unsigned id, int64_t real_ns, const char *label,
		      struct err *e)
{
	w->frame.len = 0;
	trace_encode_label(&w->frame, id, real_ns, label);
	return append_frame(w, e);
}

void trace_writer_limit(struct trace_writer *w, uint64_t bytes)
{
	w->limit = bytes;
}

uint64_t trace_writer_size(const struct trace_writer *w)
{
	return w->size;
}

int trace_writer_sync(struct trace_writer *w, struct err *e)
{
	return fdatasync(w->fd) < 0 ? err_errno(e, "%s", w->path) : 0;
}
