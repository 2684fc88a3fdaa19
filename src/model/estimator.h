/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_ESTIMATOR_H
#define MODEL_ESTIMATOR_H

/*
 * Rows into estimates, one by one: stream, model set, prior. What the agent
 * serves, what `estimate` prints and what `evaluate` scores come from here.
 */

#include "model/estimate.h"
#include "model/prior.h"

struct estimator; /* owned by the caller of estimator_new */

struct estimator_options {
	const struct model_set *set; /* NULL: the prior answers everything; borrowed */
	const struct prior *prior;   /* borrowed */
	double step_s;		     /* usual time between rows; NaN or 0: not known */
	bool stateless;		     /* rows are no time series, or history is not wanted */
};

int estimator_new(const struct estimator_options *o, struct estimator **ret, struct err *e);

/* NULL is fine. */
void estimator_free(struct estimator *p);

/* From here on intervals are wider and confidence lower: see struct estimate_options. */
void estimator_set_fit(struct estimator *p, double widen, double mismatch);

/* The next row starts a new series. */
void estimator_reset(struct estimator *p);

/*
 * Push the next row; the model set answers what it can, nothing else.
 * row->dt_s is what the row averages over, NaN when not known. Rows about as
 * long as those the set was trained on are fed as they are; shorter ones are
 * averaged over the trained window. Allocates nothing.
 */
void estimator_push(struct estimator *p, const struct row *row, struct estimate *ret);

/*
 * Take over the past of another estimator of the same bundle, which is then without one: what it
 * answered last estimator_again() answers anew. False where that past has other inputs.
 */
bool estimator_inherit(struct estimator *p, struct estimator *from);

/* The row pushed last once more, which is no row of the past. */
void estimator_again(struct estimator *p, const struct row *row, struct estimate *ret);

/* The values of the set's inputs for the row pushed last; NULL without a set. */
const double *estimator_inputs(const struct estimator *p);

/* What physics models alone say of the row pushed last. */
void estimator_physics(struct estimator *p, struct estimate *ret);

/* As estimator_push; then the prior answers what is left. */
void estimator_row(struct estimator *p, const struct row *row, struct estimate *ret);

/*
 * One row by itself, as for a stream's first row: models without history,
 * then the prior. Safe for any number of threads. Allocates nothing.
 */
void estimator_stateless(const struct model_set *set, const struct prior *prior,
			 const struct row *row, struct estimate *ret);

/* As estimator_stateless, on a machine the set fits only so far: see estimator_set_fit. */
void estimator_stateless_fit(const struct model_set *set, const struct prior *prior,
			     const struct row *row, double widen, double mismatch,
			     struct estimate *ret);

#endif
