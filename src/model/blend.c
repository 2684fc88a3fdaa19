// SPDX-License-Identifier: Apache-2.0
/* The blend: experts, distance and the gate between them. See model.h for the formulas. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/model.h"

#define NEAREST	     5
#define PLACE_MAX    8.0 /* standard deviations that a coordinate may lie out */
#define LOG_LIMIT    10.0
#define SPREAD_LIMIT 6.0
#define TREES_MAX    4096
#define POINTS_MAX   4096
#define POINTS_BLOCK 32 /* points at a time: a compiler makes vector code of whole blocks */

static double clamp(double x, double low, double high)
{
	return x < low ? low : x > high ? high : x;
}

void blend_columns(const struct blend *b, const double *x, float *ret_columns)
{
	for (size_t j = 0; j < b->n_columns; j++) {
		const struct blend_column *c = &b->columns[j];

		ret_columns[j] = (float)(c->ratio ? x[c->a] / (fabs(x[c->b]) + c->soft) : x[c->a]);
	}
}

void blend_spread_columns(const struct blend *b, const double *x, double z, double watts,
			  float *ret_columns)
{
	blend_columns(b, x, ret_columns);
	ret_columns[b->n_columns] = (float)z;
	ret_columns[b->n_columns + 1] = (float)watts;
}

/* ---- trees ---- */

size_t trees_leaf(const struct trees *t, size_t k, const float *columns)
{
	const struct tree_node *tree = t->nodes + t->first[k], *at = tree;

	while (at->column != TREE_LEAF)
		at = tree + at->left + !(columns[at->column] < at->value);
	return (size_t)(at - t->nodes);
}

double trees_value(const struct trees *t, const float *columns)
{
	float sum = t->base;

	for (size_t k = 0; k < t->n; k++)
		sum += t->nodes[trees_leaf(t, k, columns)].value;
	return sum;
}

/* From 0 near the training data to 1 far from it. */
static double far_of(const struct blend *b, double z)
{
	return clamp((z - b->z_near) / (b->z_far - b->z_near), 0, 1);
}

/* A sum of leaves that is no number (inf - inf) counts as the least. */
static double scale_of(double log_scale)
{
	return exp(fmin(fmax(log_scale, -SPREAD_LIMIT), SPREAD_LIMIT));
}

/* Which end was the farther one says nothing far from the training data: there both are. */
static struct ends together(double down, double up, double far)
{
	double most = fmax(down, up);

	return (struct ends){down + far * (most - down), up + far * (most - up)};
}

struct ends blend_spread(const struct blend *b, const float *columns)
{
	const struct trees *t = &b->spread;
	float down = t->base, up = t->base;

	if (!t->n)
		return (struct ends){1, 1};
	for (size_t k = 0; k < t->n; k++) {
		size_t leaf = trees_leaf(t, k, columns);

		down += t->nodes[leaf].value;
		up += b->spread_up ? b->spread_up[leaf] : t->nodes[leaf].value;
	}
	return together(scale_of(down), scale_of(up), far_of(b, columns[b->n_columns]));
}

/* ---- distances ---- */

void points_place(const struct points *p, const float *columns, float *ret_at)
{
	for (size_t k = 0; k < p->n_dims; k++) {
		const struct space_dim *d = &p->dims[k];
		double v = columns[d->column], root = copysign(sqrt(fabs(v)), v);

		ret_at[k] =
			(float)(clamp((root - d->mean) / d->sd, -PLACE_MAX, PLACE_MAX) * d->weight);
	}
}

static inline void add_squares(float at, const float *restrict points, size_t n,
			       float *restrict io_sums)
{
	for (size_t i = 0; i < n; i++)
		io_sums[i] += (at - points[i]) * (at - points[i]);
}

/* Squared distances of `at` from the points first.. ; returns how many, POINTS_BLOCK at most. */
static size_t square_distances(const struct points *p, const float *at, size_t first,
			       float ret[POINTS_BLOCK])
{
	size_t n = p->n - first < POINTS_BLOCK ? p->n - first : POINTS_BLOCK;

	memset(ret, 0, POINTS_BLOCK * sizeof(*ret));
	for (size_t k = 0; k < p->n_dims; k++) {
		const float *points = p->at + k * p->n + first;

		if (n == POINTS_BLOCK)
			add_squares(at[k], points, POINTS_BLOCK, ret);
		else
			add_squares(at[k], points, n, ret);
	}
	return n;
}

