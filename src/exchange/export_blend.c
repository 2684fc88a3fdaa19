// SPDX-License-Identifier: Apache-2.0
/* The blend as an ONNX graph: model.h has the formulas, model/blend.c the same in C. */
#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "exchange/export_parts.h"

#define NEAREST	  5
#define PLACE_MAX 8.0

/* [rows, columns] of what trees and distances see: as exact as a float. */
static const char *columns(struct exporter *x, const struct blend *b)
{
	const char *at[BLEND_COLUMNS_MAX];

	for (size_t j = 0; j < b->n_columns; j++) {
		const struct blend_column *c = &b->columns[j];
		const char *soft;

		at[j] = x->at[c->a];
		if (!c->ratio)
			continue;
		soft = onnx_with(&x->w, "Add", onnx_op1(&x->w, "Abs", x->at[c->b]), c->soft);
		at[j] = onnx_op2(&x->w, "Div", at[j], soft);
	}
	return onnx_cast(&x->w, onnx_cast(&x->w, onnx_beside(&x->w, at, b->n_columns), true),
			 false);
}

static const char *trees(struct exporter *x, const struct trees *t, const char *seen)
{
	return t->n ? onnx_write_trees(&x->w, t, seen) : export_constant(x, (double)t->base);
}

/* [rows, dims] in float: the coordinates of a row in the space of the points. */
static const char *place(struct exporter *x, const struct points *p, const char *seen)
{
	struct onnx_writer *w = &x->w;
	int64_t which[SPACE_DIMS_MAX];
	double mean[SPACE_DIMS_MAX], sd[SPACE_DIMS_MAX], weight[SPACE_DIMS_MAX];
	const char *v, *root;

	for (size_t k = 0; k < p->n_dims; k++) {
		which[k] = p->dims[k].column;
		mean[k] = p->dims[k].mean;
		sd[k] = p->dims[k].sd;
		weight[k] = p->dims[k].weight;
	}
	v = onnx_op2(w, "Gather", seen, onnx_integers(w, which, p->n_dims));
	onnx_set_integer(w, "axis", 1);
	root = onnx_op2(w, "Mul", onnx_op1(w, "Sign", v),
			onnx_op1(w, "Sqrt", onnx_op1(w, "Abs", v)));
	v = onnx_op2(w, "Sub", root, onnx_numbers(w, mean, 1, p->n_dims));
	v = onnx_op2(w, "Div", v, onnx_numbers(w, sd, 1, p->n_dims));
	v = onnx_clip(w, v, -PLACE_MAX, PLACE_MAX);
	return onnx_cast(w, onnx_op2(w, "Mul", v, onnx_numbers(w, weight, 1, p->n_dims)), true);
}

/* [rows, points]: squared distances, by differences: a product of sums would lose the small ones.
 */
static const char *square_distances(struct exporter *x, const struct points *p, const char *seen)
{
	static const int64_t one = 1, two = 2;
	struct onnx_writer *w = &x->w;
	const char *at = place(x, p, seen), *v;

	at = onnx_op2(w, "Unsqueeze", at, onnx_integers(w, &two, 1));
	v = onnx_op2(w, "Sub", at, onnx_floats(w, p->at, p->n_dims, p->n));
	v = onnx_op2(w, "ReduceSum", onnx_op2(w, "Mul", v, v), onnx_integers(w, &one, 1));
	onnx_set_integer(w, "keepdims", 0);
	return onnx_cast(w, v, false);
}

/* The kernel regression: Matern 3/2 of the distances, by alpha. */
static const char *kernel(struct exporter *x, const struct blend *b, const char *seen)
{
	struct onnx_writer *w = &x->w;
	const char *r, *v;

	if (!b->centres.n)
		return export_constant(x, 0);
	r = onnx_op1(w, "Sqrt", square_distances(x, &b->centres, seen));
	r = onnx_with(w, "Mul", r, sqrt(3) / b->length);
	v = onnx_op1(w, "Exp", onnx_op1(w, "Neg", r));
	v = onnx_op2(w, "Mul", onnx_with(w, "Add", r, 1), v);
	return onnx_op2(w, "MatMul", v, onnx_numbers(w, b->alpha, b->centres.n, 1));
}

