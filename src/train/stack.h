/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_STACK_H
#define TRAIN_STACK_H

/*
 * Stacking (Breiman, Stacked regressions, 1996): shares of the experts, >= 0 and
 * of sum 1, that predict left-out rows best in relative absolute error, found
 * by iteratively reweighted non-negative least squares with a small pull
 * towards equal shares.
 */

#include "train/score.h"

/* From the rows of the kinds of fold in `types` (bits 1 << enum fold_type), which weigh the same.
 */
int stack_shares(const struct scores *s, unsigned types, double ret_share[EXPERT_COUNT],
		 struct err *e);

#endif