static double kernel_value(const struct blend *b, const float *columns)
{
	const struct points *p = &b->centres;
	float at[SPACE_DIMS_MAX], d[POINTS_BLOCK];
	double v[POINTS_BLOCK], sum = 0;

	points_place(p, columns, at);
	for (size_t first = 0; first < p->n; first += POINTS_BLOCK) {
		size_t n = square_distances(p, at, first, d);

		for (size_t i = 0; i < n; i++)
			v[i] = d[i];
		kernel_matern(v, n, b->length);
		for (size_t i = 0; i < n; i++)
			sum += b->alpha[first + i] * v[i];
	}
	return sum;
}

/* Keep the smallest NEAREST of what is offered, in order. */
static void keep_nearest(float nearest[NEAREST], float d)
{
	size_t k = NEAREST - 1;

	if (!(d < nearest[k]))
		return;
	for (; k && nearest[k - 1] > d; k--)
		nearest[k] = nearest[k - 1];
	nearest[k] = d;
}

static double distance_z(const struct blend *b, const float *columns)
{
	const struct points *p = &b->reference;
	float at[SPACE_DIMS_MAX], d[POINTS_BLOCK], nearest[NEAREST];
	double sum = 0;

	for (size_t k = 0; k < NEAREST; k++)
		nearest[k] = INFINITY;
	points_place(p, columns, at);
	for (size_t first = 0; first < p->n; first += POINTS_BLOCK) {
		size_t n = square_distances(p, at, first, d);

		for (size_t i = 0; i < n; i++)
			keep_nearest(nearest, d[i]);
	}
	for (size_t k = 0; k < NEAREST; k++)
		sum += nearest[k];
	return log(1e-3 + sqrt(sum / NEAREST) / b->median);
}

/* ---- the answer ---- */

void blend_experts(const struct blend *b, const double *x, double ret_w[EXPERT_COUNT],
		   double *ret_z)
{
	double p = physics_watts(&b->physics, x);
	float columns[BLEND_COLUMNS_MAX];

	blend_columns(b, x, columns);
	ret_w[EXPERT_P] = p;
	ret_w[EXPERT_K] = p * exp(clamp(kernel_value(b, columns), b->log_low, b->log_high));
	ret_w[EXPERT_H] =
		p * exp(clamp(trees_value(&b->boosted, columns), b->log_low, b->log_high));
	ret_w[EXPERT_F] = trees_value(&b->forest, columns);
	ret_w[EXPERT_G] = trees_value(&b->gbdt, columns);
	*ret_z = distance_z(b, columns);
}

static double median3(double a, double b, double c)
{
	return fmax(fmin(a, b), fmin(fmax(a, b), c));
}

double blend_near(const struct blend *b, const double w[EXPERT_COUNT])
{
	double sum = 0;

	for (int k = 0; k < EXPERT_COUNT; k++)
		sum += b->share[k] * w[k];
	return sum;
}

double blend_safe(const struct blend *b, const double w[EXPERT_COUNT])
{
	double middle = median3(w[EXPERT_P], w[EXPERT_K], (w[EXPERT_F] + w[EXPERT_G]) / 2);

	return middle + b->physics_share * (w[EXPERT_P] - middle);
}

double blend_distance(const struct blend *b, double z)
{
	return expm1(fmax(z - b->z_edge, 0));
}

double blend_combine(const struct blend *b, const double w[EXPERT_COUNT], double z)
{
	double gate = fmax((1 - b->trust) * far_of(b, z), b->caution);
	double near = blend_near(b, w);

	return near + gate * (blend_safe(b, w) - near);
}

/* ---- blends of one expert ---- */

static const char *const kind_names[BLEND_KINDS] = {"blend", "forest", "gbdt", "hybrid"};
static const enum expert kind_experts[BLEND_KINDS] = {EXPERT_COUNT, EXPERT_F, EXPERT_G, EXPERT_K};

const char *blend_kind_name(enum blend_kind kind)
{
	return kind_names[kind];
}

enum blend_kind blend_kind_find(const char *name)
{
	for (int k = BLEND_FOREST; k < BLEND_KINDS; k++) {
		if (!strcmp(name, kind_names[k]))
			return (enum blend_kind)k;
	}
	return BLEND_OF_ALL;
}

enum blend_kind blend_kind_of(const struct blend *b)
{
	double others = 0;

	for (int k = 0; k < EXPERT_COUNT; k++)
		others += b->share[k];
	for (int k = BLEND_FOREST; b->trust >= 1 && k < BLEND_KINDS; k++) {
		double own = b->share[kind_experts[k]];

		if (own > 0 && own >= others)
			return (enum blend_kind)k;
	}
	return BLEND_OF_ALL;
}

/* ---- check and release ---- */

