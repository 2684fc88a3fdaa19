// SPDX-License-Identifier: Apache-2.0
/* A small neural network: inference, check and release. See model.h for the formula. */
#include <math.h>
#include <stdlib.h>

#include "model/model.h"

size_t mlp_weights(const struct mlp *p)
{
	size_t n = 0, width = p->n_inputs;

	for (size_t l = 0; l < p->n_layers; l++) {
		n += p->units[l] * (width + 1);
		width = p->units[l];
	}
	return n + width + 1;
}

static double weighted_sum(const double *weights, const double *x, size_t n)
{
	double sum = weights[n]; /* the bias */

	for (size_t i = 0; i < n; i++)
		sum += weights[i] * x[i];
	return sum;
}

double mlp_answer(const struct mlp *p, const double *z)
{
	double layers[MLP_LAYERS_MAX][MLP_UNITS_MAX];
	const double *weights = p->weights, *below = z;
	size_t width = p->n_inputs;

	for (size_t l = 0; l < p->n_layers; l++) {
		for (size_t k = 0; k < p->units[l]; k++) {
			double sum = weighted_sum(weights, below, width);

			layers[l][k] = p->activation == ACTIVATION_TANH ? tanh(sum) : fmax(sum, 0);
			weights += width + 1;
		}
		below = layers[l];
		width = p->units[l];
	}
	return weighted_sum(weights, below, width);
}

double mlp_watts(const struct model *m, const double *x)
{
	const struct mlp *p = &m->mlp;
	double z[INPUT_MAX];

	for (size_t i = 0; i < p->n_inputs; i++) {
		const struct mlp_input *in = &p->inputs[i];
		double v = (x[m->used[in->used].input] - in->mean) / in->sd;

		z[i] = fmin(fmax(v, -p->clamp_sd), p->clamp_sd);
	}
	return p->mean_w + p->scale_w * mlp_answer(p, z);
}

/* ---- check and release ---- */

static bool finite_in(double x, double low, double high)
{
	return x >= low && x <= high; /* false for NaN */
}

static bool check_shape(const struct mlp *p)
{
	if (p->activation >= ACTIVATION_COUNT || !p->n_inputs || p->n_inputs > INPUT_MAX ||
	    p->n_layers < 1 || p->n_layers > MLP_LAYERS_MAX)
		return false;
	for (size_t l = 0; l < p->n_layers; l++) {
		if (p->units[l] < 1 || p->units[l] > MLP_UNITS_MAX)
			return false;
	}
	return true;
}

bool mlp_check(const struct mlp *p, const struct model *m)
{
	if (!check_shape(p))
		return false;
	for (size_t i = 0; i < p->n_inputs; i++) {
		const struct mlp_input *in = &p->inputs[i];

		if (in->used >= m->n_used || !finite_in(in->mean, -1e30, 1e30) ||
		    !finite_in(in->sd, 1e-30, 1e30))
			return false;
	}
	for (size_t i = 0; i < mlp_weights(p); i++) {
		if (!finite_in(p->weights[i], -MLP_WEIGHT_MAX, MLP_WEIGHT_MAX))
			return false;
	}
	return finite_in(p->clamp_sd, 1e-3, MLP_CLAMP_MAX) && finite_in(p->mean_w, -1e6, 1e6) &&
	       finite_in(p->scale_w, 0, 1e6);
}

void mlp_release(struct mlp *p)
{
	free(p->inputs);
	free(p->weights);
	*p = (struct mlp){.n_inputs = 0};
}
