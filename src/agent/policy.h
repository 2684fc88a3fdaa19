/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_POLICY_H
#define AGENT_POLICY_H

/*
 * Whether to trust: which machine a bundle fits, and when an estimate's
 * confidence is too low, with hysteresis so that a zone does not flap.
 */

#include <stdbool.h>

#include "collect/identity.h"
#include "model/model.h"

/* How far this machine is from the one a bundle was trained on. */
struct fit {
	double mismatch; /* points, 0: a match; see docs of confidence in model/estimate.h */
	double widen;	 /* interval factor, >= 1 */
	char why[160];	 /* "" or what differs */
};

/*
 * Another vendor: 2 points, intervals x 1.5. Another CPU family or model:
 * 1 point, x 1.25. More or fewer vCPUs than in training: 0.5 points, x 1.2.
 * Only the model's name differs: 0.25 points, x 1.1. What either side does not
 * say matches.
 */
void fit_machine(const struct applicability *a, const struct identity *id, double vcpus,
		 struct fit *ret);

#define POLICY_HYSTERESIS 0.05
#define POLICY_SAMPLES	  3

struct policy {
	bool low;	/* the zone is below the threshold */
	unsigned votes; /* samples in a row that want a change */
};

/* Count one sample of confidence; returns whether the zone is low now. */
bool policy_update(struct policy *p, double confidence, double threshold);

#endif
