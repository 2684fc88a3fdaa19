// SPDX-License-Identifier: Apache-2.0
/*
 * A stream of rows and its history: see stream.h.
 *
 * In: rows in time order. Out: the value of every input. Three stores, all of
 * fixed size:
 *
 *   window  the last rows, to average over the trained window
 *   past    time and value of every lagged feature, a ring searched by time
 *   ema     one running mean per INPUT_EMA
 *
 * Lags look up the past by time, not by row number, so they mean the same
 * when a tick is late or a file has another cadence.
 */
#include "features/stream.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX     4096 /* of one ring */
#define STEPS_KEPT   9	  /* recent steps whose median is the usual one */
#define STEPS_NEEDED 3	  /* before that, no gap is declared */
#define GAP_STEPS    3.0

struct ring {
	size_t cap, count, newest; /* newest is undefined while count == 0 */
};

struct stream {
	size_t n_inputs;
	struct input *inputs;
	double window_s;

	struct ring window;
	struct row *window_rows;

	struct ring past;
	double *past_t;
	size_t n_lagged;
	enum feature lagged[FEATURE_COUNT];
	int lagged_at[FEATURE_COUNT]; /* index into lagged[], -1: not lagged */
	double *past_v;		      /* past.cap x n_lagged */

	double *ema; /* by input; NaN before the first value */
	double last_t;
	double steps[STEPS_KEPT];
	size_t n_steps; /* ever seen in this series */
};

/* The slot of the `back`-th newest entry, 0 being the newest. */
static size_t ring_slot(const struct ring *r, size_t back)
{
	return (r->newest + r->cap - back) % r->cap;
}

/* The slot for a new entry; the oldest gives way. */
static size_t ring_push(struct ring *r)
{
	r->newest = r->count ? (r->newest + 1) % r->cap : 0;
	if (r->count < r->cap)
		r->count++;
	return r->newest;
}

static size_t rows_for(double seconds, double step_s)
{
	double rows = ceil(seconds / step_s) + 2;

	return rows < ROWS_MAX ? (size_t)rows : ROWS_MAX;
}

static double longest_lag(const struct stream_options *o)
{
	double longest = 0;

	for (size_t i = 0; i < o->n_inputs; i++) {
		if (o->inputs[i].op == INPUT_LAG && o->inputs[i].seconds > longest)
			longest = o->inputs[i].seconds;
	}
	return longest;
}

static void find_lagged(struct stream *s)
{
	feature_foreach (f)
		s->lagged_at[f] = -1;
	for (size_t i = 0; i < s->n_inputs; i++) {
		enum feature f = s->inputs[i].feature;

		if (s->inputs[i].op != INPUT_LAG || s->lagged_at[f] >= 0)
			continue;
		s->lagged_at[f] = (int)s->n_lagged;
		s->lagged[s->n_lagged++] = f;
	}
}

int stream_new(const struct stream_options *o, struct stream **ret, struct err *e)
{
	struct stream *s;

	if (o->n_inputs > INPUT_MAX || !(o->step_s > 0) || !(o->window_s >= 0))
		return err_set(e, -EINVAL, "stream: %zu inputs, step %g s, window %g s",
			       o->n_inputs, o->step_s, o->window_s);
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_nomem(e);
	s->n_inputs = o->n_inputs;
	s->window_s = o->window_s;
	s->inputs = calloc(o->n_inputs + 1, sizeof(*s->inputs));
	s->ema = calloc(o->n_inputs + 1, sizeof(*s->ema));
	s->window.cap = rows_for(o->window_s, o->step_s);
	s->window_rows = calloc(s->window.cap, sizeof(*s->window_rows));
	if (!s->inputs || !s->ema || !s->window_rows)
		goto fail;
	if (o->n_inputs)
		memcpy(s->inputs, o->inputs, o->n_inputs * sizeof(*o->inputs));
	find_lagged(s);
	s->past.cap = rows_for(longest_lag(o), o->step_s);
	s->past_t = calloc(s->past.cap, sizeof(*s->past_t));
	s->past_v = calloc(s->past.cap * (s->n_lagged + 1), sizeof(*s->past_v));
	if (!s->past_t || !s->past_v)
		goto fail;
	stream_reset(s);
	*ret = s;
	return 0;
fail:
	stream_free(s);
	return err_nomem(e);
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	free(s->inputs);
	free(s->ema);
	free(s->window_rows);
	free(s->past_t);
	free(s->past_v);
	free(s);
}

void stream_reset(struct stream *s)
{
	s->window.count = 0;
	s->past.count = 0;
	s->n_steps = 0;
	s->last_t = NAN;
	for (size_t i = 0; i < s->n_inputs; i++)
		s->ema[i] = NAN;
}

