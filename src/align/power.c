// SPDX-License-Identifier: Apache-2.0
/*
 * The host's file to tracks: see power.h.
 *
 * Rows are read into memory first, because the usual step and the usual
 * refresh, by which gaps and constant stretches are told, are medians of all.
 */
#include "align/power.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "align/steps.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "features/csv.h"

#define BAD_ROWS_TOLD  20
#define CONSTANT_STEPS 1.5 /* of reading; see power.h */

struct meter_row {
	double t_s, watts[ZONE_COUNT], joules[ZONE_COUNT];
	bool empty, repeat; /* no label at all; to be dropped */
};

struct meter {
	enum power_repeats kind;
	const struct recording *host;
	FILE *talk;
	struct meter_row *rows; /* owned */
	size_t n, cap;
	struct power *out;
};

static void tell_bad_row(struct meter *m, const char *reason)
{
	m->out->bad_rows++;
	if (m->talk && m->out->bad_rows <= BAD_ROWS_TOLD)
		text_say(m->talk, "%s", reason);
}

static int keep_row(struct meter *m, const struct csv_row *c, struct err *e)
{
	const struct meter_row *last = m->n ? &m->rows[m->n - 1] : NULL;
	struct meter_row *row;

	if (last && !(c->row.t_s > last->t_s)) {
		struct err why = ERR_INIT;

		err_set(&why, -ERR_DATA, "%s:%zu: time_s does not go on from the row before",
			recording_path(m->host), c->line);
		tell_bad_row(m, why.msg);
		return 0;
	}
	if (m->n == m->cap) {
		m->cap = m->cap * 2 + 256;
		row = realloc(m->rows, m->cap * sizeof(*row));
		if (!row)
			return err_nomem(e);
		m->rows = row;
	}
	row = &m->rows[m->n++];
	*row = (struct meter_row){.t_s = c->row.t_s, .empty = true};
	zone_foreach (z) {
		row->watts[z] = c->y_w[z];
		row->joules[z] = c->joules[z];
		row->empty &= isnan(c->y_w[z]) && isnan(c->joules[z]);
	}
	m->out->empty_rows += row->empty;
	return 0;
}

static int read_rows(struct meter *m, struct err *e)
{
	const struct csv_options o = {.labels = true, .power_only = true};
	struct csv_reader *csv;
	struct csv_row c;
	int r = recording_rows(m->host, &o, &csv, e);

	if (r < 0)
		return r;
	memcpy(m->out->ignored, csv_header(csv)->ignored, sizeof(m->out->ignored));
	while ((r = csv_next(csv, &c, e)) != 0) {
		if (r == 1)
			r = keep_row(m, &c, e);
		else if (r == -ERR_DATA)
			tell_bad_row(m, e->msg);
		if (r < 0 && r != -ERR_DATA)
			break;
	}
	csv_close(csv);
	if (m->talk && m->out->bad_rows > BAD_ROWS_TOLD)
		fprintf(m->talk, "%s: %zu more bad rows\n", recording_path(m->host),
			m->out->bad_rows - BAD_ROWS_TOLD);
	return r;
}

