/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_BOOST_H
#define TRAIN_BOOST_H

/*
 * Boosted trees and random forests, grown by XGBoost and turned into our own
 * arrays (struct trees), which give XGBoost's numbers without it.
 */

#include "base/err.h"
#include "model/model.h"

struct boost_data {
	size_t n, q;
	const float *x;	     /* n x q, row-major, finite */
	const float *y;	     /* n */
	const float *weight; /* n; NULL: all alike */
};

struct boost_options {
	bool forest; /* all trees at once, each on its own rows; else one after the other */
	unsigned n_trees, depth;
	double rate; /* of boosting */
	double min_child_weight, lambda, row_share, column_share;
	unsigned bins; /* of a column, where a tree may cut it */
	unsigned seed;
	const bool *rising; /* q: the answer never falls with these columns; NULL: with none */
};

/*
 * Fit and convert; `gain` (q, or NULL) has each column's total gain added.
 * One thread, so the same data give the same trees on every machine.
 */
int boost_fit(const struct boost_data *d, const struct boost_options *o, struct trees *ret,
	      double *gain, struct err *e);

#endif
