// SPDX-License-Identifier: Apache-2.0
/*
 * One side of a recording: see recording.h. Rows of a trace are written as
 * CSV into a file in memory, so that one reader serves both kinds.
 */
#include "align/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "align/recording_rows.h"
#include "base/cleanup.h"
#include "base/text.h"

struct recording {
	char *path; /* owned */
	int fd;	    /* of the rows of a trace; -1: the file is a CSV itself */
	struct recording_report report;
};

static void note_side(struct recording_side *s, const struct trace_record *c)
{
	s->streams += c->type == TRACE_STREAM;
	s->labels += c->type == TRACE_LABEL;
	if (c->type != TRACE_ROW)
		return;
	s->first_ns = s->rows ? s->first_ns : c->real_ns;
	s->last_ns = c->real_ns;
	s->rows++;
}

static struct recording_side *find_side(struct recording_side *sides, size_t n,
					const struct trace_stream *s)
{
	for (size_t i = 0; i < n; i++) {
		if (sides[i].kind == s->kind && !strcmp(sides[i].vm, s->vm))
			return &sides[i];
	}
	return NULL;
}

int recording_sides(const char *path, struct recording_side **ret, size_t *ret_n,
		    uint64_t *ret_damaged, struct err *e)
{
	autofree struct recording_side *sides = calloc(TRACE_STREAMS_MAX, sizeof(*sides));
	struct trace_reader *reader;
	struct trace_record c;
	size_t n = 0;
	int r = sides ? trace_reader_open(path, &reader, e) : err_nomem(e);

	if (r < 0)
		return r;
	while ((r = trace_next(reader, &c, e)) > 0) {
		struct recording_side *s = find_side(sides, n, c.stream);
		const char *uuid = trace_meta(c.stream, "uuid");

		if (!s) { /* one a stream at most, so there is room */
			s = &sides[n++];
			s->kind = c.stream->kind;
			snprintf(s->vm, sizeof(s->vm), "%s", c.stream->vm);
			snprintf(s->uuid, sizeof(s->uuid), "%s", uuid ? uuid : "");
		}
		note_side(s, &c);
	}
	*ret_damaged = trace_reader_damage(reader);
	trace_reader_close(reader);
	if (r < 0)
		return r;
	*ret = steal(sides);
	*ret_n = n;
	return 0;
}

static bool is_vm(const struct recording_side *s, const char *vm)
{
	return vm && *vm && (!strcmp(s->vm, vm) || (s->uuid[0] && !strcasecmp(s->uuid, vm)));
}

static int not_found(const char *path, const struct recording_choice *c,
		     const struct recording_side *sides, size_t n, struct err *e)
{
	const char *side = c->kind == TRACE_GUEST ? "guest" : "host";
	autotext struct text list = {0};
	size_t matching = 0;

	for (size_t i = 0; i < n; i++) {
		if (sides[i].kind == c->kind && matching++ < 20)
			text_printf(&list, "%s%s", list.len ? ", " : "", sides[i].vm);
	}
	if (!matching)
		return err_set(e, -ERR_DATA, "%s: holds no %s's recording", path, side);
	if (c->vm)
		return err_set(e, -ERR_DATA, "%s: holds no VM '%s'; it has %s", path, c->vm,
			       list.s);
	if (c->like_vm) /* a host's, beside its guest's */
		return err_set(
			e, -ERR_DATA,
			"%s: holds several VMs (%s) and none has the guest's name: --host-vm "
			"NAME says which",
			path, list.s);
	return err_set(e, -ERR_DATA, "%s: holds several VMs (%s): --vm NAME says which", path,
		       list.s);
}

/* Which VM's streams to take. */
static int choose(const char *path, const struct recording_choice *c, struct recording_side *ret,
		  struct err *e)
{
	autofree struct recording_side *sides = NULL;
	const struct recording_side *only = NULL, *named = NULL;
	size_t n = 0, of_kind = 0;
	uint64_t damaged;
	int r = recording_sides(path, &sides, &n, &damaged, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		const struct recording_side *s = &sides[i];

		if (s->kind != c->kind)
			continue;
		of_kind++;
		only = s;
		if (c->vm ? is_vm(s, c->vm) : (is_vm(s, c->like_uuid) || is_vm(s, c->like_vm)))
			named = s;
	}
	if (!named && !c->vm && of_kind == 1)
		named = only;
	if (!named)
		return not_found(path, c, sides, n, e);
	*ret = *named;
	return 0;
}

static int convert(struct recording *r, const struct recording_choice *c, struct err *e)
{
	autofclose FILE *out = NULL;
	struct recording_side side;
	int code = choose(r->path, c, &side, e);

	if (code < 0)
		return code;
	r->fd = memfd_create("vmwatts-recording", MFD_CLOEXEC);
	out = r->fd < 0 ? NULL : fdopen(fcntl(r->fd, F_DUPFD_CLOEXEC, 0), "w");
	if (!out)
		return err_errno(e, "a file in memory");
	r->report.trace = true;
	memcpy(r->report.vm, side.vm, sizeof(side.vm));
	memcpy(r->report.uuid, side.uuid, sizeof(side.uuid));
	if (c->kind == TRACE_GUEST)
		code = recording_guest_rows(r->path, side.vm, out, &r->report, e);
	else
		code = recording_host_rows(r->path, side.vm, out, &r->report, e);
	if (code == 0 && fflush(out))
		return err_errno(e, "a file in memory");
	return code;
}

int recording_open(const char *path, const struct recording_choice *choice, struct recording **ret,
		   struct err *e)
{
	struct recording *r = calloc(1, sizeof(*r));
	int code = 0;

	if (!r)
		return err_nomem(e);
	r->fd = -1;
	r->path = strdup(path);
	if (!r->path)
		code = err_nomem(e);
	else if (trace_is(path))
		code = convert(r, choice, e);
	else if (choice->vm)
		code = err_set(e, -ERR_DATA, "%s: %s chooses within a trace, and this is none",
			       path, choice->kind == TRACE_HOST ? "--host-vm" : "--vm");
	if (code < 0) {
		recording_close(r);
		return code;
	}
	*ret = r;
	return 0;
}

void recording_close(struct recording *r)
{
	if (!r)
		return;
	cleanup_fd(&r->fd);
	free(r->path);
	free(r);
}

const struct recording_report *recording_report(const struct recording *r)
{
	return &r->report;
}

const char *recording_path(const struct recording *r)
{
	return r->path;
}

int recording_rows(const struct recording *r, const struct csv_options *o, struct csv_reader **ret,
		   struct err *e)
{
	if (r->fd < 0)
		return csv_open(r->path, o, ret, e);
	if (lseek(r->fd, 0, SEEK_SET) < 0)
		return err_errno(e, "%s", r->path);
	return csv_open_fd(r->fd, r->path, o, ret, e);
}

int recording_print(const struct recording *r, FILE *out, struct err *e)
{
	autofd int fd = r->fd < 0 ? open(r->path, O_RDONLY | O_CLOEXEC) : dup(r->fd);
	char buf[65536];
	ssize_t n;

	if (fd < 0 || (r->fd >= 0 && lseek(fd, 0, SEEK_SET) < 0))
		return err_errno(e, "%s", r->path);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (fwrite(buf, 1, (size_t)n, out) != (size_t)n)
			return err_errno(e, "cannot write");
	}
	return n < 0 ? err_errno(e, "%s", r->path) : 0;
}
