// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a workload's plan: taken over whole and sane, or refused with a sentence. */
#include <stdint.h>
#include <stdlib.h>

#include "workload/plan.h"

/* What run_plan relies on. */
static void check_phase(const struct phase *p)
{
	if (!p->name[0] || !(p->duration_s >= 0.1 && p->duration_s <= PLAN_DURATION_MAX_S) ||
	    p->n_loads > PLAN_LOADS_MAX)
		abort();
	for (size_t i = 0; i < p->n_loads; i++) {
		const struct load *l = &p->loads[i];

		if (!l->kind || l->n_points == 0 || l->n_points > PLAN_POINTS_MAX ||
		    l->workers > PLAN_WORKERS_MAX)
			abort();
		for (double at = 0; at <= 1; at += 0.125) {
			double share = phase_share(p, l, at * p->duration_s, p->duration_s);

			if (!(share >= 0 && share <= 1))
				abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plan *p = NULL;
	struct err e = ERR_INIT;

	if (plan_parse((const char *)data, size, "fuzz.yaml", &p, &e) < 0) {
		if (!e.msg[0])
			abort();
		return 0;
	}
	if (p->n_phases == 0 || p->n_phases > PLAN_PHASES_MAX)
		abort();
	for (size_t i = 0; i < p->n_phases; i++)
		check_phase(&p->phases[i]);
	free(p);
	return 0;
}
