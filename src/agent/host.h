/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_HOST_H
#define AGENT_HOST_H

/*
 * What the host hands in: energy counters that this guest's kernel makes of a
 * virtual RAPL MSR, or that a host shares as files (collect/rapl.h). Joules of
 * one tick in, watts of that tick out, where a zone has them.
 *
 * Seen rising  A counter that stands (all-zero on many clouds) is absent, not
 *              zero. It is used from its second rise on: the first one says
 *              when a refresh was, not since when. One that stands while CPUs
 *              were busy for HOST_STUCK_S is dropped, and one that cannot be
 *              read at once; it comes back by rising again.
 * Refreshes    QEMU's register moves about once a second, out of step with our
 *              ticks. A tick without a change is "not refreshed": the power of
 *              the refresh before is held, but where nothing runs for no longer
 *              than two refreshes. The power of a refresh is its energy over
 *              the time it covers, which is known to a tick at either end only:
 *              anything between the usual spacing of refreshes and the time
 *              since the last one was seen; what changes the power least counts.
 * Exact        What was counted for a zone and what its counter grew by differ
 *              by what is owed: a refresh or two. It is made good over
 *              HOST_AMENDS refreshes, so that joules are the counter's.
 */

#include "collect/rapl.h"
#include "features/catalogue.h"

#define HOST_STUCK_S	60
#define HOST_BUSY_VCPUS 0.1
#define HOST_AMENDS	200
#define HOST_MEMORY	128 /* ticks over which the usual spacing is learned */

struct host_zone {
	bool used;	  /* watts are the host's */
	double watts;	  /* of this tick */
	double refresh_s; /* usual time from refresh to refresh; at least a tick */

	bool risen;		/* the time of a refresh is known */
	unsigned ticks;		/* since the last refresh seen */
	double since_s;		/* its time */
	double quiet_s, busy_s; /* parts of it: nothing ran, or something did */
	double spacing_s;	/* between the last two */
	double rate;		/* refreshes a tick, in the mean */
	double memory;		/* ticks that it was learned over, at most HOST_MEMORY */
	double power_w;		/* of the last refresh */
	double owed_j;		/* what the counter grew by, less what was counted */
};

struct host {
	const struct root *root; /* NULL: not looked for */
	const char *folder;
	struct rapl rapl;
	bool found;
	int64_t retry_ns; /* CLOCK_MONOTONIC; while no counter rises */
	struct host_zone zones[ZONE_RAPL_COUNT];
};

/* Where to look; both borrowed. `root` NULL: nowhere. Closes what was open. */
void host_open(struct host *h, const struct root *root, const char *folder, int64_t now_ns);

/* Zeroed is fine. */
void host_close(struct host *h);

/* The past says nothing about what comes: a suspend, another machine. */
void host_forget(struct host *h);

/*
 * The tick that `row` tells of, which just ended, into zones[]. A line in the
 * log where it is others than before. Allocates nothing, but to look for
 * counters where none rises, every 30 s.
 */
void host_tick(struct host *h, const struct row *row, int64_t now_ns);

/* One tick of one zone: its counter grew by `grown_j` (NaN: not read) in `seconds`. */
void host_zone_tick(struct host_zone *z, double grown_j, double seconds, bool busy);

#endif
