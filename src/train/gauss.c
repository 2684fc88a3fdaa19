// SPDX-License-Identifier: Apache-2.0
/* A small Gaussian process: see gauss.h. */
#include "train/gauss.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"

static const double noises[] = {1e-6, 1e-4, 1e-2}; /* shares of the variance */
static const double lengths[] = {0.1, 0.15, 0.25, 0.4, 0.7, 1.2, 2.5};

struct gauss {
	const double *u; /* borrowed */
	size_t n, dims;
	double mean, sd; /* of y */
	double length[GAUSS_DIMS_MAX];
	double noise;
	double variance;	    /* of the process, in standardised units */
	double *y, *k, *alpha, *at; /* standardised; Cholesky factor; K^-1 y; a column */
};

static double matern(const struct gauss *g, const double *a, const double *b)
{
	double square = 0, r;

	for (size_t j = 0; j < g->dims; j++)
		square += (a[j] - b[j]) * (a[j] - b[j]) / (g->length[j] * g->length[j]);
	r = sqrt(5 * square);
	return (1 + r + r * r / 3) * exp(-r);
}

/* Factor with these lengths; the log marginal likelihood, with the best variance. */
static double factor(struct gauss *g)
{
	size_t n = g->n;
	double fit = 0, logs = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j <= i; j++)
			g->k[i * n + j] = matern(g, g->u + i * g->dims, g->u + j * g->dims);
		g->k[i * n + i] += g->noise;
		g->alpha[i] = g->y[i];
	}
	if (LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'L', (int)n, g->k, (int)n) != 0 ||
	    LAPACKE_dpotrs(LAPACK_ROW_MAJOR, 'L', (int)n, 1, g->k, (int)n, g->alpha, 1) != 0)
		return -INFINITY;
	for (size_t i = 0; i < n; i++) {
		fit += g->y[i] * g->alpha[i];
		logs += log(g->k[i * n + i]);
	}
	g->variance = fmax(fit / (double)n, 1e-12);
	return -0.5 * (double)n * log(g->variance) - logs;
}

/* The value of the list that makes y most likely goes to *at; `best` is the likelihood so far. */
static double choose(struct gauss *g, double *at, const double *list, size_t n, double best)
{
	double chosen = *at;

	for (size_t l = 0; l < n; l++) {
		double likelihood;

		*at = list[l];
		likelihood = factor(g);
		if (likelihood > best) {
			best = likelihood;
			chosen = list[l];
		}
	}
	*at = chosen;
	return best;
}

/* All lengths alike first; then the noise and each length on its own, twice. */
static void choose_lengths(struct gauss *g)
{
	double best = -INFINITY, chosen = lengths[0];

	g->noise = noises[1];
	for (size_t l = 0; l < array_size(lengths); l++) {
		double likelihood;

		for (size_t j = 0; j < g->dims; j++)
			g->length[j] = lengths[l];
		likelihood = factor(g);
		if (likelihood > best) {
			best = likelihood;
			chosen = lengths[l];
		}
	}
	for (size_t j = 0; j < g->dims; j++)
		g->length[j] = chosen;
	for (int round = 0; round < 2; round++) {
		best = choose(g, &g->noise, noises, array_size(noises), best);
		for (size_t j = 0; j < g->dims; j++)
			best = choose(g, &g->length[j], lengths, array_size(lengths), best);
	}
}

static void standardise(struct gauss *g, const double *y)
{
	double square = 0;

	for (size_t i = 0; i < g->n; i++)
		g->mean += y[i] / (double)g->n;
	for (size_t i = 0; i < g->n; i++)
		square += (y[i] - g->mean) * (y[i] - g->mean) / (double)g->n;
	g->sd = square > 0 ? sqrt(square) : 1;
	for (size_t i = 0; i < g->n; i++)
		g->y[i] = (y[i] - g->mean) / g->sd;
}

int gauss_new(const double *u, const double *y, size_t n, size_t dims, struct gauss **ret,
	      struct err *e)
{
	struct gauss *g = calloc(1, sizeof(*g));

	if (!g)
		return err_nomem(e);
	*g = (struct gauss){.u = u, .n = n, .dims = dims};
	g->y = calloc(n + 1, sizeof(double));
	g->k = calloc(n * n + 1, sizeof(double));
	g->alpha = calloc(n + 1, sizeof(double));
	g->at = calloc(n + 1, sizeof(double));
	if (!g->y || !g->k || !g->alpha || !g->at) {
		gauss_free(g);
		return err_nomem(e);
	}
	standardise(g, y);
	choose_lengths(g);
	if (!isfinite(factor(g))) {
		gauss_free(g);
		return err_set(e, -ERR_DATA, "the Gaussian process has no factor");
	}
	*ret = g;
	return 0;
}

void gauss_free(struct gauss *g)
{
	if (!g)
		return;
	free(g->y);
	free(g->k);
	free(g->alpha);
	free(g->at);
	free(g);
}

double gauss_improvement(struct gauss *g, const double *u, double best)
{
	double mean = 0, left = 1, sd, z;

	for (size_t i = 0; i < g->n; i++) {
		g->at[i] = matern(g, u, g->u + i * g->dims);
		mean += g->at[i] * g->alpha[i];
	}
	for (size_t i = 0; i < g->n; i++) { /* forward substitution */
		double v = g->at[i];

		for (size_t j = 0; j < i; j++)
			v -= g->k[i * g->n + j] * g->at[j];
		g->at[i] = v / g->k[i * g->n + i];
		left -= g->at[i] * g->at[i];
	}
	sd = sqrt(g->variance * fmax(left, 1e-12));
	z = ((best - g->mean) / g->sd - mean) / sd;
	return g->sd * sd * (z * 0.5 * erfc(-z / M_SQRT2) + exp(-z * z / 2) / sqrt(2 * M_PI));
}
