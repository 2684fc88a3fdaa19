/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_PHYSICS_H
#define TRAIN_PHYSICS_H

/*
 * The physics of a blend: non-negative least squares on one basis for every
 * dataset. (A basis chosen per dataset by fold error transfers worse.)
 */

#include "model/model.h"
#include "train/design.h"

/*
 * Kinds of CPU time that may cost watts of their own. A kind of which there never was
 * PHYSICS_KIND_LEAST of what there was of another at most cannot say what it costs: what it is made
 * to say is noise, and wrong by as much as there is more of it.
 */
#define PHYSICS_KINDS	   4
#define PHYSICS_KIND_LEAST 0.05
extern const enum feature physics_kinds[PHYSICS_KINDS];

/*
 * Whether `in` is such a kind, now. A model asks for it with a term or without: far more of it than
 * in training is far from training.
 */
bool physics_is_kind(const struct input *in);

/*
 * How far a term counts beyond the largest value it had: up to that many times it. `convex` is of
 * terms that rise ever faster (squares and the like), `rest` of the others.
 */
struct physics_reach {
	double convex, rest; /* >= 1 */
};

#define PHYSICS_REACH_INIT                                                                         \
	{                                                                                          \
		2, 2                                                                               \
	}

struct physics_rows {
	const struct design *d;
	const double *x;    /* d->n x d->p, finite */
	const double *y;    /* by row of d */
	const size_t *rows; /* which rows to fit on */
	size_t n;
	struct physics_reach reach;
	bool bends; /* hinges of busy time and cycles too: one machine, whose curve may bend */
};

/*
 * `delta` adds hinges and differences with the past (TERM_DELTA). Rows weigh
 * 1 / max(y, 5 % of the largest). Terms that are 0 in nearly all rows are left out.
 */
int physics_fit(const struct physics_rows *r, enum tier tier, bool delta, struct physics *ret,
		struct err *e);

#endif
