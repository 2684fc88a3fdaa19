// SPDX-License-Identifier: Apache-2.0
/*
 * Cross-validation of a network: as crossval.h says, with the same two views,
 * but each fold is a fit of its own, on at most MLP_FOLD_ROWS of its rows. Whether
 * errors count absolutely or relatively (weight_power) is the better of both.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "train/crossval.h"
#include "train/experts.h"

#define ROWS_MIN    20
#define MAX_FACTOR  2.0	 /* no estimate above this many times the largest label */
#define LABEL_FLOOR 0.05 /* of the largest label, for relative weights */
#define ALL_FOLDS   UINT8_MAX
#define TAIL	    (UINT8_MAX - 1)

static const double powers[] = {0, 1};

/* What one run works on; rows[n] are those that count. */
struct work {
	const struct candidate *c;
	const double *y;
	size_t *rows, *in, *kept; /* in, kept: of one fit */
	size_t n;
	double *x, *target, *weight, *predicted_w;
	uint32_t *group;
	double y_max, power, max_w;
};

static void release(struct work *k)
{
	free(k->rows);
	free(k->in);
	free(k->kept);
	free(k->x);
	free(k->target);
	free(k->weight);
	free(k->predicted_w);
	free(k->group);
}

static int make(struct work *k, struct err *e)
{
	const struct design *d = k->c->design;

	k->rows = calloc(d->n + 1, sizeof(*k->rows));
	k->in = calloc(d->n + 1, sizeof(*k->in));
	k->kept = calloc(d->n + 1, sizeof(*k->kept));
	k->x = calloc(d->n * k->c->q + 1, sizeof(double));
	k->target = calloc(d->n + 1, sizeof(double));
	k->weight = calloc(d->n + 1, sizeof(double));
	k->predicted_w = calloc(d->n + 1, sizeof(double));
	k->group = calloc(d->n + 1, sizeof(*k->group));
	if (!k->rows || !k->in || !k->kept || !k->x || !k->target || !k->weight ||
	    !k->predicted_w || !k->group)
		return err_nomem(e);
	for (size_t i = 0; i < d->n; i++) {
		if (!k->c->present[i] || !isfinite(k->y[i]))
			continue;
		k->rows[k->n++] = i;
		k->y_max = fmax(k->y_max, k->y[i]);
	}
	if (k->n < ROWS_MIN)
		return err_set(e, -ERR_DATA,
			       "%zu rows have both a label and its features; %d are needed", k->n,
			       ROWS_MIN);
	k->max_w = fmax(MAX_FACTOR * k->y_max, 1e-3);
	return 0;
}

static bool is_out(const struct work *k, size_t row, uint8_t fold)
{
	const struct design *d = k->c->design;

	return fold == TAIL ? d->tail[row] : d->fold[row] == fold;
}

/* Fit on at most `most` rows outside `fold` (ALL_FOLDS: on all). */
static int fit(struct work *k, uint8_t fold, size_t most, struct mlp *ret, struct err *e)
{
	const struct candidate *c = k->c;
	double floor_w = fmax(LABEL_FLOOR * k->y_max, 1e-3), scale = 0;
	struct mlp_data data = {
		.q = c->q, .x = k->x, .y = k->target, .weight = k->weight, .group = k->group};
	size_t n = 0;

	for (size_t i = 0; i < k->n; i++) {
		if (fold == ALL_FOLDS || !is_out(k, k->rows[i], fold))
			k->in[n++] = k->rows[i];
	}
	data.n = thin_rows(k->in, n, most, c->mlp.seed, k->kept);
	for (size_t i = 0; i < data.n; i++) {
		size_t row = k->kept[i];

		memcpy(k->x + i * c->q, c->b + row * c->q, c->q * sizeof(double));
		k->target[i] = k->y[row];
		k->weight[i] = pow(fmax(k->y[row], floor_w), -k->power);
		k->group[i] = c->design->table->group[row];
		scale += k->weight[i];
	}
	for (size_t i = 0; i < data.n; i++)
		k->weight[i] *= (double)data.n / scale;
	return mlp_fit(&data, &c->mlp, ret, e);
}

