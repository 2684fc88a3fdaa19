/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_LSQ_H
#define TRAIN_LSQ_H

/*
 * Weighted ridge least squares with sign constraints, on normal equations:
 *
 *   minimise  sum_i w_i^2 (y_i - b_i . c)^2 + ridge^2 n mean(w)^2 sum_j penalty_j (s_j c_j)^2
 *   subject   to c_j >= 0 where column j is not free
 *
 * where s_j is the mean absolute value of column j, so that `ridge` has no
 * unit. Solved by Lawson and Hanson's active set (Solving Least Squares
 * Problems, 1974, ch. 23) on the Gram matrix, each step a Cholesky solve.
 * Rows are summed per fold once, so leaving a fold out is a subtraction.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct columns {
	size_t n, q;	       /* rows, columns */
	const double *b;       /* n x q, row-major */
	const bool *free;      /* q; the coefficient may be negative */
	const double *penalty; /* q; 0 for an intercept */
};

struct gram; /* one Gram matrix per fold */

/* Row i belongs to fold[i] < n_folds <= 64; rows with weight 0 are left out. */
int gram_new(const struct columns *c, const double *y, const double *weight, const uint8_t *fold,
	     size_t n_folds, struct gram **ret, struct err *e);
void gram_free(struct gram *g);

/*
 * The coefficients c[q] from every row but those whose fold has its bit in
 * `without` (0: from all). ERR_DATA when the folds left have no row.
 */
int gram_solve(const struct gram *g, uint64_t without, double ridge, double *ret_c, struct err *e);

#endif
