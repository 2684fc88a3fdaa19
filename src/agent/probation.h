/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_PROBATION_H
#define AGENT_PROBATION_H

/*
 * Probation: a new bundle serves while every row it answers is judged, and the
 * version before answers the same rows in its shadow. What is judged is what
 * the bundle alone said, before confidence policy and prior. See enum
 * rollback_reason for what it can fail by.
 */

#include "collect/identity.h"
#include "model/model.h"
#include "publish/snapshot.h"

struct probation;

struct probation_options {
	const struct identity *identity; /* borrowed */
	const struct model_set *set;	 /* what is on probation; borrowed */
	struct model_set *before;	 /* taken over, also on failure; NULL: none */
	double step_s;
	uint64_t ticks; /* rows to serve through, >= 1 */
};

#define PROBATION_VOTES	   3  /* rows in a row that are out of range or inconsistent */
#define PROBATION_ROWS_MIN 20 /* before confidences or errors are compared */
#define PROBATION_RANGE	   10 /* times the upper end of the prior at full load */

enum probation_verdict { PROBATION_GOES_ON, PROBATION_PASSED, PROBATION_FAILED };

int probation_new(const struct probation_options *o, struct probation **ret, struct err *e);

/* NULL is fine. */
void probation_free(struct probation *p);

/* The set on probation was loaded anew, the same version: it goes on. NULL is fine. */
void probation_rebind(struct probation *p, const struct model_set *set);

/* The past says nothing about what comes; what was counted stays. NULL is fine. */
void probation_reset(struct probation *p);

/* The machine, as its identity has it, is another than before. NULL is fine. */
void probation_refit(struct probation *p);

/*
 * Judge one row: `raw` is what the set said of `row`, `truth_w` metered watts
 * by zone (NaN: not this zone) or NULL. *ret_reason is set when it failed.
 * Allocates nothing.
 */
enum probation_verdict probation_row(struct probation *p, const struct row *row,
				     const struct estimate *raw, const double *truth_w,
				     enum rollback_reason *ret_reason);

/* The version before, which the caller owns from here on; only probation_free may follow. */
struct model_set *probation_take_before(struct probation *p);

#endif
