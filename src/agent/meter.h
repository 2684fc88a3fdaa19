/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_METER_H
#define AGENT_METER_H

/*
 * The meter: rows in, a snapshot out. Everything between features and wire
 * that the live loop and a replayed recording share: whitelist, estimate,
 * confidence policy, prior, idle, energy.
 */

#include "agent/host.h"
#include "agent/state.h"
#include "config/config.h"
#include "publish/snapshot.h"
#include "remote/wire.h"

struct meter; /* owned by the caller of meter_new */

struct meter_options {
	const struct config *config;	 /* copied */
	const struct identity *identity; /* borrowed; re-read in place: call meter_refit */
	struct state *state;		 /* borrowed */
	struct model_set *set;		 /* NULL: the prior; taken over, also on failure */
	double step_s;			 /* usual time between rows */
};

int meter_new(const struct meter_options *o, struct meter **ret, struct err *e);

/* NULL is fine. The state stays. */
void meter_free(struct meter *m);

/* The machine changed, or its number of vCPUs. Allocates nothing. */
void meter_refit(struct meter *m, double vcpus);

/* How far the bundle fits this machine, in words; "" when it does. */
const char *meter_misfit(const struct meter *m);

/* The past no longer says anything: a suspend, a changed set of CPUs. */
void meter_reset(struct meter *m);

/*
 * One row of `seconds` length: estimate it, count its energy, fill the
 * snapshot. row->dt_s as for estimator_push. Allocates nothing.
 */
void meter_row(struct meter *m, const struct row *row, double seconds);

/*
 * What a model server said, for the next row: NULL where it did not, for
 * `reason`. Zones that it answers with a trained or derived model come from
 * it; all others are the native model's, then the prior's. Borrowed until then.
 */
void meter_set_remote(struct meter *m, const struct remote_answer *a, enum remote_reason reason);

/*
 * What the host hands in, read with every row: zones[ZONE_RAPL_COUNT], which
 * the meter borrows for good. Its zones are the host's, whoever else would
 * answer them.
 */
void meter_set_host(struct meter *m, const struct host_zone *zones);

/* Nothing was read for longer than the gauges look back: until the next row there are none. */
void meter_withdraw(struct meter *m);

/* Put the state's joules into the snapshot: before the first row they are all there is. */
void meter_show_joules(struct meter *m);

/* What meter_row filled; the loop adds what it knows. Lives as long as the meter. */
struct snapshot *meter_snapshot(struct meter *m);

/*
 * Go on where `from` was: its gauges' past, and its last row estimated anew at
 * no energy, so that no scrape finds nothing in between. Then free `from`.
 */
void meter_inherit(struct meter *m, struct meter *from);

/* The set, which the caller owns from here on; only meter_free may follow. */
struct model_set *meter_take_set(struct meter *m);

/* What the bundle alone said of the last row, before confidence policy and prior. */
const struct estimate *meter_raw(const struct meter *m);

/* `row` as models may see it: only whitelisted features. */
const struct row *meter_visible(struct meter *m, const struct row *row);

/* The last row as models saw it. */
const struct row *meter_input(const struct meter *m);

/* The estimate of the last row itself, before averaging. */
const struct estimate *meter_estimate(const struct meter *m);

#endif
