/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_PARTS_H
#define AGENT_PARTS_H

/* What an agent consists of; only src/agent includes this. */

#include "agent/agent.h"
#include "agent/counters.h"
#include "agent/host.h"
#include "agent/meter.h"
#include "agent/probation.h"
#include "agent/remote.h"
#include "agent/state.h"
#include "collect/collector.h"
#include "health/regime.h"
#include "pinning/score.h"
#include "publish/http.h"

struct agent {
	const struct agent_options *options;
	const struct kernel *kernel;
	struct config config;
	struct root root;
	struct identity identity;
	int64_t machine_due_ns; /* CLOCK_MONOTONIC; look again */
	uint64_t migrations;
	struct regime regime; /* of the core clock */
	int64_t clock_due_ns; /* CLOCK_MONOTONIC; look at it again */
	struct state state;
	struct counters counters;
	struct collector *collector;
	struct sample samples[2]; /* the one before, and the one being read */
	unsigned current;	  /* index of the one being read */
	bool has_previous;
	double least_busy_s; /* CPU seconds known to have been used since the last row; 0: none */
	struct meter *meter;
	struct host host;	       /* what it hands in; the meter borrows it */
	struct pinning_window pinning; /* of the last PINNING_WINDOW_S */
	double pinning_quiet_s; /* time since the score was above the threshold; it was said */
	struct remote *remote;	/* NULL: inference is native */
	struct http *http;	/* NULL unless serving */
	struct history history; /* of the page */
	uint64_t config_reload_failures, bundle_load_failures;
	struct bundle_snapshot bundle;
	struct probation *probation; /* NULL: what serves is proven, or not watched */
	bool watches;		     /* serving: bundles are on probation and the store notes it */
	bool has_rejected;	     /* rolled back, and no ledger could be written */
	struct {
		char name[64], version[32];
		int64_t sequence;
	} rejected;
	char token[HTTP_TOKEN_MAX]; /* of POST /-/reload; "": off */
};

/* Configuration, machine, bundle and meter; no state file, no counters read, no server. */
int agent_init(struct agent *a, const struct agent_options *o, struct err *e);
void agent_release(struct agent *a);

/* Open the sources and take the first sample. */
int agent_start_sampling(struct agent *a, struct err *e);

/* Read the configuration and the bundle anew. On failure nothing has changed. */
int agent_reload(struct agent *a, struct err *e);

/*
 * The store has changed: take what it serves now, with the configuration as it
 * is. On failure nothing has changed; *ret_changed says whether there was
 * anything to take.
 */
int agent_reload_bundle(struct agent *a, bool *ret_changed, struct err *e);

/* The bundle that the store of `c` serves; *ret stays NULL when there is none. */
int agent_load_bundle(const struct agent *a, const struct config *c, struct model_set **ret,
		      struct err *e);

/* Whether both are the same version of one bundle; either may be NULL. */
bool agent_same_bundle(const struct model_set *a, const struct model_set *b);

/* Say what serves, once it does. */
void agent_tell_model(const struct agent *a);

/* Make a meter for `set`, which is taken over. */
int agent_make_meter(struct agent *a, const struct config *c, struct model_set *set,
		     struct meter **ret, struct err *e);

/* Exchange the meter, and free the old one; `*ret_old_set` (may be NULL) gets its set. */
void agent_take_meter(struct agent *a, struct meter *m, struct model_set **ret_old_set);

/*
 * What serves is new, unless the store knows it as proven: watch it.
 * `before` is the version that served until now (NULL: what the store has) and
 * is taken over.
 */
void agent_begin_probation(struct agent *a, struct model_set *before);

/*
 * Judge the last row; roll back when it is bad. `truth_w` by zone where power
 * is metered (NaN: not this zone), or NULL. Allocates only to roll back.
 */
void agent_watch_probation(struct agent *a, const double *truth_w);

/* A bundle was loaded while serving (r 0), or refused. */
void agent_count_reload(struct agent *a, int r);

/* What the agent itself counts (bundles, reloads, migrations), into the snapshot: a new meter's has
 * none of it. */
void agent_fill_bundle(struct agent *a);

/*
 * One sample, and with the one before it one row for the meter; false where it is
 * too early for a row. Allocates nothing.
 */
bool agent_tick(struct agent *a);

/* Read the identity again; false where it cannot be, and what was known stays. */
bool agent_identify(struct agent *a);

/*
 * Every 5 minutes, and at once after a suspend or another set of CPUs (machine_due_ns 0):
 * whether identity_difference() finds another machine than before. Then the model is fitted to
 * the new machine (wider where it was trained on another), its history is forgotten, and the
 * move counted. `other_cpus`: the set of CPUs has just changed, which by itself is no move.
 */
void agent_check_machine(struct agent *a, int64_t mono_ns, double vcpus, bool other_cpus);

/*
 * The core clock of one row, NaN where it was not measured. In another regime than before the fit
 * is wider and agent_check_machine() looks at once. Looked at once a second, however often rows
 * come: the probe says the same until it measures again.
 */
void agent_watch_clock(struct agent *a, double mhz, double vcpus, int64_t mono_ns);

/* Whether what the configuration says is isolated is: a log line where it is not. */
void agent_check_isolation(const struct agent *a);

/*
 * With recommendation_mode: the score of the window with this row, into the
 * snapshot; the first time it is above the threshold a line in the log, and
 * again only after it was not above it for a whole window.
 * Allocates nothing.
 */
void agent_recommend_pinning(struct agent *a, const struct row *row);

#endif
