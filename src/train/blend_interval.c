// SPDX-License-Identifier: Apache-2.0
/* Conformal intervals with a local scale: see blend_interval.h. */
#include "train/blend_interval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "train/boost.h"
#include "train/folds.h"

#define LEVEL	    0.9
#define BANDS	    4
#define PARTS	    5
#define SPREAD_ROWS 200 /* fewer say nothing about where errors are large */
#define SPREAD_GAIN 0.98
#define MISS_MIN    0.005

static const double band_edges[BANDS] = {0.33, 0.67, 0.90, 1};

/* Per row: columns, the relative miss, and the scale that others' misses suggest. */
struct misses {
	const struct interval_task *t;
	size_t q; /* the blend's columns, z and watts */
	float *x, *log_miss;
	double *miss, *spread;
};

static void misses_release(struct misses *m)
{
	free(m->x);
	free(m->log_miss);
	free(m->miss);
	free(m->spread);
}

static int misses_init(struct misses *m, const struct interval_task *t, const struct blend *b,
		       struct err *e)
{
	double columns[BLEND_COLUMNS_MAX + SPREAD_MORE];

	m->t = t;
	m->q = b->n_columns + SPREAD_MORE;
	m->x = calloc(t->n * m->q + 1, sizeof(float));
	m->log_miss = calloc(t->n + 1, sizeof(float));
	m->miss = calloc(t->n + 1, sizeof(double));
	m->spread = calloc(t->n + 1, sizeof(double));
	if (!m->x || !m->log_miss || !m->miss || !m->spread)
		return err_nomem(e);
	for (size_t i = 0; i < t->n; i++) {
		const struct left_out *r = &t->rows[i];

		blend_spread_columns(b, t->p->x + r->row * t->p->d->p, r->z, r->w, columns);
		for (size_t j = 0; j < m->q; j++)
			m->x[i * m->q + j] = (float)columns[j];
		m->miss[i] = fabs(r->y - r->w) / fmax(r->w, t->scale_w);
		m->log_miss[i] = (float)log(m->miss[i] + MISS_MIN);
		m->spread[i] = 1;
	}
	return 0;
}

static unsigned part_of(const struct misses *m, size_t i)
{
	return m->t->p->d->fold[m->t->rows[i].row] % PARTS;
}

/* Trees on the rows outside `part` (PARTS: on all). */
static int fit_spread(const struct misses *m, unsigned part, struct trees *ret, struct err *e)
{
	const struct boost_options o = {.n_trees = 60,
					.depth = 3,
					.rate = 0.1,
					.min_child_weight = 20,
					.lambda = 1,
					.row_share = 0.8,
					.column_share = 0.8,
					.bins = 64,
					.seed = m->t->seed};
	autofree float *x = calloc(m->t->n * m->q + 1, sizeof(float));
	autofree float *y = calloc(m->t->n + 1, sizeof(float));
	struct boost_data d = {.q = m->q, .x = x, .y = y};

	if (!x || !y)
		return err_nomem(e);
	for (size_t i = 0; i < m->t->n; i++) {
		if (part_of(m, i) == part)
			continue;
		memcpy(x + d.n * m->q, m->x + i * m->q, m->q * sizeof(float));
		y[d.n++] = m->log_miss[i];
	}
	return boost_fit(&d, &o, ret, NULL, e);
}

/* The scale of every row, from trees that did not see its group. */
static int cross_fit(struct misses *m, double *ret_spread, struct err *e)
{
	double columns[BLEND_COLUMNS_MAX + SPREAD_MORE];

	for (unsigned part = 0; part < PARTS; part++) {
		struct trees t = {.n = 0};
		int r = fit_spread(m, part, &t, e);

		if (r < 0)
			return r;
		for (size_t i = 0; i < m->t->n; i++) {
			if (part_of(m, i) != part)
				continue;
			for (size_t j = 0; j < m->q; j++)
				columns[j] = m->x[i * m->q + j];
			ret_spread[i] = trees_spread(&t, columns);
		}
		trees_release(&t);
	}
	return 0;
}

