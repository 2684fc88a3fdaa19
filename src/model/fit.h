/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_FIT_H
#define MODEL_FIT_H

/* Which machine a bundle fits: a confident wrong number is the worst thing to say. */

#include "collect/identity.h"
#include "model/model.h"

/* Intervals of a bundle that has expired are that much wider. */
#define EXPIRED_WIDEN 1.5

/* How far this machine is from the one a bundle was trained on. */
struct fit {
	double mismatch; /* points, 0: a match; see docs of confidence in model/estimate.h */
	double widen;	 /* interval factor, >= 1 */
	char why[160];	 /* "" or what differs */
};

/*
 * Another vendor: 2 points, intervals x 1.5. Another CPU family or model: 1 point, x 1.25. More or
 * fewer vCPUs than in training: 0.5 points, x 1.2, for each doubling or halving from there, or part
 * of one. Only the model's name differs: 0.25 points, x 1.1. A core clock r times what it was when
 * this machine was first seen (r > 1, or its inverse): r - 1 points, x r. What either side does not
 * say matches.
 */
void fit_machine(const struct applicability *a, const struct identity *id, double vcpus,
		 struct fit *ret);

#endif