struct sums {
	double error_w, label_w;
	size_t rows;
};

/* Predict the rows of `fold` without it; a fold with too few rows to learn from says nothing. */
static int predict_fold(struct work *k, uint8_t fold, struct sums *s, struct err *e)
{
	const struct candidate *c = k->c;
	struct err why = ERR_INIT;
	struct mlp p;
	int r = fit(k, fold, MLP_FOLD_ROWS, &p, &why);

	if (r == -ERR_DATA)
		return 0;
	if (r < 0)
		return err_set(e, r, "%s", why.msg);
	for (size_t i = 0; i < k->n; i++) {
		size_t row = k->rows[i];
		double w;

		if (!is_out(k, row, fold))
			continue;
		w = p.mean_w + p.scale_w * mlp_answer(&p, c->b + row * c->q);
		w = fmin(fmax(w, 0), k->max_w);
		k->predicted_w[row] = w;
		s->error_w += fabs(w - k->y[row]);
		s->label_w += fabs(k->y[row]);
		s->rows++;
	}
	mlp_release(&p);
	return 0;
}

static double wmape(const struct sums *s)
{
	return s->rows ? s->error_w / fmax(s->label_w, 1e-9) : INFINITY;
}

/* Both views; keeps them when they are the best so far. */
static int try_power(struct work *k, double power, struct crossval *v, struct err *e)
{
	const struct design *d = k->c->design;
	struct sums tail = {0}, folds = {0};
	double score;
	int r;

	k->power = power;
	r = predict_fold(k, TAIL, &tail, e);
	for (size_t i = 0; i < d->n; i++)
		k->predicted_w[i] = NAN;
	for (size_t fold = 0; r == 0 && fold < d->n_folds; fold++)
		r = predict_fold(k, (uint8_t)fold, &folds, e);
	score = isfinite(wmape(&tail)) ? (wmape(&folds) + wmape(&tail)) / 2 : wmape(&folds);
	if (r < 0 || !(score < v->score))
		return r;
	v->score = score;
	v->wmape = wmape(&folds);
	v->tail_wmape = wmape(&tail);
	v->mae_w = folds.error_w / (double)folds.rows;
	v->rows = folds.rows;
	v->weight_power = power;
	memcpy(v->predicted_w, k->predicted_w, d->n * sizeof(double));
	return 0;
}

static int fit_all(struct work *k, struct crossval *v, struct err *e)
{
	struct mlp p;
	int r;

	k->power = v->weight_power;
	r = fit(k, ALL_FOLDS, MLP_FINAL_ROWS, &p, e);
	if (r < 0)
		return r;
	v->coefficients[0] = p.mean_w;
	v->coefficients[1] = p.scale_w;
	memcpy(v->coefficients + MLP_HEAD, p.weights, mlp_weights(&p) * sizeof(double));
	mlp_release(&p);
	return 0;
}

int crossval_mlp(const struct candidate *c, const double *y, struct crossval *ret, struct err *e)
{
	struct crossval v = {.score = INFINITY, .ridge = c->mlp.decay};
	struct work k = {.c = c, .y = y};
	int r = make(&k, e);

	v.predicted_w = calloc(c->design->n + 1, sizeof(double));
	v.coefficients = calloc(candidate_coefficients(c), sizeof(double));
	if (r == 0 && (!v.predicted_w || !v.coefficients))
		r = err_nomem(e);
	v.max_w = k.max_w;
	for (size_t i = 0; r == 0 && i < array_size(powers); i++)
		r = try_power(&k, powers[i], &v, e);
	if (r == 0 && !isfinite(v.score))
		r = err_set(e, -ERR_DATA, CROSSVAL_NO_FOLD);
	if (r == 0)
		r = fit_all(&k, &v, e);
	release(&k);
	if (r < 0) {
		crossval_release(&v);
		return r;
	}
	*ret = v;
	return 0;
}