static bool same(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

static bool repeats(const struct meter_row *a, const struct meter_row *b)
{
	if (a->empty || b->empty)
		return false;
	zone_foreach (z) {
		if (!same(a->watts[z], b->watts[z]) || !same(a->joules[z], b->joules[z]))
			return false;
	}
	return true;
}

/* The usual refresh, from the n steps between changes; sorts them. See power.h. */
static void measure_refresh(struct power *out, double *steps_s, size_t n)
{
	size_t plausible = 0;

	out->refresh_s = median_of(steps_s, n);
	if (!n)
		return;
	out->constant_s = steps_s[n / 10] + CONSTANT_STEPS * out->step_s;
	while (plausible < n && steps_s[plausible] <= out->constant_s)
		plausible++;
	out->refresh_s = median_of(steps_s, plausible);
}

/* Mark repeats; the pace of reading and of refreshing. */
static int measure_pace(struct meter *m, struct err *e)
{
	autofree double *steps_s = malloc((m->n + 1) * sizeof(*steps_s));
	struct power *out = m->out;
	double changed_s = NAN;
	size_t n = 0;

	out->t_s = malloc((m->n + 1) * sizeof(*out->t_s));
	if (!steps_s || !out->t_s)
		return err_nomem(e);
	out->constant_s = INFINITY;
	for (size_t i = 0; i < m->n; i++) {
		struct meter_row *row = &m->rows[i];

		row->repeat = i && repeats(row - 1, row);
		out->t_s[out->n++] = row->t_s;
		out->repeats += row->repeat;
		row->repeat &= m->kind == REPEATS_STALE;
		if (row->repeat)
			continue;
		if (!isnan(changed_s))
			steps_s[n++] = row->t_s - changed_s;
		changed_s = row->t_s;
	}
	if (median_step(out->t_s, out->n, &out->step_s) < 0)
		return err_nomem(e);
	measure_refresh(out, steps_s, n);
	return 0;
}

/* What a zone's last refresh left for the next one. */
struct refresh {
	double t_s; /* NaN: the time before the next refresh is not known */
	double joules, power_w;
	bool empties; /* empty fields came since */
};

/* The power of the step that ends with `row`; NaN when it cannot be said. */
static double power_of(const struct refresh *last, const struct meter_row *row, enum zone z)
{
	double energy_j = row->joules[z] - last->joules;

	return energy_j >= 0 ? energy_j / (row->t_s - last->t_s) : row->watts[z];
}

/*
 * Over a long stretch without a change, pieces of the constant power; returns
 * where the piece of the change itself begins, NaN when that is not known.
 */
static double fill_constant(const struct meter *m, struct track *to, const struct refresh *last,
			    const struct meter_row *row, enum zone z)
{
	double refresh_s = m->out->refresh_s, t_s = last->t_s;
	double power_w = isnan(row->joules[z]) ? last->power_w : 0;

	if (!(row->t_s - t_s > m->out->constant_s))
		return t_s;
	if (last->empties)
		return NAN;
	while (row->t_s - t_s >= 2 * refresh_s) {
		if (track_add(to, t_s, t_s + refresh_s, power_w) < 0)
			return INFINITY;
		t_s += refresh_s;
	}
	return t_s;
}

/* One zone's share of a row that is no repeat. -ENOMEM. */
static int add_refresh(const struct meter *m, enum zone z, struct refresh *last,
		       const struct meter_row *row)
{
	struct track *to = &m->out->zones[z];
	double begin_s;
	int r;

	if (isnan(row->watts[z]) && isnan(row->joules[z])) {
		last->empties = true;
		if (isnan(last->joules)) /* a gauge says nothing of the time before */
			*last = (struct refresh){row->t_s, NAN, NAN, false};
		return 0;
	}
	begin_s = fill_constant(m, to, last, row, z);
	if (isinf(begin_s))
		return -ENOMEM;
	last->t_s = begin_s;
	last->power_w = power_of(last, row, z);
	r = track_add(to, begin_s, row->t_s, last->power_w);
	*last = (struct refresh){row->t_s, row->joules[z],
				 isnan(row->watts[z]) ? last->power_w : row->watts[z], false};
	return r;
}

static int make_track(const struct meter *m, enum zone z, struct err *e)
{
	struct refresh last = {NAN, NAN, NAN, false};

	for (size_t i = 0; i < m->n; i++) {
		const struct meter_row *row = &m->rows[i];
		bool gap = i && row->t_s - row[-1].t_s > GAP_STEPS * m->out->step_s;

		if (gap)
			last = (struct refresh){NAN, NAN, NAN, false};
		if (row->repeat && !gap)
			continue;
		if (add_refresh(m, z, &last, row) < 0)
			return err_nomem(e);
	}
	return 0;
}

int power_read(const struct recording *host, enum power_repeats kind, FILE *talk, struct power *ret,
	       struct err *e)
{
	struct power power = {0};
	struct meter m = {.kind = kind, .host = host, .talk = talk, .out = &power};
	int r = read_rows(&m, e);

	if (r == 0 && m.n < 2)
		r = err_set(e, -ERR_DATA, "%s: fewer than two good rows (%zu bad ones)",
			    recording_path(host), power.bad_rows);
	if (r == 0)
		r = measure_pace(&m, e);
	zone_foreach (z)
		r = r < 0 ? r : make_track(&m, z, e);
	free(m.rows);
	if (r < 0) {
		power_release(&power);
		return r;
	}
	*ret = power;
	return 0;
}

void power_release(struct power *p)
{
	zone_foreach (z)
		track_release(&p->zones[z]);
	free(p->t_s);
	*p = (struct power){0};
}

static int move_track(struct track *t, double (*move)(const void *how, double t_s), const void *how)
{
	struct track moved = {0};

	for (size_t i = 0; i < t->n; i++) {
		if (track_add(&moved, move(how, t->pieces[i].begin_s),
			      move(how, t->pieces[i].end_s), t->pieces[i].value) < 0) {
			track_release(&moved);
			return -ENOMEM;
		}
	}
	track_release(t);
	*t = moved;
	return 0;
}

int power_move(struct power *p, double (*move)(const void *how, double t_s), const void *how)
{
	int r = 0;

	for (size_t i = 0; i < p->n; i++)
		p->t_s[i] = move(how, p->t_s[i]);
	zone_foreach (z)
		r = r < 0 ? r : move_track(&p->zones[z], move, how);
	return r;
}

/* Where any zone's track ends. */
static double last_refresh_s(const struct power *p)
{
	double end_s = -INFINITY;

	zone_foreach (z) {
		const struct track *t = &p->zones[z];

		if (t->n)
			end_s = fmax(end_s, t->pieces[t->n - 1].end_s);
	}
	return end_s;
}

enum power_hole power_hole_at(const struct power *p, double begin_s, double end_s)
{
	size_t low = 0, high = p->n;

	if (begin_s < p->t_s[0] || end_s > last_refresh_s(p))
		return POWER_OUTSIDE;
	while (low < high) { /* the first row after begin_s */
		size_t mid = (low + high) / 2;

		if (p->t_s[mid] > begin_s)
			high = mid;
		else
			low = mid + 1;
	}
	for (size_t i = low ? low : 1; i < p->n && p->t_s[i - 1] < end_s; i++) {
		if (p->t_s[i] - p->t_s[i - 1] > GAP_STEPS * p->step_s)
			return POWER_GAP;
	}
	return POWER_EMPTY;
}
