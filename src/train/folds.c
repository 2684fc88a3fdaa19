// SPDX-License-Identifier: Apache-2.0
/* Making the folds: see folds.h. */
#include "train/folds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define PIECES	   6
#define CLUSTERS   3
#define ROUNDS	   20
#define TOP_LOAD   0.8
#define E_FOLDS	   2
#define GROUPS_ALL 4 /* as many A folds as groups up to this, where groups are few */

/* The groups that have labelled rows, numbered in order of their first row. */
struct groups {
	size_t n;
	size_t *of;	      /* by row: its number; SIZE_MAX without a label */
	size_t *first, *size; /* by group: its first row's rank in time, its rows */
	size_t *rank;	      /* by row: its place within its group */
};

static void groups_release(struct groups *g)
{
	free(g->of);
	free(g->first);
	free(g->size);
	free(g->rank);
}

static int find_groups(const struct design *d, const double *y, struct groups *g, struct err *e)
{
	const struct table *t = d->table;
	autofree size_t *number = calloc(t->n_groups + 1, sizeof(*number));

	g->of = calloc(d->n + 1, sizeof(*g->of));
	g->first = calloc(t->n_groups + 1, sizeof(*g->first));
	g->size = calloc(t->n_groups + 1, sizeof(*g->size));
	g->rank = calloc(d->n + 1, sizeof(*g->rank));
	if (!number || !g->of || !g->first || !g->size || !g->rank)
		return err_nomem(e);
	for (size_t i = 0; i < d->n; i++) {
		size_t *k = &number[t->group[i]];

		g->of[i] = SIZE_MAX;
		if (!isfinite(y[i]))
			continue;
		if (!*k) {
			*k = ++g->n;
			g->first[*k - 1] = i;
		}
		g->of[i] = *k - 1;
		g->rank[i] = g->size[*k - 1]++;
	}
	return 0;
}

static uint8_t *new_fold(struct shift_folds *f, enum fold_type type, size_t rows)
{
	uint8_t *out = f->n < SHIFT_FOLDS_MAX ? calloc(rows + 1, 1) : NULL;

	if (out)
		f->folds[f->n++] = (struct shift_fold){type, out};
	return out;
}

/* One fold of each value 0..n-1 of part[group]. */
static int add_by_group(const struct design *d, const struct groups *g, const size_t *part,
			size_t n, enum fold_type type, struct shift_folds *f, struct err *e)
{
	for (size_t k = 0; k < n; k++) {
		uint8_t *out = new_fold(f, type, d->n);

		if (!out)
			return err_nomem(e);
		for (size_t i = 0; i < d->n; i++)
			out[i] = g->of[i] != SIZE_MAX && part[g->of[i]] == k;
	}
	return 0;
}

/* ---- C: groups that are alike ---- */

/* Per group the mean and spread of every feature's signed logarithm, standardised. */
static double *describe_groups(const struct design *d, const struct groups *g, size_t *ret_width)
{
	size_t width = 2 * d->p;
	double *v = calloc(g->n * width + 1, sizeof(*v));

	*ret_width = width;
	if (!v)
		return NULL;
	for (size_t i = 0; i < d->n; i++) {
		double *at = v + g->of[i] * width;

		if (g->of[i] == SIZE_MAX)
			continue;
		for (size_t j = 0; j < d->p; j++) {
			double x = d->x[i * d->p + j];
			double l = isfinite(x) && d->inputs[j].op == INPUT_NOW
					   ? copysign(log1p(fabs(x)), x)
					   : 0;

			at[2 * j] += l;
			at[2 * j + 1] += l * l;
		}
	}
	for (size_t k = 0; k < g->n; k++) {
		for (size_t j = 0; j < d->p; j++) {
			double *at = v + k * width + 2 * j, n = (double)g->size[k];

			at[0] /= n;
			at[1] = sqrt(fmax(at[1] / n - at[0] * at[0], 0));
		}
	}
	for (size_t j = 0; j < width; j++) {
		double sum = 0, square = 0, mean, sd;

		for (size_t k = 0; k < g->n; k++) {
			sum += v[k * width + j];
			square += v[k * width + j] * v[k * width + j];
		}
		mean = sum / (double)g->n;
		sd = sqrt(fmax(square / (double)g->n - mean * mean, 0));
		for (size_t k = 0; k < g->n; k++)
			v[k * width + j] = sd > 1e-9 ? (v[k * width + j] - mean) / sd : 0;
	}
	return v;
}

static double square_distance(const double *a, const double *b, size_t n)
{
	double sum = 0;

	for (size_t j = 0; j < n; j++)
		sum += (a[j] - b[j]) * (a[j] - b[j]);
	return sum;
}

static size_t nearest_centre(const double *v, const double *centres, size_t width)
{
	size_t best = 0;

	for (size_t c = 1; c < CLUSTERS; c++) {
		if (square_distance(v, centres + c * width, width) <
		    square_distance(v, centres + best * width, width))
			best = c;
	}
	return best;
}

