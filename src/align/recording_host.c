// SPDX-License-Identifier: Apache-2.0
/* A host's meters into rows: see recording.h. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "align/recording_rows.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "base/zone.h"

#define COLUMNS (2 * ZONE_COUNT) /* joules of every zone, then watts */

static void column_name(size_t i, char *buf, size_t size)
{
	snprintf(buf, size, "%s_%s", zone_name((enum zone)(i % ZONE_COUNT)),
		 i < ZONE_COUNT ? "joules" : "watts");
}

struct conversion {
	FILE *out;
	struct timeline timeline;
	struct recording_report *report;

	const struct trace_stream *stream;
	const struct boot *boot;
	int at[COLUMNS], steady; /* in the stream; -1: not there */
	double last_s;
	struct text line;
};

static void take_stream(struct conversion *v, const struct trace_stream *s)
{
	v->stream = s;
	v->boot = timeline_boot(&v->timeline, s);
	v->steady = trace_column(s, "boot_ns");
	for (size_t i = 0; i < COLUMNS; i++) {
		char name[64];

		column_name(i, name, sizeof(name));
		v->at[i] = trace_column(s, name);
	}
}

static int take_row(struct conversion *v, const struct trace_record *c, struct err *e)
{
	double t_s = boot_time_s(v->boot, v->steady < 0 ? NAN : c->values[v->steady], c->real_ns);

	v->report->samples++;
	if (t_s <= v->last_s) {
		v->report->duplicates += t_s == v->last_s;
		v->report->late += t_s < v->last_s;
		return 0;
	}
	v->last_s = t_s;
	text_reset(&v->line);
	text_number(&v->line, t_s);
	for (size_t i = 0; i < COLUMNS; i++) {
		double value = v->at[i] < 0 ? NAN : c->values[v->at[i]];

		text_add(&v->line, ",");
		if (isfinite(value))
			text_number(&v->line, value);
	}
	text_add(&v->line, "\n");
	v->report->rows++;
	return v->line.failed || fputs(v->line.s, v->out) < 0 ? err_errno(e, "cannot write") : 0;
}

static int write_header(struct conversion *v, struct err *e)
{
	text_add(&v->line, "time_s");
	for (size_t i = 0; i < COLUMNS; i++) {
		char name[64];

		column_name(i, name, sizeof(name));
		text_printf(&v->line, ",%s", name);
	}
	text_add(&v->line, "\n");
	return v->line.failed || fputs(v->line.s, v->out) < 0 ? err_errno(e, "cannot write") : 0;
}

static int convert(void *to, const struct trace_record *c, struct err *e)
{
	struct conversion *v = to;

	if (c->stream != v->stream)
		take_stream(v, c->stream);
	return c->type == TRACE_ROW ? take_row(v, c, e) : 0;
}

int recording_host_rows(const char *path, const char *vm, FILE *out, struct recording_report *ret,
			struct err *e)
{
	struct conversion v = {.out = out, .report = ret, .last_s = NAN};
	int r = timeline_read(path, TRACE_HOST, vm, &v.timeline, ret, e);

	if (r == 0)
		r = write_header(&v, e);
	if (r == 0)
		r = recording_each(path, TRACE_HOST, vm, convert, &v, NULL, e);
	timeline_release(&v.timeline);
	text_release(&v.line);
	return r;
}
