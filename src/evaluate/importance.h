/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EVALUATE_IMPORTANCE_H
#define EVALUATE_IMPORTANCE_H

/*
 * Permutation importance: by how much the mean absolute error rises when a
 * feature's column is shuffled, for any family of models. Columns that follow
 * each other (|correlation| >= IMPORTANCE_SAME) are shuffled together, as one
 * item: alone, each would look dispensable. History sees the shuffled past
 * too. On at most IMPORTANCE_ROWS rows, in pieces of consecutive rows spread
 * evenly over the table; the shuffle is the same every time.
 */

#include "evaluate/answers.h"

#define IMPORTANCE_ROWS	 2000
#define IMPORTANCE_PIECE 100
#define IMPORTANCE_SAME	 0.98

struct importance_item {
	bool has[FEATURE_COUNT];
	double rise_w[ZONE_COUNT]; /* of the MAE; NaN for zones without labels */
};

struct importance {
	size_t rows;		  /* looked at */
	double mae_w[ZONE_COUNT]; /* on these, nothing shuffled */
	size_t n;
	struct importance_item items[FEATURE_COUNT];
};

/* For the features that `s` (NULL: the prior) looks at and the table has. */
int importance_compute(const struct table *t, const struct model_set *s,
		       const struct evaluate_options *o, struct importance *ret, struct err *e);

#endif
