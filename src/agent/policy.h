/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_POLICY_H
#define AGENT_POLICY_H

/*
 * Whether to trust: when an estimate's confidence is too low, with hysteresis
 * so that a zone does not flap.
 */

#include <stdbool.h>

#define POLICY_HYSTERESIS 0.05
#define POLICY_SAMPLES	  3

struct policy {
	bool low;	/* the zone is below the threshold */
	unsigned votes; /* samples in a row that want a change */
};

/* Count one sample of confidence; returns whether the zone is low now. */
bool policy_update(struct policy *p, double confidence, double threshold);

#endif
