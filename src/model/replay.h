/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_REPLAY_H
#define MODEL_REPLAY_H

/*
 * A recording's rows into estimates, one by one: stream, model set, prior.
 * What `estimate` prints and what `evaluate` scores both come from here.
 */

#include "model/estimate.h"
#include "model/prior.h"

struct replay; /* owned by the caller of replay_new */

struct replay_options {
	const struct model_set *set; /* NULL: the prior answers everything; borrowed */
	const struct prior *prior;   /* borrowed */
	double step_s;		     /* usual time between rows; NaN or 0: not known */
	bool stateless;		     /* rows are no time series, or history is not wanted */
};

int replay_new(const struct replay_options *o, struct replay **ret, struct err *e);

/* NULL is fine. */
void replay_free(struct replay *p);

/* The next row starts a new series. */
void replay_reset(struct replay *p);

/*
 * row->dt_s is what the row averages over, NaN when not known. Rows about as
 * long as those the set was trained on are fed as they are; shorter ones are
 * averaged over the trained window. Allocates nothing.
 */
void replay_row(struct replay *p, const struct row *row, struct estimate *ret);

/*
 * One row by itself, as for a stream's first row: models without history,
 * then the prior. Safe for any number of threads. Allocates nothing.
 */
void replay_stateless(const struct model_set *set, const struct prior *prior, const struct row *row,
		      struct estimate *ret);

#endif
