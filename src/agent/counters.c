// SPDX-License-Identifier: Apache-2.0
/* Estimates into the counter page: see counters.h. */
#include "agent/counters.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "base/log.h"

#define each_zone(z) for (int z = 0; z < ZONE_RAPL_COUNT; z++)

int counters_open(struct counters *c, const struct counters_options *o, struct err *e)
{
	uint64_t start_uj[ZONE_RAPL_COUNT];
	char path[PATH_MAX];
	bool kept;
	int r;

	*c = (struct counters){.window_s = (double)o->window_ns / 1e9};
	if (snprintf(path, sizeof(path), "%s/" COUNTER_PAGE_NAME, o->directory) >=
	    (int)sizeof(path))
		return err_set(e, -ENAMETOOLONG, "state_directory %s: path too long", o->directory);
	each_zone(z) start_uj[z] =
		(uint64_t)((o->state->zones[z].active_j + o->state->zones[z].idle_j) * 1e6);
	r = counter_writer_open(&c->writer, path, o->now_ns, o->tick_ns, start_uj, &kept, e);
	if (r == 0 && !kept)
		log_debug("%s is new: powercap counters start from the joules", path);
	return r;
}

void counters_set_intervals(struct counters *c, int64_t now_ns, int64_t tick_ns, int64_t window_ns)
{
	c->window_s = (double)window_ns / 1e9;
	counter_writer_set_tick(&c->writer, now_ns, tick_ns);
}

void counters_add(struct counters *c, const struct estimate *e, const struct counters_tick *t)
{
	double usage = isnan(t->usage_ratio) ? 1 : fmax(t->usage_ratio, COUNTERS_USAGE_MIN);
	double keep = exp(-t->seconds / c->window_s), uj[ZONE_RAPL_COUNT];
	bool owner_only = false;

	c->usage_s = c->usage_s * keep + usage * t->seconds;
	each_zone(z)
	{
		const struct zone_estimate *zone = &e->zone[z];

		c->active_j[z] *= keep;
		uj[z] = 0;
		if (!zone->valid)
			continue;
		c->active_j[z] += zone->active_w * t->seconds;
		owner_only |= zone->provenance == PROVENANCE_HOST;
		uj[z] = t->meaning == POWERCAP_WORKLOADS
				? c->active_j[z] / c->usage_s * t->seconds * 1e6
				: zone_watts(zone) * t->seconds * 1e6;
	}
	counter_writer_set_owner_only(&c->writer, owner_only);
	counter_writer_add(&c->writer, t->t_ns, uj);
}

void counters_close(struct counters *c)
{
	counter_writer_close(&c->writer);
}
