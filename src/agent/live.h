/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_LIVE_H
#define AGENT_LIVE_H

/*
 * The agent's own way from counters to watts, one row at a time and inside the
 * caller's process: for commands that estimate without an agent running. Serves
 * nothing, writes nothing, and counts joules from 0.
 */

#include "agent/agent.h"
#include "publish/snapshot.h"

struct live; /* owned by the caller of live_open */

struct live_options {
	struct agent_options agent;
	int64_t step_ns; /* usual time between ticks; at least 100 ms */
	bool idle;	 /* estimate the VM's share of idle power too, as `idle: share` does */
};

/*
 * Load what the configuration names and take the first sample. Logs warnings
 * only, unless the flags say otherwise. -ERR_CONFIG where the configuration
 * switches estimation off.
 */
int live_open(const struct live_options *o, struct live **ret, struct err *e);

/* NULL is fine. */
void live_close(struct live *l);

/*
 * Read the counters. True when they closed a row, which the functions below
 * then tell of; false when it is too early, and the next row covers this time too.
 * `least_busy_s` are CPU seconds known to have been used since the last row: the
 * kernel counts busy time in ticks, so of short work it may have seen nothing.
 */
bool live_tick(struct live *l, double least_busy_s);

/* Of the row closed last; valid until the next tick. */
const struct row *live_row(const struct live *l);
const struct estimate *live_estimate(const struct live *l);
const struct snapshot *live_snapshot(const struct live *l);

/* CLOCK_BOOTTIME at the end of that row, or of the first sample. */
int64_t live_boot_ns(const struct live *l);

/* Where /proc is read. */
const struct root *live_root(const struct live *l);

#endif
