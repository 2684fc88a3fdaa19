// SPDX-License-Identifier: Apache-2.0
/* Whether this is still the machine it was: a VM may be moved while it runs. See parts.h. */
#include <string.h>

#include "agent/parts.h"
#include "base/log.h"

#define CHECK_NS INT64_C(300000000000)

/* "" where it is the same; what differs first. */
static const char *difference(const struct identity *a, const struct identity *b)
{
	if (strcmp(a->vendor, b->vendor) || strcmp(a->model_name, b->model_name) ||
	    a->family != b->family || a->model != b->model || a->stepping != b->stepping)
		return "another CPU model";
	if (strcmp(a->hypervisor, b->hypervisor))
		return "another hypervisor";
	/* CPUs that come or go change the topology; without that only a move does. */
	if (a->n_cpus == b->n_cpus && (a->n_sockets != b->n_sockets || a->n_cores != b->n_cores))
		return "another topology";
	return "";
}

static void tell_move(struct agent *a, const char *why)
{
	a->migrations++;
	log_warn("this is another machine than before (%s: %s, was %s): the model is fitted anew",
		 why, a->machine_now.model_name, a->identity.model_name);
}

void agent_check_machine(struct agent *a, int64_t mono_ns, double vcpus)
{
	const char *why;

	if (mono_ns < a->machine_due_ns)
		return;
	a->machine_due_ns = mono_ns + CHECK_NS;
	if (identity_read(&a->machine_now, &a->root, NULL) < 0)
		return;
	why = difference(&a->identity, &a->machine_now);
	if (!why[0] && a->identity.n_cpus == a->machine_now.n_cpus)
		return;
	if (why[0])
		tell_move(a, why);
	a->identity = a->machine_now;
	meter_refit(a->meter, vcpus);
	meter_reset(a->meter);
}
