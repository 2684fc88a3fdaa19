/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_GAUSS_H
#define TRAIN_GAUSS_H

/*
 * A small Gaussian process on the unit cube (Rasmussen and Williams, 2006,
 * ch. 2): Matern 5/2; a length per dimension and the noise's share of the variance
 * are chosen from short lists, one after the other, by marginal likelihood.
 */

#include <stddef.h>

#include "base/err.h"

#define GAUSS_DIMS_MAX 6

struct gauss; /* opaque */

/* u: n x dims, y[n]. Standardises y itself. */
int gauss_new(const double *u, const double *y, size_t n, size_t dims, struct gauss **ret,
	      struct err *e);
void gauss_free(struct gauss *g);

/* By how much the value at u[dims] is expected to be below `best`, in units of y. */
double gauss_improvement(struct gauss *g, const double *u, double best);

#endif
