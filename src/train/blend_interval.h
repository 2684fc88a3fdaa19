/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_BLEND_INTERVAL_H
#define TRAIN_BLEND_INTERVAL_H

/*
 * The 90 % interval of a blend: split-conformal, Mondrian by distance, and
 * normalised by a local scale where that pays (Papadopoulos et al., Normalized
 * nonconformity measures, 2008): small boosted trees on log(miss) say where the
 * load is hard to estimate, say just after it has jumped. They are used when the
 * interval score (Gneiting and Raftery, 2007) on groups they were not fitted on
 * is lower with them.
 */

#include "train/experts.h"

/* A row, and what was said of it without it. */
struct left_out {
	size_t row;
	double y, w, z;
	bool near; /* counts for the coverage that the card states */
};

struct interval_task {
	const struct pool *p;
	const struct left_out *rows;
	size_t n, groups;
	double scale_w; /* misses count relative to max(w, scale_w) */
	unsigned seed;
};

/* Fills b->spread (none: constant) and the interval. b->columns must be set. */
int blend_interval(const struct interval_task *t, struct blend *b, struct interval *ret,
		   double *ret_coverage, struct err *e);

#endif
