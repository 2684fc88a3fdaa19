// SPDX-License-Identifier: Apache-2.0
/* The steady clock of a recording: see recording_rows.h. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "align/recording_rows.h"
#include "align/steps.h"
#include "base/cleanup.h"

#define STEP_S 1.0 /* a wall clock that moves by more against the steady one was set */

int recording_each(const char *path, enum trace_kind kind, const char *vm,
		   int (*each)(void *to, const struct trace_record *c, struct err *e), void *to,
		   uint64_t *ret_damaged, struct err *e)
{
	struct trace_reader *reader;
	struct trace_record c;
	int r = trace_reader_open(path, &reader, e);

	if (r < 0)
		return r;
	while ((r = trace_next(reader, &c, e)) > 0) {
		if (c.stream->kind != kind || strcmp(c.stream->vm, vm) != 0)
			continue;
		r = each(to, &c, e);
		if (r < 0)
			break;
	}
	if (ret_damaged)
		*ret_damaged = trace_reader_damage(reader);
	trace_reader_close(reader);
	return r;
}

static const char *boot_of(const struct trace_stream *s)
{
	const char *id = trace_meta(s, "boot_id");

	return id ? id : "";
}

static struct boot *find_boot(const struct timeline *t, const char *id)
{
	for (size_t i = 0; i < t->n; i++) {
		if (!strncmp(t->boots[i].id, id, sizeof(t->boots[i].id) - 1))
			return &t->boots[i];
	}
	return NULL;
}

const struct boot *timeline_boot(const struct timeline *t, const struct trace_stream *s)
{
	return find_boot(t, boot_of(s));
}

static struct boot *make_boot(struct timeline *t, const char *id)
{
	struct boot *grown = find_boot(t, id);

	if (grown)
		return grown;
	grown = realloc(t->boots, (t->n + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	t->boots = grown;
	grown = &t->boots[t->n++];
	*grown = (struct boot){.last_s = NAN};
	snprintf(grown->id, sizeof(grown->id), "%s", id);
	return grown;
}

static int note(struct boot *b, double diff_s, struct recording_report *report)
{
	double step_s = diff_s - b->last_s;

	if (fabs(step_s) > STEP_S) {
		report->clock_steps++;
		if (fabs(step_s) > fabs(report->largest_step_s))
			report->largest_step_s = step_s;
	}
	b->last_s = diff_s;
	if (b->n == b->cap) {
		size_t cap = b->cap * 2 + 256;
		double *grown = realloc(b->diff_s, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		b->diff_s = grown;
		b->cap = cap;
	}
	b->diff_s[b->n++] = diff_s;
	return 0;
}

struct reading {
	struct timeline *timeline;
	struct recording_report *report;
};

static int read_row(void *to, const struct trace_record *c, struct err *e)
{
	struct reading *r = to;
	struct boot *b = make_boot(r->timeline, boot_of(c->stream));
	int at = trace_column(c->stream, "boot_ns");

	r->report->streams += c->type == TRACE_STREAM;
	if (!b)
		return err_nomem(e);
	if (c->type != TRACE_ROW || at < 0 || !isfinite(c->values[at]))
		return 0;
	if (note(b, ((double)c->real_ns - c->values[at]) / 1e9, r->report) < 0)
		return err_nomem(e);
	return 0;
}

int timeline_read(const char *path, enum trace_kind kind, const char *vm, struct timeline *ret,
		  struct recording_report *report, struct err *e)
{
	struct reading to = {ret, report};
	int r = recording_each(path, kind, vm, read_row, &to, &report->damaged_bytes, e);

	report->boots = ret->n;
	for (size_t i = 0; i < ret->n; i++)
		ret->boots[i].offset_s = median_of(ret->boots[i].diff_s, ret->boots[i].n);
	return r;
}

void timeline_release(struct timeline *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->boots[i].diff_s);
	free(t->boots);
	*t = (struct timeline){0};
}

double boot_time_s(const struct boot *b, double steady_ns, int64_t real_ns)
{
	if (isnan(b->offset_s) || !isfinite(steady_ns))
		return (double)real_ns / 1e9;
	return b->offset_s + steady_ns / 1e9;
}
