/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRAIN_JUDGE_H
#define RETRAIN_JUDGE_H

/* Candidate against serving bundle on the held-out window, and the round's line of the history. */

#include "model/model.h"
#include "retrain/intake.h"

struct judged {
	const struct model_set *candidate, *serving; /* serving NULL: the prior */
	const struct table *trained_on, *held;
	const struct intake *intake;
	const struct state *state;
};

/* *ret_promote is the decision; the JSON object is added to `line`. */
int judge_round(const struct judged *j, const struct retrain_options *o, struct text *line,
		bool *ret_promote, struct err *e);

#endif
