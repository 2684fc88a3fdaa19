/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_BLEND_INTERVAL_H
#define TRAIN_BLEND_INTERVAL_H

/*
 * The 90 % interval of a blend: split-conformal, Mondrian by distance, and
 * normalised by a local scale where that pays (Papadopoulos et al., Normalized
 * nonconformity measures, 2008). A quantile regression forest (Meinshausen, 2006),
 * grown on log misses, says how far labels lie from the watts in rows like this one,
 * say just after the load has jumped: by one scale for both ends, or by one for each.
 * What is used is what has the lowest interval score (Gneiting and Raftery, 2007) on
 * groups that the forest did not see. With few groups (few_groups.h) there is no local scale, and
 * the ends move apart for the group to come.
 */

#include "train/experts.h"

/* A row, and what was said of it without it. */
struct left_out {
	size_t row;
	double y, w, z;
	double distance; /* outside the training data, see model_distance() */
	bool near;	 /* counts for the coverage that the card states */
};

/* What a local scale takes in a bundle at most: its trees, and the upper ends' leaves. */
#define SPREAD_TREES   20
#define SPREAD_DEPTH   5
#define INTERVAL_BYTES (SPREAD_TREES * (4 + (8 << (SPREAD_DEPTH + 1)) + (4 << SPREAD_DEPTH)))

struct interval_task {
	const struct pool *p;
	const struct left_out *rows;
	size_t n, groups;
	double scale_w; /* misses count relative to max(w, scale_w) */
	unsigned seed;
};

/* Fills b->spread and b->spread_up (none: constant; alike) and the interval. b->columns and its
 * gate must be set. */
int blend_interval(const struct interval_task *t, struct blend *b, struct interval *ret,
		   double *ret_coverage, struct err *e);

#endif
