// SPDX-License-Identifier: Apache-2.0
/* Estimates into the counter page: see counters.h. */
#include "agent/counters.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "base/log.h"

#define AMENDS_WINDOWS 4

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

/* Kepler's interval is over, in thought: what it called active against what was. */
static void close_window(struct counters *c)
{
	double usage = c->busy_s / c->in_window_s;

	each_zone(z)
	{
		struct counters_zone *zone = &c->zones[z];

		/* Nothing ran: what the smallest usage held back is not for who runs next. */
		if (usage >= COUNTERS_USAGE_MIN)
			zone->owed_j += zone->ours_j - zone->counter_j * usage;
		zone->ours_j = zone->counter_j = 0;
	}
	c->busy_s = c->in_window_s = 0;
}

/* Joules by which the counter of a zone advances for its processes to get `active_w`. */
static double workloads_j(struct counters *c, struct counters_zone *zone, double active_w,
			  double seconds)
{
	double mean_usage = c->usage_s / c->sum_s, more_j, amends_j;

	zone->active_j += active_w * seconds;
	more_j = zone->active_j / c->usage_s * seconds;
	amends_j = zone->owed_j * seconds / (AMENDS_WINDOWS * c->window_s) / mean_usage;
	/* Never back, and never by leaps. */
	return more_j + fmax(-more_j / 2, fmin(amends_j, more_j / 2));
}

static void begin_tick(struct counters *c, double usage, double seconds)
{
	double keep = exp(-seconds / c->window_s);

	if (c->in_window_s >= c->window_s)
		close_window(c);
	c->usage_s = c->usage_s * keep + fmax(usage, COUNTERS_USAGE_MIN) * seconds;
	c->sum_s = c->sum_s * keep + seconds;
	c->in_window_s += seconds;
	c->busy_s += usage * seconds;
	each_zone(z)
	{
		c->zones[z].active_j *= keep;
		c->zones[z].counter_j += c->zones[z].last_j;
		c->zones[z].last_j = 0;
	}
}

void counters_add(struct counters *c, const struct estimate *e, const struct counters_tick *t)
{
	double uj[ZONE_RAPL_COUNT] = {0};
	bool owner_only = false;

	if (!c->writer.file)
		return;
	begin_tick(c, isnan(t->usage_ratio) ? 1 : t->usage_ratio, t->seconds);
	each_zone(z)
	{
		const struct zone_estimate *from = &e->zone[z];
		struct counters_zone *zone = &c->zones[z];
		double j;

		if (!from->valid)
			continue;
		owner_only |= from->provenance == PROVENANCE_HOST;
		j = workloads_j(c, zone, from->active_w, t->seconds);
		if (t->meaning == POWERCAP_WORKLOADS) {
			zone->ours_j += from->active_w * t->seconds;
			zone->last_j = j;
		} else {
			j = zone_watts(from) * t->seconds;
		}
		uj[z] = j * 1e6;
	}
	counter_writer_set_owner_only(&c->writer, owner_only);
	counter_writer_add(&c->writer, t->t_ns, uj);
}

void counters_close(struct counters *c)
{
	counter_writer_close(&c->writer);
}
