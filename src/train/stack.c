// SPDX-License-Identifier: Apache-2.0
/* The convex mix of experts: see stack.h. */
#include "train/stack.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "train/lsq.h"

#define STACK_ROUNDS 6
#define STACK_PULL   0.03
#define RESIDUAL_MIN 1e-3

#define BIT(type) (1u << (type))

/*
 * The stack's least squares: rows, then sum = 1, then a pull towards equal
 * shares, as strong as a share of what the experts disagree about.
 */
struct stack {
	size_t n, q;
	double *b, *y, *weight;
	uint8_t *fold;
};

static void stack_release(struct stack *s)
{
	free(s->b);
	free(s->y);
	free(s->weight);
	free(s->fold);
}

static void stack_weigh(struct stack *s, const double *share, const double *row_share, size_t rows)
{
	double total = 0, spread = 0;

	for (size_t i = 0; i < rows; i++) {
		const double *b = s->b + i * s->q;
		double residual = -s->y[i], mean = 0, square = 0, weight;

		for (size_t j = 0; j < s->q; j++) {
			residual += share[j] * b[j];
			mean += b[j] / (double)s->q;
		}
		for (size_t j = 0; j < s->q; j++)
			square += (b[j] - mean) * (b[j] - mean) / (double)s->q;
		weight = row_share[i] / fmax(fabs(residual), RESIDUAL_MIN);
		s->weight[i] = sqrt(weight);
		total += weight;
		spread += weight * square;
	}
	s->weight[rows] = 1e2 * sqrt(total);
	for (size_t j = 0; j < s->q; j++)
		s->weight[rows + 1 + j] = sqrt(STACK_PULL * spread);
}

static int stack_solve(struct stack *s, double *share, struct err *e)
{
	static const bool not_free[EXPERT_COUNT];
	static const double no_penalty[EXPERT_COUNT];
	struct columns c = {
		.n = s->n, .q = s->q, .b = s->b, .free = not_free, .penalty = no_penalty};
	struct gram *g = NULL;
	int r = gram_new(&c, s->y, s->weight, s->fold, 1, &g, e);

	if (r == 0)
		r = gram_solve(g, 0, 0, share, e);
	gram_free(g);
	return r;
}

/* The row's weight within all, every kind of fold the same; fills b and y in relative units. */
static size_t stack_fill(const struct scores *sc, unsigned types, struct stack *s,
			 double *row_share)
{
	size_t count[FOLD_TYPES] = {0}, rows = 0;

	for (size_t i = 0; i < sc->n; i++)
		count[sc->rows[i].type]++;
	for (size_t i = 0; i < sc->n; i++) {
		const struct scored *r = &sc->rows[i];
		double w = score_weight(sc, r->y);

		if (!(types & BIT(r->type)))
			continue;
		for (size_t j = 0; j < s->q; j++)
			s->b[rows * s->q + j] = w * r->w[j];
		s->y[rows] = w * r->y;
		row_share[rows++] = 1 / (double)count[r->type];
	}
	for (size_t j = 0; j < s->q; j++) {
		s->b[rows * s->q + j] = 1;
		s->b[(rows + 1 + j) * s->q + j] = 1;
		s->y[rows + 1 + j] = 1 / (double)s->q;
	}
	s->y[rows] = 1;
	s->n = rows + 1 + s->q;
	return rows;
}

int stack_shares(const struct scores *sc, unsigned types, double ret_share[EXPERT_COUNT],
		 struct err *e)
{
	size_t q = EXPERT_COUNT, rows, room = sc->n + EXPERT_COUNT + 2;
	struct stack s = {.q = q};
	autofree double *row_share = calloc(room, sizeof(double));
	double share[EXPERT_COUNT] = {0}, sum = 0;
	int r = 0;

	s.b = calloc(room * q, sizeof(double));
	s.y = calloc(room, sizeof(double));
	s.weight = calloc(room, sizeof(double));
	s.fold = calloc(room, 1);
	if (!s.b || !s.y || !s.weight || !s.fold || !row_share) {
		stack_release(&s);
		return err_nomem(e);
	}
	rows = stack_fill(sc, types, &s, row_share);
	for (size_t j = 0; j < q; j++)
		share[j] = 1 / (double)q;
	for (int round = 0; r == 0 && rows && round < STACK_ROUNDS; round++) {
		stack_weigh(&s, share, row_share, rows);
		r = stack_solve(&s, share, e);
	}
	stack_release(&s);
	for (size_t j = 0; j < q; j++)
		sum += share[j];
	for (size_t j = 0; j < q; j++)
		ret_share[j] = sum > 0 ? share[j] / sum : 1 / (double)q;
	return r;
}
