/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_FOLDS_H
#define TRAIN_FOLDS_H

/*
 * Folds that imitate deployment, each a set of rows to leave out:
 *
 *   A  groups (runs, workloads, machines)      B  a third of the groups, contiguous in time
 *   C  a cluster of groups that are alike      D  the top fifth of the labels
 *   E  pieces of every run
 *
 * B and C need 8 groups; A needs 2.
 */

#include "train/design.h"

enum fold_type { FOLD_A, FOLD_B, FOLD_C, FOLD_D, FOLD_E, FOLD_TYPES };

#define SHIFT_FOLDS_MAX 16
#define GROUPS_FEW	8 /* from so many on, the rows of all of them speak for the next */

struct shift_fold {
	enum fold_type type;
	uint8_t *out; /* by row of the design: 1 is left out */
};

struct shift_folds {
	size_t n, n_groups; /* n_groups: those with labelled rows */
	struct shift_fold folds[SHIFT_FOLDS_MAX];
};

/* Rows without a finite y are in no fold. */
int shift_folds_new(const struct design *d, const double *y, struct shift_folds *ret,
		    struct err *e);
void shift_folds_release(struct shift_folds *f);

#endif
