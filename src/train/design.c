// SPDX-License-Identifier: Apache-2.0
/* From a table to inputs and folds: see design.h. */
#include "train/design.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "features/stream.h"

#define RANGE_TAIL 0.005

const double lag_intervals[N_LAGS] = {1, 2, 3, 5, 8};
const double ema_intervals[N_EMAS] = {3, 6, 12};

/*
 * The signals whose past is worth having: where the load is, on every tier.
 * Utilization is busy vCPUs once more, so only where those are missing.
 */
static const enum feature history_signals[] = {
	FEATURE_CPU_UTILIZATION,
	FEATURE_CPU_BUSY_VCPUS,
	FEATURE_CYCLES_RATE,
	FEATURE_CACHE_MISSES_RATE,
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double quantile_of(double *values, size_t n, double q)
{
	double at;
	size_t low;

	if (!n)
		return NAN;
	qsort(values, n, sizeof(*values), compare);
	at = q * (double)(n - 1);
	low = (size_t)at;
	if (low + 1 >= n)
		return values[n - 1];
	return values[low] + (at - (double)low) * (values[low + 1] - values[low]);
}

double design_quantile(const struct design *d, size_t j, double q)
{
	autofree double *values = calloc(d->n + 1, sizeof(double));
	size_t n = 0;

	for (size_t i = 0; values && i < d->n; i++) {
		if (isfinite(d->x[i * d->p + j]))
			values[n++] = d->x[i * d->p + j];
	}
	return quantile_of(values, n, q);
}

struct range design_range(const struct design *d, size_t j)
{
	return (struct range){design_quantile(d, j, RANGE_TAIL),
			      design_quantile(d, j, 1 - RANGE_TAIL)};
}

static struct range grained(const struct design *d, size_t j, struct range r)
{
	double grain = feature_grain(d->inputs[j].feature);

	return (struct range){fmin(r.low, r.high - grain), fmax(r.high, r.low + grain)};
}

struct range design_range_grained(const struct design *d, size_t j)
{
	return grained(d, j, design_range(d, j));
}

struct range design_range_of_rows(const struct design *d, size_t j, const size_t *rows, size_t n,
				  double *values)
{
	size_t m = 0;

	for (size_t i = 0; i < n; i++) {
		double v = d->x[rows[i] * d->p + j];

		if (isfinite(v))
			values[m++] = v;
	}
	if (!m)
		return design_range_grained(d, j);
	return grained(d, j,
		       (struct range){quantile_of(values, m, RANGE_TAIL),
				      quantile_of(values, m, 1 - RANGE_TAIL)});
}

int design_find(const struct design *d, enum feature f, enum input_op op, double seconds)
{
	for (size_t j = 0; j < d->p; j++) {
		const struct input *in = &d->inputs[j];

		if (in->feature == f && in->op == op && fabs(in->seconds - seconds) < 1e-9)
			return (int)j;
	}
	return -1;
}

/* Median over runs of interval and window; 1 s where no run is ordered. */
static int measure_runs(struct design *d, struct err *e)
{
	const struct table *t = d->table;
	autofree double *intervals = calloc(t->n_runs + 1, sizeof(double));
	autofree double *windows = calloc(t->n_runs + 1, sizeof(double));
	size_t n = 0;

	if (!intervals || !windows)
		return err_nomem(e);
	d->ordered = t->n_runs > 0;
	for (size_t k = 0; k < t->n_runs; k++) {
		const struct table_run *run = &t->runs[k];

		d->ordered &= run->ordered && run->n > 1;
		if (run->ordered && run->interval_s > 0) {
			intervals[n] = run->interval_s;
			windows[n++] = fmax(run->window_s, run->interval_s);
		}
	}
	d->interval_s = n ? quantile_of(intervals, n, 0.5) : 1;
	d->window_s = n ? quantile_of(windows, n, 0.5) : 1;
	return 0;
}

static void add_input(struct design *d, enum feature f, enum input_op op, double seconds)
{
	if (d->p < INPUT_MAX && (op == INPUT_NOW || seconds <= INPUT_MAX_SECONDS))
		d->inputs[d->p++] = (struct input){.feature = f, .op = op, .seconds = seconds};
}

static void choose_inputs(struct design *d)
{
	feature_foreach (f) {
		if (d->table->x[f])
			add_input(d, f, INPUT_NOW, 0);
	}
	for (size_t k = 0; d->ordered && k < array_size(history_signals); k++) {
		enum feature f = history_signals[k];

		if (!d->table->x[f] ||
		    (f == FEATURE_CPU_UTILIZATION && d->table->x[FEATURE_CPU_BUSY_VCPUS]))
			continue;
		for (size_t i = 0; i < N_LAGS; i++)
			add_input(d, f, INPUT_LAG, lag_intervals[i] * d->interval_s);
		for (size_t i = 0; i < N_EMAS; i++)
			add_input(d, f, INPUT_EMA, ema_intervals[i] * d->interval_s);
	}
}

static int fill_inputs(struct design *d, struct err *e)
{
	struct stream_options o = {
		.inputs = d->inputs, .n_inputs = d->p, .step_s = d->interval_s / 2};
	struct stream *stream;
	int r;

	d->x = calloc(d->n * d->p + 1, sizeof(double));
	if (!d->x)
		return err_nomem(e);
	r = stream_new(&o, &stream, e);
	if (r < 0)
		return r;
	for (size_t k = 0; k < d->table->n_runs; k++) {
		const struct table_run *run = &d->table->runs[k];

		stream_reset(stream);
		for (size_t i = run->first; i < run->first + run->n; i++) {
			struct row row;

			table_row(d->table, i, &row);
			row.dt_s = NAN; /* a recording's rows are what we train on */
			stream_push(stream, &row, d->x + i * d->p);
		}
	}
	stream_free(stream);
	return 0;
}

struct timed_row {
	double t_s;
	size_t i;
};

static int by_time(const void *a, const void *b)
{
	const struct timed_row *x = a, *y = b;

	if (x->t_s != y->t_s)
		return x->t_s < y->t_s ? -1 : 1;
	return (x->i > y->i) - (x->i < y->i);
}

/*
 * Groups go round the folds in order of their first row, so each fold spans
 * the recording. A single group is cut into blocks of time instead.
 */
static int assign_folds(struct design *d, struct err *e)
{
	const struct table *t = d->table;
	autofree struct timed_row *order = calloc(d->n + 1, sizeof(*order));

	d->fold = calloc(d->n + 1, 1);
	d->tail = calloc(d->n + 1, 1);
	if (!order || !d->fold || !d->tail)
		return err_nomem(e);
	for (size_t i = 0; i < d->n; i++)
		order[i] = (struct timed_row){t->t_s[i], i};
	qsort(order, d->n, sizeof(*order), by_time);
	for (size_t k = 0; k < d->n; k++)
		d->tail[order[k].i] = k >= d->n - d->n / 5;
	d->folds = t->n_groups > 1 ? "group" : "time";
	d->n_folds = t->n_groups > 1 && t->n_groups < FOLDS_MAX ? t->n_groups : FOLDS_MAX;
	for (size_t k = 0; k < d->n; k++) {
		size_t i = order[k].i;

		d->fold[i] = (uint8_t)(t->n_groups > 1 ? t->group[i] % d->n_folds
						       : k * d->n_folds / d->n);
	}
	return 0;
}

int design_new(const struct table *t, struct design **ret, struct err *e)
{
	struct design *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return err_nomem(e);
	d->table = t;
	d->n = t->n_rows;
	r = measure_runs(d, e);
	if (r == 0) {
		choose_inputs(d);
		r = d->p ? fill_inputs(d, e)
			 : err_set(e, -ERR_DATA, "the dataset has no feature of the catalogue");
	}
	if (r == 0)
		r = assign_folds(d, e);
	if (r < 0) {
		design_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

void design_free(struct design *d)
{
	if (!d)
		return;
	free(d->x);
	free(d->fold);
	free(d->tail);
	free(d);
}
