// SPDX-License-Identifier: Apache-2.0
/* Samples: see sample.h. */
#include "collect/sample.h"

#include <stdlib.h>

static const char *const source_names[SOURCE_COUNT] = {
	"stat",	  "meminfo",  "vmstat",	 "loadavg", "diskstats",
	"netdev", "pressure", "cpufreq", "clock",   "perf"};

const char *source_name(enum source s)
{
	return source_names[s];
}

int sample_init(struct sample *s, unsigned cpus_cap, struct err *e)
{
	*s = (struct sample){.cpus_cap = cpus_cap};
	s->cpus = calloc(cpus_cap + 1, sizeof(*s->cpus));
	s->online = calloc(cpus_cap + 1, sizeof(*s->online));
	if (s->cpus && s->online)
		return 0;
	sample_release(s);
	return err_nomem(e);
}

void sample_release(struct sample *s)
{
	free(s->cpus);
	free(s->online);
	*s = (struct sample){0};
}
