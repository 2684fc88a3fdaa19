/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_CROSSVAL_H
#define TRAIN_CROSSVAL_H

/*
 * Cross-validation of one candidate on one zone's label: the hyper-parameters
 * that predict left-out rows best, and what they predict there.
 *
 * Two views are averaged: folds that leave groups out (blocks of time when
 * there is one group), and the last fifth of the recording left out.
 */

#include "train/candidate.h"

struct crossval {
	/* Rows weigh 1 / max(y, 5 % of the largest) ^ power; a network's ridge is its decay. */
	double weight_power, ridge;
	double wmape, tail_wmape, score; /* score: their mean */
	double mae_w;
	size_t rows;
	double floor_w, max_w; /* estimates are clamped to these */
	double *predicted_w;   /* by row: from folds without it; NaN where none */
	double *coefficients;  /* candidate_coefficients() of them, from all rows */
};

/* Without the one part that has labels there is nothing to learn from. */
#define CROSSVAL_NO_FOLD                                                                           \
	"its labels are all in one part of what cross-validation leaves out; another run or "      \
	"group with them is needed"

/*
 * Rows that count: label finite, candidate's inputs present. ERR_DATA with under 10 of them, or
 * where all of them are in one fold.
 */
int crossval_run(const struct candidate *c, const double *y, struct crossval *ret, struct err *e);

#define MLP_FOLD_ROWS  2000  /* that a network of one fold is fitted on, at most */
#define MLP_FINAL_ROWS 50000 /* that the network in the bundle is fitted on, at most */

/* crossval_run for a network (crossval_mlp.c), which is fitted anew for every fold. */
int crossval_mlp(const struct candidate *c, const double *y, struct crossval *ret, struct err *e);
void crossval_release(struct crossval *v);

#endif
