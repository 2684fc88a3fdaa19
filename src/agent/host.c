// SPDX-License-Identifier: Apache-2.0
/* The host's own energy into watts of a tick: see host.h. */
#include "agent/host.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define RETRY_NS INT64_C(30000000000)
#define QUIET	 2   /* refreshes that did not come while nothing ran: nothing was used */
#define PAUSE	 4   /* times the last spacing: nothing ran, rather than a slower refresh */
#define OWED	 2.5 /* refreshes that may be owed before the guess of their time was wrong */

#define each_zone(z) for (int z = 0; z < ZONE_RAPL_COUNT; z++)

/* ---- one zone ---- */

/* How long the refreshing that just came took. */
static double covered_s(struct host_zone *z, double grown_j)
{
	bool paused = z->since_s > PAUSE * z->spacing_s;
	double tick_s = z->since_s / z->ticks, one_s, least_s, most_s;

	if (!z->used) {
		z->rate = 1.0 / z->ticks;
		/* Once a tick is often enough: more cannot be learned. Else a tick more or less. */
		z->memory = z->ticks == 1 ? HOST_MEMORY : z->ticks;
	} else if (!paused) {
		z->rate += (1 - z->rate * z->ticks) / (z->memory + z->ticks);
		z->memory = fmin(z->memory + z->ticks, HOST_MEMORY);
	}
	z->spacing_s = z->since_s;
	z->refresh_s = one_s = tick_s / z->rate;
	if (!z->used)
		return z->since_s;
	least_s = fmin(one_s, z->since_s);
	most_s = fmax(one_s, z->since_s);
	/* More than a refresh too much was counted, or too little: it was not the nearest. */
	if (!paused && fabs(z->owed_j) > OWED * grown_j)
		return z->owed_j < 0 ? most_s : least_s;
	return fmin(fmax(grown_j / z->power_w, least_s), most_s);
}

static void refresh(struct host_zone *z, double grown_j)
{
	if (z->risen) {
		z->power_w = grown_j / covered_s(z, grown_j);
		z->used = true;
	}
	z->risen = true;
	z->ticks = 0;
	z->since_s = z->quiet_s = z->busy_s = 0;
}

/* Count the power that was seen last, and a part of what is owed. */
static void count(struct host_zone *z, double grown_j, double seconds)
{
	double due_j = z->quiet_s > QUIET * z->refresh_s ? 0 : z->power_w * seconds;
	double rest_j = z->owed_j + grown_j - due_j;
	double amends_j = rest_j * fmin(seconds / (HOST_AMENDS * z->refresh_s), 1);
	double counted_j = fmax(due_j + amends_j, 0);

	z->owed_j += grown_j - counted_j;
	z->watts = counted_j / seconds;
}

void host_zone_tick(struct host_zone *z, double grown_j, double seconds, bool busy)
{
	bool was_used = z->used;

	/* Not read, set back, or another counter than before. */
	if (!(grown_j <= RAPL_POWER_MAX_W * (z->since_s + seconds))) {
		*z = (struct host_zone){.used = false};
		return;
	}
	z->ticks++;
	z->since_s += seconds;
	*(busy ? &z->busy_s : &z->quiet_s) += seconds;
	if (grown_j > 0)
		refresh(z, grown_j);
	else if (z->busy_s >= HOST_STUCK_S)
		*z = (struct host_zone){.used = false};
	if (!z->used)
		return;
	/* What was used before is counted already, by a model. */
	count(z, was_used ? grown_j : z->power_w * seconds, seconds);
}

/* ---- all of them ---- */

static void find(struct host *h, int64_t now_ns)
{
	h->retry_ns = now_ns + RETRY_NS;
	rapl_close(&h->rapl);
	h->found = rapl_find(&h->rapl, h->root, h->folder) == 0;
}

void host_open(struct host *h, const struct root *root, const char *folder, int64_t now_ns)
{
	host_close(h);
	*h = (struct host){.root = root, .folder = folder};
	if (root)
		find(h, now_ns);
}

void host_close(struct host *h)
{
	rapl_close(&h->rapl);
}

void host_forget(struct host *h)
{
	memset(h->zones, 0, sizeof(h->zones));
}

static unsigned used_zones(const struct host *h)
{
	unsigned used = 0;

	each_zone(z) used |= (unsigned)h->zones[z].used << z;
	return used;
}

static void tell(const struct host *h, unsigned used)
{
	char names[64] = "";
	size_t n = 0;

	each_zone(z)
	{
		if (used & 1u << z)
			n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "",
					      zone_name((enum zone)z));
	}
	if (used)
		log_info("the host itself hands in the energy of %s (%s%s)", names, h->root->prefix,
			 h->folder);
	else
		log_info("the host hands in no energy any more: models answer");
}

void host_tick(struct host *h, const struct row *row, int64_t now_ns)
{
	bool busy = row->v[FEATURE_CPU_BUSY_VCPUS] >= HOST_BUSY_VCPUS, rises = false;
	unsigned before = used_zones(h);
	struct rapl_events events;
	double grown_j[ZONE_COUNT];

	if (!h->root)
		return;
	if (h->found)
		rapl_read(&h->rapl, row->dt_s, grown_j, &events);
	each_zone(z)
	{
		host_zone_tick(&h->zones[z], h->found ? grown_j[z] : NAN, row->dt_s, busy);
		rises |= h->zones[z].risen;
	}
	if (used_zones(h) != before)
		tell(h, used_zones(h));
	if (!rises && now_ns >= h->retry_ns)
		find(h, now_ns);
}
