/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALIGN_FIT_H
#define ALIGN_FIT_H

/*
 * How well a rising line y = a + b x, b >= 0, tells one series from another,
 * and whether one x tells it better than another x. An x that is NaN is a
 * point that is not compared.
 *
 * Points in the order of time fall into FIT_BLOCKS blocks: neighbours are
 * alike, blocks are nearly independent, so what differs between blocks is what
 * chance does.
 */

#include <stddef.h>

#define FIT_BLOCKS 10

struct points {
	size_t n;
	double *y;
	double x0, y0; /* near the means: sums are of deviations from them */
};

struct sums {
	double n, x, y, xx, xy, yy;
};

/* The block of point i. */
size_t fit_block(const struct points *p, size_t i);

void sums_add(struct sums *t, const struct points *p, double x, size_t i);

/* t += other */
void sums_combine(struct sums *t, const struct sums *other);

/* Of all points that have an x. */
struct sums sums_of(const struct points *p, const double *x);

/* Pearson's r; NaN for fewer than 3 points, or when x or y is constant. */
double sums_correlation(const struct sums *t);

/*
 * Sum per block of the squared distances from the line that fits x best, over
 * the points that `only` has as well.
 */
void fit_losses(const struct points *p, const double *x, const double *only,
		double ret[FIT_BLOCKS]);

/*
 * By how many standard errors x tells y better than `other` does, over the
 * points that both have: with d_k the difference of their losses in block k,
 * sum d / sqrt(B/(B-1) sum (d_k - mean d)^2). `ret_share` is by how
 * much of its own loss x is better.
 */
double fit_advantage(const struct points *p, const double *x, const double *other,
		     double *ret_share);

#endif
