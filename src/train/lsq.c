// SPDX-License-Identifier: Apache-2.0
/* Least squares with sign constraints: see lsq.h. */
#include "train/lsq.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define BLOCK 512 /* rows weighted and multiplied at a time */

struct fold_sum {
	double *g;   /* q x q, upper triangle */
	double *h;   /* q */
	double *abs; /* q: sum of |b| */
	double weight, rows;
};

struct gram {
	size_t q, n_folds;
	bool *free;
	double *penalty;
	struct fold_sum *folds;
};

void gram_free(struct gram *g)
{
	if (!g)
		return;
	for (size_t k = 0; g->folds && k < g->n_folds; k++) {
		free(g->folds[k].g);
		free(g->folds[k].h);
		free(g->folds[k].abs);
	}
	free(g->folds);
	free(g->free);
	free(g->penalty);
	free(g);
}

static struct gram *gram_alloc(const struct columns *c, size_t n_folds)
{
	struct gram *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->q = c->q;
	g->n_folds = n_folds;
	g->free = calloc(c->q, sizeof(*g->free));
	g->penalty = calloc(c->q, sizeof(*g->penalty));
	g->folds = calloc(n_folds, sizeof(*g->folds));
	if (!g->free || !g->penalty || !g->folds)
		goto fail;
	memcpy(g->free, c->free, c->q * sizeof(*g->free));
	memcpy(g->penalty, c->penalty, c->q * sizeof(*g->penalty));
	for (size_t k = 0; k < n_folds; k++) {
		struct fold_sum *f = &g->folds[k];

		f->g = calloc(c->q * c->q, sizeof(double));
		f->h = calloc(c->q, sizeof(double));
		f->abs = calloc(c->q, sizeof(double));
		if (!f->g || !f->h || !f->abs)
			goto fail;
	}
	return g;
fail:
	gram_free(g);
	return NULL;
}

static void add_block(struct fold_sum *f, size_t q, const double *rows, const double *y, size_t n)
{
	cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)q, (int)n, 1, rows, (int)q, 1, f->g,
		    (int)q);
	cblas_dgemv(CblasRowMajor, CblasTrans, (int)n, (int)q, 1, rows, (int)q, y, 1, 1, f->h, 1);
}

int gram_new(const struct columns *c, const double *y, const double *weight, const uint8_t *fold,
	     size_t n_folds, struct gram **ret, struct err *e)
{
	struct gram *g = gram_alloc(c, n_folds);
	autofree double *rows = calloc(BLOCK * (c->q + 1), sizeof(double));
	autofree double *wy = calloc(BLOCK, sizeof(double));

	if (!g || !rows || !wy) {
		gram_free(g);
		return err_nomem(e);
	}
	for (size_t k = 0; k < n_folds; k++) {
		struct fold_sum *f = &g->folds[k];
		size_t filled = 0;

		for (size_t i = 0; i < c->n; i++) {
			const double *b = c->b + i * c->q;

			if (fold[i] != k || !(weight[i] > 0))
				continue;
			for (size_t j = 0; j < c->q; j++) {
				rows[filled * c->q + j] = weight[i] * b[j];
				f->abs[j] += fabs(b[j]);
			}
			wy[filled] = weight[i] * y[i];
			f->weight += weight[i];
			f->rows += 1;
			if (++filled == BLOCK) {
				add_block(f, c->q, rows, wy, filled);
				filled = 0;
			}
		}
		if (filled)
			add_block(f, c->q, rows, wy, filled);
	}
	*ret = g;
	return 0;
}

/* The normal equations of the rows that take part: G (full) and h. */
struct normal {
	size_t q;
	double *g, *h, *c, *scale;
	double *sub, *rhs; /* of the passive columns */
	size_t *at;	   /* their indices */
	bool *passive;
	const bool *free;
};

static void normal_release(struct normal *m)
{
	free(m->g);
	free(m->h);
	free(m->c);
	free(m->scale);
	free(m->sub);
	free(m->rhs);
	free(m->at);
	free(m->passive);
}

static int normal_alloc(struct normal *m, size_t q)
{
	*m = (struct normal){.q = q};
	m->g = calloc(q * q, sizeof(double));
	m->h = calloc(q, sizeof(double));
	m->c = calloc(q, sizeof(double));
	m->scale = calloc(q, sizeof(double));
	m->sub = calloc(q * q, sizeof(double));
	m->rhs = calloc(q, sizeof(double));
	m->at = calloc(q, sizeof(size_t));
	m->passive = calloc(q, sizeof(bool));
	return m->g && m->h && m->c && m->scale && m->sub && m->rhs && m->at && m->passive ? 0 : -1;
}

