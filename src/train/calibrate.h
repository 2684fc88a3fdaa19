/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_CALIBRATE_H
#define TRAIN_CALIBRATE_H

/*
 * 90 % intervals by split-conformal prediction (Vovk et al., Algorithmic
 * Learning in a Random World, 2005), normalised by max(estimate, 20 % of the
 * mean label) and Mondrian over bands of the estimate: per band, the quantile
 * of |label - estimate| / scale over predictions of rows that were left out.
 * Rows of a group are alike, so the level is raised to 0.9 (1 + 1 / groups); with few groups the
 * ends move apart by next_group() (few_groups.h) instead.
 */

#include "model/model.h"
#include "train/design.h"

struct calibration {
	struct interval interval;
	double coverage_90; /* on folds whose scores were not used for it */
};

/* predicted_w: by row, NaN where there is none. ERR_DATA without one. */
int calibrate(const struct design *d, const double *predicted_w, const double *y,
	      struct calibration *ret, struct err *e);

#endif
