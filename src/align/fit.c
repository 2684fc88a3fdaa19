// SPDX-License-Identifier: Apache-2.0
/* Lines through points, and comparing two of them: see fit.h. */
#include "align/fit.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* What is left of rounding is no variation. */
#define ROUNDING 1e-9

size_t fit_block(const struct points *p, size_t i)
{
	return i * FIT_BLOCKS / p->n;
}

void sums_add(struct sums *t, const struct points *p, double x, size_t i)
{
	double dx = x - p->x0, dy = p->y[i] - p->y0;

	t->n++;
	t->x += dx;
	t->y += dy;
	t->xx += dx * dx;
	t->xy += dx * dy;
	t->yy += dy * dy;
}

void sums_combine(struct sums *t, const struct sums *other)
{
	t->n += other->n;
	t->x += other->x;
	t->y += other->y;
	t->xx += other->xx;
	t->xy += other->xy;
	t->yy += other->yy;
}

struct sums sums_of(const struct points *p, const double *x)
{
	struct sums t = {0};

	for (size_t i = 0; i < p->n; i++) {
		if (!isnan(x[i]))
			sums_add(&t, p, x[i], i);
	}
	return t;
}

double sums_correlation(const struct sums *t)
{
	double xx = t->xx - t->x * t->x / t->n, yy = t->yy - t->y * t->y / t->n;
	double xy = t->xy - t->x * t->y / t->n;
	bool flat = !(xx > ROUNDING * t->xx) || !(yy > ROUNDING * t->yy);

	return t->n < 3 || flat ? NAN : xy / sqrt(xx * yy);
}

void fit_losses(const struct points *p, const double *x, const double *only, double ret[FIT_BLOCKS])
{
	struct sums t = {0};
	double a, b;

	memset(ret, 0, FIT_BLOCKS * sizeof(*ret));
	for (size_t i = 0; i < p->n; i++) {
		if (!isnan(x[i]) && !isnan(only[i]))
			sums_add(&t, p, x[i], i);
	}
	if (t.n < 1)
		return;
	b = (t.xy - t.x * t.y / t.n) / (t.xx - t.x * t.x / t.n);
	b = b > 0 ? b : 0;
	a = (t.y - b * t.x) / t.n;
	for (size_t i = 0; i < p->n; i++) {
		double loss = p->y[i] - p->y0 - a - b * (x[i] - p->x0);

		if (!isnan(x[i]) && !isnan(only[i]))
			ret[fit_block(p, i)] += loss * loss;
	}
}

double fit_advantage(const struct points *p, const double *x, const double *other,
		     double *ret_share)
{
	double mine[FIT_BLOCKS], theirs[FIT_BLOCKS], own = 0, sum = 0, squares = 0;

	fit_losses(p, x, other, mine);
	fit_losses(p, other, x, theirs);
	for (size_t k = 0; k < FIT_BLOCKS; k++) {
		own += mine[k];
		sum += theirs[k] - mine[k];
	}
	for (size_t k = 0; k < FIT_BLOCKS; k++) {
		double deviation = theirs[k] - mine[k] - sum / FIT_BLOCKS;

		squares += deviation * deviation;
	}
	*ret_share = own > 0 ? sum / own : sum > 0 ? INFINITY : 0;
	if (!(squares > 0))
		return sum > 0 ? INFINITY : 0;
	return sum / sqrt(squares * FIT_BLOCKS / (FIT_BLOCKS - 1.0));
}