static bool finite_in(double x, double low, double high)
{
	return x >= low && x <= high; /* false for NaN */
}

static bool check_columns(const struct blend *b, const struct model *m)
{
	if (!b->n_columns || b->n_columns > BLEND_COLUMNS_MAX)
		return false;
	for (size_t j = 0; j < b->n_columns; j++) {
		const struct blend_column *c = &b->columns[j];

		if (!model_uses(m, c->a))
			return false;
		if (c->ratio && (!model_uses(m, c->b) || !finite_in(c->soft, 1e-30, 1e30)))
			return false;
	}
	return true;
}

/* Children lie behind their parent, so a walk ends; every column and number is in range. */
static bool check_tree(const struct tree_node *tree, size_t n, size_t n_columns)
{
	for (size_t i = 0; i < n; i++) {
		const struct tree_node *at = &tree[i];

		if (!isfinite(at->value))
			return false;
		if (at->column == TREE_LEAF)
			continue;
		if (at->column >= n_columns || at->left <= i || (size_t)at->left + 1 >= n)
			return false;
	}
	return n > 0;
}

static bool check_trees(const struct trees *t, size_t n_columns)
{
	if (t->n > TREES_MAX || !isfinite(t->base))
		return false;
	for (size_t k = 0; k < t->n; k++) {
		size_t end = k + 1 < t->n ? t->first[k + 1] : t->n_nodes;

		if (t->first[k] >= end || end > t->n_nodes || (k == 0 && t->first[0] != 0) ||
		    !check_tree(t->nodes + t->first[k], end - t->first[k], n_columns))
			return false;
	}
	return true;
}

static bool check_values(const float *values, size_t n)
{
	for (size_t i = 0; values && i < n; i++) {
		if (!isfinite(values[i]))
			return false;
	}
	return true;
}

static bool check_points(const struct points *p, size_t n_columns)
{
	if ((p->n && !p->n_dims) || p->n_dims > SPACE_DIMS_MAX || p->n > POINTS_MAX)
		return false;
	for (size_t k = 0; k < p->n_dims; k++) {
		const struct space_dim *d = &p->dims[k];

		if (d->column >= n_columns || !finite_in(d->mean, -1e30, 1e30) ||
		    !finite_in(d->sd, 1e-30, 1e30) || !finite_in(d->weight, 0, 1e3))
			return false;
	}
	for (size_t i = 0; i < p->n * p->n_dims; i++) {
		if (!finite_in(p->at[i], -1e6, 1e6))
			return false;
	}
	return true;
}

bool blend_check(const struct blend *b, const struct model *m)
{
	for (size_t i = 0; i < b->centres.n; i++) {
		if (!finite_in(b->alpha[i], -1e12, 1e12))
			return false;
	}
	for (int k = 0; k < EXPERT_COUNT; k++) {
		if (!finite_in(b->share[k], 0, 10))
			return false;
	}
	return check_columns(b, m) && physics_check(&b->physics, m) &&
	       finite_in(b->log_low, -LOG_LIMIT, 0) && finite_in(b->log_high, 0, LOG_LIMIT) &&
	       check_points(&b->centres, b->n_columns) &&
	       check_points(&b->reference, b->n_columns) && b->reference.n >= NEAREST &&
	       finite_in(b->length, 1e-9, 1e9) && finite_in(b->median, 1e-9, 1e9) &&
	       check_trees(&b->boosted, b->n_columns) && check_trees(&b->forest, b->n_columns) &&
	       check_trees(&b->gbdt, b->n_columns) &&
	       check_trees(&b->spread, b->n_columns + SPREAD_MORE) &&
	       check_values(b->spread_up, b->spread.n_nodes) && finite_in(b->z_near, -1e3, 1e3) &&
	       finite_in(b->z_far, -1e3, 1e3) && b->z_near < b->z_far &&
	       finite_in(b->z_edge, -1e3, 1e3) && finite_in(b->trust, 0, 1) &&
	       finite_in(b->physics_share, 0, 1) && finite_in(b->caution, 0, 1);
}

static void points_release(struct points *p)
{
	free(p->dims);
	free(p->at);
}

void trees_release(struct trees *t)
{
	free(t->first);
	free(t->nodes);
	*t = (struct trees){.base = 0};
}

void blend_release(struct blend *b)
{
	free(b->columns);
	free(b->physics.terms);
	points_release(&b->centres);
	points_release(&b->reference);
	free(b->alpha);
	trees_release(&b->boosted);
	trees_release(&b->forest);
	trees_release(&b->gbdt);
	trees_release(&b->spread);
	free(b->spread_up);
	*b = (struct blend){.n_columns = 0};
}
