/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_COUNTERS_H
#define AGENT_COUNTERS_H

/*
 * What the agent writes into the counter page (publish/counter_page.h), by the
 * meaning that is configured:
 *
 * node       a counter advances by our watts: what this VM costs.
 * workloads  it advances by active / usage. Kepler in the guest calls only
 *            usage x counter active and gives that to processes; so their sum
 *            is our active watts. Both are means over the last window
 *            (exponential; the collection interval), for Kepler multiplies
 *            with the usage of its own interval, and a quotient of two single
 *            ticks is not what that undoes. What is left where power bends
 *            and load jumps is watched: a Kepler with intervals of one window
 *            is followed in thought, and what it gave too much or too little
 *            is made good over four windows.
 *
 * A change of the meaning changes how counters advance, never where they are.
 */

#include "agent/state.h"
#include "config/config.h"
#include "model/estimate.h"
#include "publish/counter_page.h"

/* Below this usage ratio the quotient is that of this one: some jiffies say nothing. */
#define COUNTERS_USAGE_MIN 0.01

/* What Kepler makes of the counter of one zone, in thought. */
struct counters_zone {
	double active_j;	  /* exponential sum of active watts x dt */
	double last_j;		  /* how far the counter advanced: readers see it one tick later */
	double owed_j;		  /* ours less Kepler's, of closed windows */
	double counter_j, ours_j; /* within this window */
};

struct counters {
	struct counter_writer writer;
	double window_s;
	double usage_s;		    /* exponential sums of usage x dt ... */
	double sum_s;		    /* ... and of dt */
	double in_window_s, busy_s; /* of the window that Kepler is in, in thought */
	struct counters_zone zones[ZONE_RAPL_COUNT];
};

struct counters_options {
	const char *directory;
	int64_t now_ns, tick_ns, window_ns;
	const struct state *state; /* joules that a new page starts from */
};

/* On failure nothing is written from then on. */
int counters_open(struct counters *c, const struct counters_options *o, struct err *e);

void counters_set_intervals(struct counters *c, int64_t now_ns, int64_t tick_ns, int64_t window_ns);

struct counters_tick {
	int64_t t_ns;	    /* CLOCK_MONOTONIC at its end */
	double seconds;	    /* its length */
	double usage_ratio; /* NaN: not known, then all of it is active */
	enum powercap_meaning meaning;
};

/* A zone without an estimate stands. Allocates nothing. */
void counters_add(struct counters *c, const struct estimate *e, const struct counters_tick *t);

void counters_close(struct counters *c);

#endif
