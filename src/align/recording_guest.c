// SPDX-License-Identifier: Apache-2.0
/*
 * A guest's samples into rows of features: see recording.h.
 *
 *   record -> sample (trace/sample.h) -> interval_row() -> CSV
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "align/recording_rows.h"
#include "align/steps.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "base/text.h"
#include "features/interval.h"
#include "trace/sample.h"

/* A sample that comes sooner says too little; in usual steps. */
#define SOON_STEPS 0.5

struct conversion {
	const char *path, *vm;
	FILE *out;
	struct timeline timeline;
	double usual_s; /* step between samples */
	struct recording_report *report;

	const struct trace_stream *stream; /* what `map` and the samples are for */
	const struct boot *boot;
	struct sample_map *map;
	int steady; /* the column of its steady clock, or -1 */
	struct sample samples[2];
	unsigned now;	/* samples[now] is the last one read */
	bool have_last; /* it may begin an interval */
	double last_s;	/* its time; NaN at the start */
	char label[TRACE_TEXT];
	struct text line;
};

struct times {
	const struct timeline *timeline;
	double *s; /* owned */
	size_t n, cap;
};

static int note_time(void *to, const struct trace_record *c, struct err *e)
{
	struct times *t = to;
	int at = trace_column(c->stream, "boot_ns");

	if (c->type != TRACE_ROW)
		return 0;
	if (t->n == t->cap) {
		size_t cap = t->cap * 2 + 1024;
		double *grown = realloc(t->s, cap * sizeof(*grown));

		if (!grown)
			return err_nomem(e);
		t->s = grown;
		t->cap = cap;
	}
	t->s[t->n++] = boot_time_s(timeline_boot(t->timeline, c->stream),
				   at < 0 ? NAN : c->values[at], c->real_ns);
	return 0;
}

/* The usual step over all boots, from differences of steady time. */
static int usual_step_of(struct conversion *v, struct err *e)
{
	struct times t = {.timeline = &v->timeline};
	int r = recording_each(v->path, TRACE_GUEST, v->vm, note_time, &t, NULL, e);

	if (r == 0 && median_step(t.s, t.n, &v->usual_s) < 0)
		r = err_nomem(e);
	free(t.s);
	return r;
}

static int write_header(struct conversion *v, struct err *e)
{
	text_add(&v->line, "time_s");
	feature_foreach (f)
		text_printf(&v->line, ",%s", feature_info(f)->name);
	text_add(&v->line, ",group\n");
	return v->line.failed || fputs(v->line.s, v->out) < 0 ? err_errno(e, "cannot write") : 0;
}

/* A label as a field: what a CSV field cannot hold becomes '_', or is cut off with its character.
 */
static void add_label(struct text *t, const char *label)
{
	size_t n = strlen(label);

	if (n >= CSV_TEXT) {
		n = CSV_TEXT - 1;
		while (n && ((unsigned char)label[n] & 0xc0) == 0x80)
			n--;
	}
	for (size_t i = 0; i < n; i++)
		text_add_n(t, label[i] == ',' || label[i] == '"' ? "_" : &label[i], 1);
}

static int write_row(struct conversion *v, const struct row *row, struct err *e)
{
	text_reset(&v->line);
	text_number(&v->line, row->t_s);
	feature_foreach (f) {
		text_add(&v->line, ",");
		if (isfinite(row->v[f]))
			text_number(&v->line, row->v[f]);
	}
	text_add(&v->line, ",");
	add_label(&v->line, v->label);
	text_add(&v->line, "\n");
	v->report->rows++;
	return v->line.failed || fputs(v->line.s, v->out) < 0 ? err_errno(e, "cannot write") : 0;
}

static int take_stream(struct conversion *v, const struct trace_stream *s, struct err *e)
{
	struct sample_map *map;
	const struct boot *boot = timeline_boot(&v->timeline, s);
	int r = sample_map_new(s, &map, e);

	if (r < 0)
		return err_prefix(e, "%s", v->path);
	sample_map_free(v->map);
	v->map = map;
	v->stream = s;
	v->steady = trace_column(s, "boot_ns");
	v->have_last &= boot == v->boot;
	v->boot = boot;
	v->label[0] = 0;
	return 0;
}

/* The interval that ends with samples[now] into a row, where there is one. */
static int close_interval(struct conversion *v, double begin_s, double end_s, struct err *e)
{
	struct row row;
	unsigned events;

	if (end_s - begin_s > GAP_STEPS * v->usual_s) {
		v->report->gaps++;
		return 0;
	}
	row_clear(&row);
	events = interval_row(&v->samples[1 - v->now], &v->samples[v->now], &row);
	if (events & INTERVAL_SUSPEND)
		v->report->suspends++;
	if (events & (INTERVAL_SUSPEND | INTERVAL_SHORT))
		return 0;
	row.t_s = end_s;
	return write_row(v, &row, e);
}

/* Room in the sample for the CPUs of this stream. */
static int make_room(struct conversion *v, struct sample *s, struct err *e)
{
	unsigned cpus = sample_map_cpus(v->map);

	if (s->cpus && s->cpus_cap >= cpus)
		return 0;
	sample_release(s);
	*s = (struct sample){0};
	return sample_init(s, cpus ? cpus : 1, e);
}

static int take_row(struct conversion *v, const struct trace_record *c, struct err *e)
{
	struct sample *next = &v->samples[1 - v->now];
	double begin_s = v->last_s, t_s;
	bool had_last = v->have_last;
	int r = make_room(v, next, e);

	if (r < 0)
		return r;
	v->report->samples++;
	t_s = boot_time_s(v->boot, v->steady < 0 ? NAN : c->values[v->steady], c->real_ns);
	if (t_s <= v->last_s) {
		v->report->duplicates += t_s == v->last_s;
		v->report->late += t_s < v->last_s;
		return 0;
	}
	if (t_s - v->last_s < SOON_STEPS * v->usual_s)
		return 0; /* a recorder that started anew: the next sample closes the interval */
	sample_from_values(v->map, c->real_ns, c->values, next);
	v->now = 1 - v->now;
	v->have_last = true;
	v->last_s = t_s;
	return had_last ? close_interval(v, begin_s, t_s, e) : 0;
}

static int convert(void *to, const struct trace_record *c, struct err *e)
{
	struct conversion *v = to;
	int r = c->stream == v->stream ? 0 : take_stream(v, c->stream, e);

	if (r == 0 && c->type == TRACE_LABEL)
		snprintf(v->label, sizeof(v->label), "%s", c->label);
	return r == 0 && c->type == TRACE_ROW ? take_row(v, c, e) : r;
}

int recording_guest_rows(const char *path, const char *vm, FILE *out, struct recording_report *ret,
			 struct err *e)
{
	struct conversion v = {.path = path, .vm = vm, .out = out, .report = ret, .last_s = NAN};
	int r = timeline_read(path, TRACE_GUEST, vm, &v.timeline, ret, e);

	if (r == 0)
		r = usual_step_of(&v, e);
	if (r == 0)
		r = write_header(&v, e);
	if (r == 0)
		r = recording_each(path, TRACE_GUEST, vm, convert, &v, NULL, e);
	if (r == 0 && !ret->rows)
		r = err_set(e, -ERR_DATA, "%s: fewer than two samples of %s in a row", path, vm);
	timeline_release(&v.timeline);
	sample_map_free(v.map);
	sample_release(&v.samples[0]);
	sample_release(&v.samples[1]);
	text_release(&v.line);
	return r;
}
