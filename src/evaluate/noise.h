/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EVALUATE_NOISE_H
#define EVALUATE_NOISE_H

/*
 * The noise floor: what rows that look alike differ by.
 *
 *   floor = 1/q sum_i |y_i - y_nn(i)| / sqrt(2)
 *
 * nn(i) is the row nearest to i, by Euclidean distance over the features
 * (each less its mean, over its standard deviation; missing counts as the
 * mean), among rows of another group: neighbours in time share their noise.
 * With one group, among rows more than NOISE_APART rows away. If labels are a
 * function of the features plus independent Gaussian noise, the floor is the
 * mean absolute error of that function itself: E|e| = E|e - e'| / sqrt(2). It is
 * high where neighbours are far (`distance`); models that see the past, or
 * were trained on the row's own group, may go below it. q is at most NOISE_QUERIES rows, compared
 * with at most NOISE_ROWS, spread evenly.
 */

#include "align/table.h"

#define NOISE_QUERIES 1500
#define NOISE_ROWS    8000
#define NOISE_APART   10

struct noise {
	size_t pairs;	 /* q; 0: no pair, the rest is NaN */
	double floor_w;	 /* as above */
	double distance; /* median from row to neighbour: root mean square over features, in
			    standard deviations */
};

int noise_compute(const struct table *t, enum zone z, struct noise *ret, struct err *e);

#endif