/* The upper median; sorts v by insertion, for a handful of values. */
static double median(double *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		double value = v[i];
		size_t at = i;

		for (; at && v[at - 1] > value; at--)
			v[at] = v[at - 1];
		v[at] = value;
	}
	return v[n / 2];
}

double usual_step(const double *t_s, size_t n)
{
	double steps[USUAL_STEP_MAX];
	size_t n_steps = 0;

	for (size_t i = 1; i < n && i < USUAL_STEP_MAX; i++) {
		if (t_s[i] > t_s[i - 1])
			steps[n_steps++] = t_s[i] - t_s[i - 1];
	}
	return n_steps ? median(steps, n_steps) : NAN;
}

/* The median of the recent steps; infinite while too few are known. */
static double recent_step(const struct stream *s)
{
	size_t n = s->n_steps < STEPS_KEPT ? s->n_steps : STEPS_KEPT;
	double steps[STEPS_KEPT];

	if (n < STEPS_NEEDED)
		return INFINITY;
	memcpy(steps, s->steps, n * sizeof(*steps));
	return median(steps, n);
}

/* Seconds since the row before; resets and returns NaN at the start of a series. */
static double advance(struct stream *s, double t_s)
{
	double step = t_s - s->last_t;

	if (isnan(s->last_t) || !(step > 0) || step > GAP_STEPS * recent_step(s)) {
		stream_reset(s);
		step = NAN;
	} else {
		s->steps[s->n_steps++ % STEPS_KEPT] = step;
	}
	s->last_t = t_s;
	return step;
}

/* Mean of feature f over the rows that ended within the window, by length. */
static double window_mean(const struct stream *s, enum feature f, double from_s)
{
	double sum = 0, weight = 0;

	for (size_t back = 0; back < s->window.count; back++) {
		const struct row *r = &s->window_rows[ring_slot(&s->window, back)];

		if (r->t_s <= from_s)
			break;
		if (isnan(r->v[f]))
			continue;
		sum += r->v[f] * r->dt_s;
		weight += r->dt_s;
	}
	return weight > 0 ? sum / weight : NAN;
}

static void average(struct stream *s, const struct row *r, struct row *ret)
{
	/* A row belongs to the window when most of it lies inside. */
	double from_s = r->t_s - s->window_s + r->dt_s / 2;

	s->window_rows[ring_push(&s->window)] = *r;
	*ret = *r;
	feature_foreach (f) {
		enum feature_use use = feature_info(f)->use;

		if (use == FEATURE_USE_RATE)
			ret->v[f] = window_mean(s, f, from_s);
		else if (use == FEATURE_USE_DERIVED)
			ret->v[f] = NAN;
	}
	row_complete_ratios(ret); /* a load that the rows lack is not made up: it may be hidden */
}

static void remember(struct stream *s, const struct row *r)
{
	size_t slot = ring_push(&s->past);

	s->past_t[slot] = r->t_s;
	for (size_t k = 0; k < s->n_lagged; k++)
		s->past_v[slot * s->n_lagged + k] = r->v[s->lagged[k]];
}

/* The remembered value nearest in time to t_s; the oldest where none is that old. */
static double recall(const struct stream *s, enum feature f, double t_s)
{
	size_t newer = 0, older = s->past.count - 1; /* counted back from the newest */
	size_t slot;

	while (older - newer > 1) {
		size_t mid = (newer + older) / 2;

		if (s->past_t[ring_slot(&s->past, mid)] >= t_s)
			newer = mid;
		else
			older = mid;
	}
	slot = ring_slot(&s->past, older);
	if (fabs(s->past_t[ring_slot(&s->past, newer)] - t_s) <= fabs(s->past_t[slot] - t_s))
		slot = ring_slot(&s->past, newer);
	return s->past_v[slot * s->n_lagged + (size_t)s->lagged_at[f]];
}

static double update_ema(double *mean, double value, double step_s, double tau_s)
{
	if (isnan(value))
		return *mean;
	if (isnan(*mean) || isnan(step_s))
		*mean = value;
	else
		*mean += -expm1(-step_s / tau_s) * (value - *mean);
	return *mean;
}

bool stream_push(struct stream *s, const struct row *r, double *out)
{
	double step = advance(s, r->t_s);
	struct row averaged;

	if (r->dt_s < 0.75 * s->window_s) {
		average(s, r, &averaged);
		r = &averaged;
	}
	remember(s, r);
	for (size_t i = 0; i < s->n_inputs; i++) {
		const struct input *in = &s->inputs[i];
		double value = r->v[in->feature];

		if (in->op == INPUT_LAG)
			value = recall(s, in->feature, r->t_s - in->seconds);
		else if (in->op == INPUT_EMA)
			value = update_ema(&s->ema[i], value, step, in->seconds);
		if (out)
			out[i] = value;
	}
	return isnan(step);
}
