// SPDX-License-Identifier: Apache-2.0
/* Whether this is still the machine it was: a VM may be moved while it runs. See parts.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/parts.h"
#include "base/cleanup.h"
#include "base/log.h"

#define CHECK_NS INT64_C(300000000000)
#define CLOCK_NS INT64_C(900000000) /* a second, and what a tick may come early */

bool agent_identify(struct agent *a)
{
	autofree struct identity *now = malloc(sizeof(*now));

	if (!now || identity_read(now, &a->root, NULL) < 0)
		return false;
	a->identity = *now;
	return true;
}

void agent_check_machine(struct agent *a, int64_t mono_ns, double vcpus, bool other_cpus)
{
	char before[sizeof(a->identity.model_name)];
	const char *why;

	if (mono_ns < a->machine_due_ns)
		return;
	a->machine_due_ns = mono_ns + CHECK_NS;
	why = identity_difference(&a->identity, &a->root, other_cpus);
	if (!why[0])
		return;
	memcpy(before, a->identity.model_name, sizeof(before));
	if (!agent_identify(a))
		return;
	regime_forget(&a->regime);
	a->migrations++;
	log_warn("this is another machine than before (%s: %s, was %s): the model is fitted anew",
		 why, a->identity.model_name, before);
	meter_refit(a->meter, vcpus);
	meter_reset(a->meter);
	probation_refit(a->probation);
}

void agent_watch_clock(struct agent *a, double mhz, double vcpus, int64_t mono_ns)
{
	if (isnan(mhz) || mono_ns < a->clock_due_ns)
		return;
	a->clock_due_ns = mono_ns + CLOCK_NS;
	if (!regime_sample(&a->regime, mhz))
		return;
	a->machine_due_ns = 0;
	a->identity.clock_ratio = a->regime.ratio;
	if (a->regime.ratio > 1 || a->regime.ratio < 1)
		log_warn("the core clock is %.2f times what it was (%.0f MHz): another host, or "
			 "other limits of this one; intervals are wider",
			 a->regime.ratio, a->regime.usual_mhz);
	else
		log_info("the core clock is what it was");
	meter_refit(a->meter, vcpus);
	probation_refit(a->probation);
}