static unsigned band_of(const struct interval *v, double z)
{
	unsigned band = 0;

	while (band + 1 < v->n_bands && z > v->upto[band])
		band++;
	return band;
}

/*
 * With few groups a correction for how few they are; with many, folds that are
 * harder than another group (B and C) already err on the safe side.
 */
static double level_of(const struct interval_task *t)
{
	if (t->groups >= GROUPS_FEW)
		return LEVEL;
	return fmin(1, LEVEL * (1 + 1 / (double)(t->groups ? t->groups : 1)));
}

static int fit_bands(const struct misses *m, struct interval *v, struct err *e)
{
	autofree double *scores = calloc(m->t->n + 1, sizeof(*scores));

	if (!scores)
		return err_nomem(e);
	*v = (struct interval){.n_bands = BANDS, .by_distance = true, .scale_w = m->t->scale_w};
	for (size_t i = 0; i < m->t->n; i++)
		scores[i] = m->t->rows[i].z;
	for (unsigned b = 0; b < BANDS; b++)
		v->upto[b] = quantile_of(scores, m->t->n, band_edges[b]);
	for (unsigned b = 0; b < BANDS; b++) {
		size_t n = 0;

		for (size_t i = 0; i < m->t->n; i++) {
			if (band_of(v, m->t->rows[i].z) == b)
				scores[n++] = m->miss[i] / m->spread[i];
		}
		v->quantile[b] = n ? quantile_of(scores, n, level_of(m->t)) : 0;
		v->quantile[b] = fmax(v->quantile[b], b ? v->quantile[b - 1] : 1e-3);
	}
	return 0;
}

/* Mean interval score at 90 %, relative, and the coverage of near rows. */
static double interval_score(const struct misses *m, const struct interval *v, double *ret_coverage)
{
	size_t inside = 0, near = 0;
	double sum = 0;

	for (size_t i = 0; i < m->t->n; i++) {
		const struct left_out *r = &m->t->rows[i];
		double half = v->quantile[band_of(v, r->z)] * m->spread[i];

		sum += 2 * half + 2 / (1 - LEVEL) * fmax(m->miss[i] - half, 0);
		near += r->near;
		inside += r->near && m->miss[i] <= half;
	}
	*ret_coverage = near ? (double)inside / (double)near : NAN;
	return m->t->n ? sum / (double)m->t->n : NAN;
}

/* Keep the local scale where it earns its place. */
static int try_spread(struct misses *m, struct blend *b, struct interval *v, double *ret_coverage,
		      struct err *e)
{
	double before = interval_score(m, v, ret_coverage), coverage;
	double *spread = calloc(m->t->n + 1, sizeof(*spread));
	struct interval with;
	int r = spread ? cross_fit(m, spread, e) : err_nomem(e);

	if (r < 0) {
		free(spread);
		return r;
	}
	free(m->spread);
	m->spread = spread;
	r = fit_bands(m, &with, e);
	if (r < 0 || interval_score(m, &with, &coverage) > SPREAD_GAIN * before)
		return r;
	*v = with;
	*ret_coverage = coverage;
	return fit_spread(m, PARTS, &b->spread, e);
}

int blend_interval(const struct interval_task *t, struct blend *b, struct interval *ret,
		   double *ret_coverage, struct err *e)
{
	struct misses m = {.q = 0};
	int r = misses_init(&m, t, b, e);

	if (r == 0)
		r = fit_bands(&m, ret, e);
	if (r == 0) {
		interval_score(&m, ret, ret_coverage);
		if (t->groups >= GROUPS_FEW && t->n >= SPREAD_ROWS)
			r = try_spread(&m, b, ret, ret_coverage, e);
	}
	misses_release(&m);
	return r;
}
