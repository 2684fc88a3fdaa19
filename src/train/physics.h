/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_PHYSICS_H
#define TRAIN_PHYSICS_H

/*
 * The physics of a blend: non-negative least squares on one basis for every
 * dataset. (A basis chosen per dataset by fold error transfers worse.)
 */

#include "model/model.h"
#include "train/design.h"

struct physics_rows {
	const struct design *d;
	const double *x;    /* d->n x d->p, finite */
	const double *y;    /* by row of d */
	const size_t *rows; /* which rows to fit on */
	size_t n;
	bool bends; /* hinges of busy time and cycles too: one machine, whose curve may bend */
};

/*
 * `delta` adds hinges and differences with the past (TERM_DELTA). Rows weigh
 * 1 / max(y, 5 % of the largest). Terms that are 0 in nearly all rows are left
 * out; a term counts at most twice its largest value in these rows.
 */
int physics_fit(const struct physics_rows *r, enum tier tier, bool delta, struct physics *ret,
		struct err *e);

#endif
