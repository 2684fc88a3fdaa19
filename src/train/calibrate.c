// SPDX-License-Identifier: Apache-2.0
/* Conformal calibration: see calibrate.h. */
#include "train/calibrate.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "train/few_groups.h"

#define LEVEL	     0.9
#define LEVEL_MAX    0.995
#define BAND_ROWS    60 /* a band with fewer rows is none */
#define SCALE_SHARE  0.2
#define QUANTILE_MIN 1e-3

static const double band_edges[] = {0.33, 0.67, 0.90};

struct scored {
	const struct design *d;
	const double *predicted_w, *y;
	size_t groups; /* that have such rows: others say nothing of how groups differ */
	double scale_w, level;
	double *values; /* scratch, n */
};

static bool has(const struct scored *s, size_t i)
{
	return isfinite(s->predicted_w[i]) && isfinite(s->y[i]);
}

static unsigned band_of(const struct interval *v, double watts)
{
	unsigned band = 0;

	while (band + 1 < v->n_bands && watts > v->upto[band])
		band++;
	return band;
}

static double score(const struct scored *s, size_t i)
{
	return fabs(s->y[i] - s->predicted_w[i]) / fmax(s->predicted_w[i], s->scale_w);
}

/* Edges of the bands over all estimates. */
static void choose_bands(struct scored *s, struct interval *v)
{
	size_t n = 0;

	for (size_t i = 0; i < s->d->n; i++) {
		if (has(s, i))
			s->values[n++] = s->predicted_w[i];
	}
	v->n_bands = 1;
	if (n / 10 >= BAND_ROWS) {
		for (size_t b = 0; b < array_size(band_edges); b++)
			v->upto[b] = quantile_of(s->values, n, band_edges[b]);
		v->n_bands = array_size(band_edges) + 1;
	}
	v->upto[v->n_bands - 1] = quantile_of(s->values, n, 1);
}

/* For a group that is none of those of the rows outside fold `without`. */
static int widen_for_next_group(const struct scored *s, int without, struct interval *v,
				struct err *e)
{
	autofree double *ratios = calloc(s->d->n + 1, sizeof(*ratios));
	autofree uint32_t *group = calloc(s->d->n + 1, sizeof(*group));
	double factor;
	size_t n = 0;
	int r;

	if (!ratios || !group)
		return err_nomem(e);
	for (size_t i = 0; i < s->d->n; i++) {
		if (!has(s, i) || s->d->fold[i] == without)
			continue;
		ratios[n] = score(s, i) / v->quantile[band_of(v, s->predicted_w[i])];
		group[n++] = s->d->table->group[i];
	}
	r = next_group(ratios, group, n, &factor, e);
	for (unsigned b = 0; r == 0 && b < v->n_bands; b++)
		v->quantile[b] *= factor;
	return r;
}

/* Quantile of each band's scores over the rows outside fold `without` (-1: all). */
static int fit_bands(struct scored *s, int without, struct interval *v, struct err *e)
{
	for (unsigned b = 0; b < v->n_bands; b++) {
		size_t n = 0;

		for (size_t i = 0; i < s->d->n; i++) {
			if (has(s, i) && s->d->fold[i] != without &&
			    band_of(v, s->predicted_w[i]) == b)
				s->values[n++] = score(s, i);
		}
		/* The finite-sample correction: ceil((n + 1) level) / n. */
		v->quantile[b] =
			n ? quantile_of(s->values, n,
					fmin(ceil((double)(n + 1) * s->level) / (double)n, 1))
			  : 1;
		v->quantile[b] = fmax(v->quantile[b], QUANTILE_MIN);
	}
	return s->groups < GROUPS_FEW ? widen_for_next_group(s, without, v, e) : 0;
}

static int measure_coverage(struct scored *s, struct interval v, double *ret, struct err *e)
{
	size_t inside = 0, rows = 0;

	for (size_t k = 0; k < s->d->n_folds; k++) {
		int r = fit_bands(s, (int)k, &v, e);

		if (r < 0)
			return r;
		for (size_t i = 0; i < s->d->n; i++) {
			if (s->d->fold[i] != k || !has(s, i))
				continue;
			rows++;
			inside += score(s, i) <= v.quantile[band_of(&v, s->predicted_w[i])];
		}
	}
	*ret = rows ? (double)inside / (double)rows : NAN;
	return 0;
}

int calibrate(const struct design *d, const double *predicted_w, const double *y,
	      struct calibration *ret, struct err *e)
{
	autofree double *values = calloc(d->n + 1, sizeof(double));
	autofree bool *seen = calloc(d->table->n_groups + 1, sizeof(*seen));
	struct scored s = {.d = d, .predicted_w = predicted_w, .y = y, .values = values};
	struct calibration c = {0};
	double sum = 0;
	size_t rows = 0;
	int r;

	if (!values || !seen)
		return err_nomem(e);
	for (size_t i = 0; i < d->n; i++) {
		bool *group = &seen[d->table->group[i]];

		if (!has(&s, i))
			continue;
		s.groups += !*group;
		*group = true;
		sum += fabs(y[i]);
		rows++;
	}
	if (!rows)
		return err_set(e, -ERR_DATA, "no left-out prediction to calibrate intervals with");
	s.scale_w = fmax(SCALE_SHARE * sum / (double)rows, 1e-3);
	s.level = LEVEL;
	if (s.groups >= GROUPS_FEW)
		s.level = fmin(LEVEL * (1 + 1 / (double)s.groups), LEVEL_MAX);
	c.interval.scale_w = s.scale_w;
	choose_bands(&s, &c.interval);
	r = measure_coverage(&s, c.interval, &c.coverage_90, e);
	if (r == 0)
		r = fit_bands(&s, -1, &c.interval, e);
	*ret = c;
	return r;
}