/* Sum the folds, scale columns to mean 1, add the ridge. Returns the number of rows. */
static double normal_fill(struct normal *m, const struct gram *g, uint64_t without, double ridge)
{
	double rows = 0, weight = 0, mean_weight;

	for (size_t k = 0; k < g->n_folds; k++) {
		const struct fold_sum *f = &g->folds[k];

		if (without >> k & 1)
			continue;
		cblas_daxpy((int)(m->q * m->q), 1, f->g, 1, m->g, 1);
		cblas_daxpy((int)m->q, 1, f->h, 1, m->h, 1);
		cblas_daxpy((int)m->q, 1, f->abs, 1, m->scale, 1);
		rows += f->rows;
		weight += f->weight;
	}
	if (!(rows > 0))
		return 0;
	mean_weight = weight / rows;
	for (size_t j = 0; j < m->q; j++)
		m->scale[j] = m->scale[j] > 0 ? m->scale[j] / rows : 1;
	for (size_t i = 0; i < m->q; i++) {
		m->h[i] /= m->scale[i];
		for (size_t j = i; j < m->q; j++) {
			m->g[i * m->q + j] /= m->scale[i] * m->scale[j];
			m->g[j * m->q + i] = m->g[i * m->q + j];
		}
	}
	for (size_t j = 0; j < m->q; j++) {
		double r = ridge * ridge * g->penalty[j] + 1e-12;

		m->g[j * m->q + j] += r * rows * mean_weight * mean_weight;
	}
	m->free = g->free;
	return rows;
}

/* Solve for the passive columns into rhs[]; returns how many there are, or -1. */
static long solve_passive(struct normal *m)
{
	size_t n = 0;

	for (size_t j = 0; j < m->q; j++) {
		if (m->passive[j])
			m->at[n++] = j;
	}
	for (size_t a = 0; a < n; a++) {
		for (size_t b = 0; b < n; b++)
			m->sub[a * n + b] = m->g[m->at[a] * m->q + m->at[b]];
		m->rhs[a] = m->h[m->at[a]];
	}
	if (n && LAPACKE_dposv(LAPACK_ROW_MAJOR, 'U', (int)n, 1, m->sub, (int)n, m->rhs, 1) != 0)
		return -1;
	return (long)n;
}

/* Go from c towards the solution as far as no constrained coefficient falls below 0. */
static bool step(struct normal *m, size_t n)
{
	double alpha = 1;

	for (size_t a = 0; a < n; a++) {
		size_t j = m->at[a];

		if (!m->free[j] && m->rhs[a] <= 0)
			alpha = fmin(alpha, m->c[j] / (m->c[j] - m->rhs[a] + 1e-300));
	}
	for (size_t a = 0; a < n; a++) {
		size_t j = m->at[a];

		m->c[j] += alpha * (m->rhs[a] - m->c[j]);
		if (!m->free[j] && m->rhs[a] <= 0 && m->c[j] <= 1e-12) {
			m->c[j] = 0;
			m->passive[j] = false;
		}
	}
	return alpha >= 1;
}

/* The constrained column whose rise lowers the error most, or -1. */
static long steepest(const struct normal *m, double tolerance)
{
	double best = tolerance;
	long found = -1;

	for (size_t j = 0; j < m->q; j++) {
		double slope;

		if (m->passive[j])
			continue;
		slope = m->h[j] - cblas_ddot((int)m->q, m->g + j * m->q, 1, m->c, 1);
		if (slope > best) {
			best = slope;
			found = (long)j;
		}
	}
	return found;
}

static int solve(struct normal *m, struct err *e)
{
	double tolerance = 1e-10 * fabs(m->h[cblas_idamax((int)m->q, m->h, 1)]);
	long next = -1;

	for (size_t j = 0; j < m->q; j++)
		m->passive[j] = m->free[j];
	for (size_t round = 0; round < 3 * m->q + 10; round++) {
		bool done = false;

		for (size_t inner = 0; inner <= m->q && !done; inner++) {
			long n = solve_passive(m);

			if (n < 0)
				return err_set(e, -ERR_DATA, "columns are linearly dependent");
			done = step(m, (size_t)n);
		}
		next = steepest(m, tolerance);
		if (next < 0)
			break;
		m->passive[next] = true;
	}
	return 0;
}

int gram_solve(const struct gram *g, uint64_t without, double ridge, double *ret_c, struct err *e)
{
	struct normal m;
	int r = 0;

	if (normal_alloc(&m, g->q) < 0)
		r = err_nomem(e);
	else if (!(normal_fill(&m, g, without, ridge) > 0))
		r = err_set(e, -ERR_DATA, "no rows to fit");
	else
		r = solve(&m, e);
	for (size_t j = 0; r == 0 && j < g->q; j++)
		ret_c[j] = m.c[j] / m.scale[j];
	normal_release(&m);
	return r;
}