static const char *distance_z(struct exporter *x, const struct blend *b, const char *seen)
{
	static const int64_t nearest = NEAREST, one = 1;
	struct onnx_writer *w = &x->w;
	const char *v = onnx_op2(w, "TopK", square_distances(x, &b->reference, seen),
				 onnx_integers(w, &nearest, 1));

	onnx_set_integer(w, "largest", 0);
	onnx_set_integer(w, "axis", 1);
	onnx_second_output(w);
	v = onnx_op2(w, "ReduceSum", v, onnx_integers(w, &one, 1));
	v = onnx_op1(w, "Sqrt", onnx_with(w, "Div", v, NEAREST));
	v = onnx_with(w, "Add", onnx_with(w, "Div", v, b->median), 1e-3);
	return onnx_op1(w, "Log", v);
}

/* physics x exp(log, held within what training supports) */
static const char *corrected(struct exporter *x, const struct blend *b, const char *physics,
			     const char *log)
{
	log = onnx_clip(&x->w, log, b->log_low, b->log_high);
	return onnx_op2(&x->w, "Mul", physics, onnx_op1(&x->w, "Exp", log));
}

static const char *median3(struct onnx_writer *w, const char *a, const char *b, const char *c)
{
	return onnx_op2(w, "Max", onnx_op2(w, "Min", a, b),
			onnx_op2(w, "Min", onnx_op2(w, "Max", a, b), c));
}

/* What a blend answers far from what it saw. */
static const char *safe(struct exporter *x, const struct blend *b, const char *const *expert)
{
	struct onnx_writer *w = &x->w;
	const char *trees = onnx_op2(w, "Add", expert[EXPERT_F], expert[EXPERT_G]);
	const char *middle, *rest;

	trees = onnx_with(w, "Div", trees, 2);
	middle = median3(w, expert[EXPERT_P], expert[EXPERT_K], trees);
	rest = onnx_op2(w, "Sub", expert[EXPERT_P], middle);
	return onnx_op2(w, "Add", middle, onnx_with(w, "Mul", rest, b->physics_share));
}

/* The weighted sum of the experts; of one that is trusted alone, that one. */
static const char *near_answer(struct exporter *x, const struct blend *b, const char *const *expert)
{
	const char *terms[EXPERT_COUNT];
	double by[EXPERT_COUNT];
	size_t n = 0;

	for (int k = 0; k < EXPERT_COUNT; k++) {
		if (b->share[k] > 0) {
			terms[n] = expert[k];
			by[n++] = b->share[k];
		}
	}
	if (!n)
		return export_constant(x, 0);
	return n == 1 ? onnx_with(&x->w, "Mul", terms[0], by[0]) : export_sum(x, terms, by, n);
}

const char *export_blend(struct exporter *x, const struct blend *b)
{
	bool one_answer = b->trust >= 1 && !(b->caution > 0); /* near, whatever the distance */
	struct onnx_writer *w = &x->w;
	const char *expert[EXPERT_COUNT], *seen = columns(x, b), *near, *far, *rest;
	bool wanted[EXPERT_COUNT];

	for (int k = 0; k < EXPERT_COUNT; k++) {
		wanted[k] = !one_answer || b->share[k] > 0;
		expert[k] = NULL;
	}
	/* What nobody asks stays NULL. */
	if (wanted[EXPERT_P] || wanted[EXPERT_K] || wanted[EXPERT_H])
		expert[EXPERT_P] = export_physics(x, &b->physics);
	for (int k = EXPERT_K; k < EXPERT_COUNT; k++) {
		if (!wanted[k])
			continue;
		if (k == EXPERT_K)
			expert[k] = corrected(x, b, expert[EXPERT_P], kernel(x, b, seen));
		else if (k == EXPERT_H)
			expert[k] = corrected(x, b, expert[EXPERT_P], trees(x, &b->boosted, seen));
		else
			expert[k] = trees(x, k == EXPERT_F ? &b->forest : &b->gbdt, seen);
	}
	near = near_answer(x, b, expert);
	if (one_answer)
		return near;
	far = onnx_with(w, "Sub", distance_z(x, b, seen), b->z_near);
	far = onnx_clip(w, onnx_with(w, "Div", far, b->z_far - b->z_near), 0, 1);
	far = onnx_with(w, "Max", onnx_with(w, "Mul", far, 1 - b->trust), b->caution);
	rest = onnx_op2(w, "Sub", safe(x, b, expert), near);
	return onnx_op2(w, "Add", near, onnx_op2(w, "Mul", far, rest));
}