/* k-means from centres that lie far apart: the first group, then always the farthest. */
static void start_centres(const double *v, size_t n, size_t width, double *centres)
{
	memcpy(centres, v, width * sizeof(*v));
	for (size_t c = 1; c < CLUSTERS; c++) {
		size_t far = 0;
		double most = -1;

		for (size_t k = 0; k < n; k++) {
			double least = INFINITY;

			for (size_t b = 0; b < c; b++)
				least = fmin(least, square_distance(v + k * width,
								    centres + b * width, width));
			if (least > most) {
				most = least;
				far = k;
			}
		}
		memcpy(centres + c * width, v + far * width, width * sizeof(*v));
	}
}

static int cluster(const struct design *d, const struct groups *g, size_t *part, struct err *e)
{
	size_t width;
	autofree double *v = describe_groups(d, g, &width);
	autofree double *centres = calloc(CLUSTERS * width + 1, sizeof(*centres));

	if (!v || !centres)
		return err_nomem(e);
	start_centres(v, g->n, width, centres);
	for (int round = 0; round < ROUNDS; round++) {
		size_t count[CLUSTERS] = {0};

		for (size_t k = 0; k < g->n; k++)
			part[k] = nearest_centre(v + k * width, centres, width);
		memset(centres, 0, CLUSTERS * width * sizeof(*centres));
		for (size_t k = 0; k < g->n; k++) {
			count[part[k]]++;
			for (size_t j = 0; j < width; j++)
				centres[part[k] * width + j] += v[k * width + j];
		}
		for (size_t c = 0; c < CLUSTERS; c++) {
			for (size_t j = 0; j < width; j++)
				centres[c * width + j] /= count[c] ? (double)count[c] : 1;
		}
	}
	return 0;
}

/* ---- the five types ---- */

static int add_groups(const struct design *d, const struct groups *g, struct shift_folds *f,
		      struct err *e)
{
	autofree size_t *part = calloc(g->n + 1, sizeof(*part));
	size_t folds = g->n < GROUPS_FEW ? (g->n < GROUPS_ALL ? g->n : GROUPS_ALL) : 3;
	int r;

	if (!part)
		return err_nomem(e);
	if (g->n < 2)
		return 0;
	for (size_t k = 0; k < g->n; k++)
		part[k] = k % folds;
	r = add_by_group(d, g, part, folds, FOLD_A, f, e);
	if (r < 0 || g->n < GROUPS_FEW)
		return r;
	for (size_t k = 0; k < g->n; k++)
		part[k] = k * 3 / g->n;
	r = add_by_group(d, g, part, 3, FOLD_B, f, e);
	if (r == 0)
		r = cluster(d, g, part, e);
	return r == 0 ? add_by_group(d, g, part, CLUSTERS, FOLD_C, f, e) : r;
}

static int add_top_load(const struct design *d, const double *y, const struct groups *g,
			struct shift_folds *f, struct err *e)
{
	uint8_t *out = new_fold(f, FOLD_D, d->n);
	autofree double *sorted = calloc(d->n + 1, sizeof(*sorted));
	size_t n = 0;
	double limit;

	if (!out || !sorted)
		return err_nomem(e);
	for (size_t i = 0; i < d->n; i++) {
		if (g->of[i] != SIZE_MAX)
			sorted[n++] = y[i];
	}
	limit = quantile_of(sorted, n, TOP_LOAD);
	for (size_t i = 0; i < d->n; i++)
		out[i] = g->of[i] != SIZE_MAX && y[i] > limit;
	return 0;
}

static int add_pieces(const struct design *d, const struct groups *g, struct shift_folds *f,
		      struct err *e)
{
	for (size_t k = 0; k < E_FOLDS; k++) {
		uint8_t *out = new_fold(f, FOLD_E, d->n);

		if (!out)
			return err_nomem(e);
		for (size_t i = 0; i < d->n; i++) {
			if (g->of[i] != SIZE_MAX)
				out[i] = g->rank[i] * PIECES / g->size[g->of[i]] % 3 == k;
		}
	}
	return 0;
}

int shift_folds_new(const struct design *d, const double *y, struct shift_folds *ret, struct err *e)
{
	struct shift_folds f = {.n = 0};
	struct groups g = {.n = 0};
	int r = find_groups(d, y, &g, e);

	if (r == 0)
		r = add_groups(d, &g, &f, e);
	if (r == 0)
		r = add_top_load(d, y, &g, &f, e);
	if (r == 0)
		r = add_pieces(d, &g, &f, e);
	f.n_groups = g.n;
	groups_release(&g);
	if (r < 0) {
		shift_folds_release(&f);
		return r;
	}
	*ret = f;
	return 0;
}

void shift_folds_release(struct shift_folds *f)
{
	for (size_t k = 0; k < f->n; k++)
		free(f->folds[k].out);
	f->n = 0;
}
