/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

/*
 * How good estimates are. With truth y_i, estimate p_i, interval [l_i, h_i]
 * over the n rows that have both a truth and an estimate:
 *
 *   mae             1/n sum |p - y|
 *   wmape           mae / mean y
 *   mape            mean of |p - y| / y over the rows with y > floor, where
 *                   floor = max(0.1 W, 2 % of the largest y): it means nothing near 0
 *   rmse            sqrt(1/n sum (p - y)^2)
 *   r2              1 - sum (p - y)^2 / sum (y - mean y)^2
 *   bias            1/n sum (p - y)
 *   energy_error    |sum p - sum y| / sum y; on an even cadence, of joules
 *   coverage        share of the rows with an interval whose y lies in it
 *   mean_interval   mean of h - l
 *   interval_score  mean of h - l + (2 / 0.1) x (how far y lies outside): the
 *                   Winkler score of a 90 % interval (Gneiting and Raftery
 *                   2007, "Strictly proper scoring rules"); less is better
 *
 * A figure whose denominator is 0, or that has no rows, is NaN.
 */

#include <stddef.h>

#define METRICS_FLOOR_W	    0.1
#define METRICS_FLOOR_SHARE 0.02
#define METRICS_ALPHA	    0.1 /* of a 90 % interval */

/* Columns of n rows; NaN is missing. low and high may be NULL. */
struct metrics_input {
	size_t n;
	const double *truth_w, *estimate_w, *low_w, *high_w;
};

struct metrics {
	size_t rows;	   /* with truth and estimate */
	size_t unanswered; /* with truth only */
	double mape, mape_floor_w;
	double mae_w, wmape, rmse_w, r2, bias_w, energy_error;
	double coverage, mean_interval_w, interval_score_w;
};

void metrics_compute(const struct metrics_input *in, struct metrics *ret);

#endif
