/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_KERNEL_H
#define TRAIN_KERNEL_H

/*
 * A Gaussian process on the log residuals of physics (Matern 3/2, Nystroem's
 * approximation: Rasmussen and Williams, Gaussian Processes for Machine
 * Learning, 2006, ch. 8.3), in a space whose coordinates weigh as much as the
 * boosted trees found them worth; and the reference points that tell how far
 * a row lies from training.
 */

#include "base/err.h"
#include "model/model.h"

struct kernel_data {
	size_t n, q, q_now;   /* rows, columns, the columns without past and slow levels */
	const float *x;	      /* n x q */
	const double *gain;   /* q */
	const double *target; /* n, log residuals */
	unsigned seed;
};

/* Fill centres, alpha, length, reference and median of `b`. */
int kernel_fit(const struct kernel_data *k, struct blend *b, struct err *e);

#endif
