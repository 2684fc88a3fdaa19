// SPDX-License-Identifier: Apache-2.0
/* The confidence threshold: see policy.h. */
#include "agent/policy.h"

bool policy_update(struct policy *p, double confidence, double threshold)
{
	bool wants_change =
		p->low ? confidence >= threshold + POLICY_HYSTERESIS : confidence < threshold;

	p->votes = wants_change ? p->votes + 1 : 0;
	if (p->votes >= POLICY_SAMPLES) {
		p->low = !p->low;
		p->votes = 0;
	}
	return p->low;
}
