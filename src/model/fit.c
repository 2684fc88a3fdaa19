// SPDX-License-Identifier: Apache-2.0
/* Applicability: see fit.h. */
#include "model/fit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void differs(struct fit *f, double mismatch, double widen, const char *what)
{
	size_t n = strlen(f->why);

	f->mismatch += mismatch;
	f->widen *= widen;
	snprintf(f->why + n, sizeof(f->why) - n, "%s%s", n ? ", " : "", what);
}

/* How often the number of vCPUs of training would have to double, or halve, to reach this one. */
static double doublings(const struct applicability *a, double vcpus)
{
	if (a->vcpus_max && vcpus > a->vcpus_max)
		return ceil(log2(vcpus / a->vcpus_max));
	return a->vcpus_min && vcpus < a->vcpus_min ? ceil(log2(a->vcpus_min / vcpus)) : 0;
}

void fit_machine(const struct applicability *a, const struct identity *id, double vcpus,
		 struct fit *ret)
{
	double clock, times = vcpus > 0 ? doublings(a, vcpus) : 0;

	*ret = (struct fit){.widen = 1};
	if (a->cpu_vendor[0] && id->vendor[0] && strcmp(a->cpu_vendor, id->vendor) != 0)
		differs(ret, 2, 1.5, "another CPU vendor");
	else if ((a->cpu_family && id->family && a->cpu_family != id->family) ||
		 (a->cpu_model_number && id->model && a->cpu_model_number != id->model))
		differs(ret, 1, 1.25, "another CPU family or model");
	else if (a->cpu_model[0] && id->model_name[0] && strcmp(a->cpu_model, id->model_name) != 0)
		differs(ret, 0.25, 1.1, "another CPU model name");
	if (times > 0)
		differs(ret, 0.5 * times, pow(1.2, times), "another number of vCPUs");
	clock = id->clock_ratio > 0 ? fmax(id->clock_ratio, 1 / id->clock_ratio) : 1;
	if (clock > 1)
		differs(ret, clock - 1, clock, "another regime of the core clock");
}
