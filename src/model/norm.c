// SPDX-License-Identifier: Apache-2.0
/* The row norm: names, inference, check and release. See model.h for the formula. */
#include <math.h>
#include <stdlib.h>

#include "model/model.h"

#define NUMBER_LIMIT 1e30f

const char *norm_name(enum norm_kind kind)
{
	static const char *const names[NORM_KIND_COUNT] = {"none", "MAX", "L1", "L2"};

	return names[kind];
}

/* What the row is divided by; of NORM_L2 its square. */
static float norm_of(enum norm_kind kind, const float *v, size_t n)
{
	float sum = 0, most = v[0];

	for (size_t i = 0; i < n; i++) {
		most = fmaxf(most, v[i]);
		sum += kind == NORM_L2 ? v[i] * v[i] : fabsf(v[i]);
	}
	return kind == NORM_MAX ? most : sum;
}

static float divided(enum norm_kind kind, float v, float norm)
{
	if (norm == 0)
		return v;
	return kind == NORM_L2 ? copysignf(sqrtf(v * v / norm), v) : v / norm;
}

const double *model_normalise(const struct model *m, const double *x, double at[INPUT_MAX])
{
	const struct row_norm *n = &m->norm;
	float v[INPUT_MAX], norm;

	if (!n->n)
		return x;
	for (size_t i = 0; i < m->n_used; i++)
		at[m->used[i].input] = x[m->used[i].input];
	for (size_t i = 0; i < n->n; i++) {
		const struct norm_input *in = &n->inputs[i];

		v[i] = ((float)x[m->used[in->used].input] - in->offset) * in->scale;
	}
	norm = norm_of(n->kind, v, n->n);
	for (size_t i = 0; i < n->n; i++) {
		float y = divided(n->kind, v[i], norm);

		at[m->used[n->inputs[i].used].input] = isfinite(y) ? (double)y : 0;
	}
	return at;
}

bool norm_check(const struct row_norm *n, const struct model *m)
{
	bool seen[INPUT_MAX] = {false};

	if (n->kind >= NORM_KIND_COUNT || n->n > INPUT_MAX || (n->kind == NORM_NONE) != !n->n)
		return false;
	for (size_t i = 0; i < n->n; i++) {
		const struct norm_input *in = &n->inputs[i];
		uint16_t input;

		/* Comparisons are false for NaN. */
		if (in->used >= m->n_used || !(fabsf(in->offset) <= NUMBER_LIMIT) ||
		    !(fabsf(in->scale) <= NUMBER_LIMIT) || in->scale == 0)
			return false;
		input = m->used[in->used].input;
		if (seen[input])
			return false;
		seen[input] = true;
	}
	return true;
}

void norm_release(struct row_norm *n)
{
	free(n->inputs);
	*n = (struct row_norm){.kind = NORM_NONE};
}
