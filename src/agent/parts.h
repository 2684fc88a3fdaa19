/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_PARTS_H
#define AGENT_PARTS_H

/* What an agent consists of; only src/agent includes this. */

#include "agent/agent.h"
#include "agent/meter.h"
#include "agent/state.h"
#include "collect/collector.h"
#include "pinning/score.h"
#include "publish/http.h"

struct agent {
	const struct agent_options *options;
	const struct kernel *kernel;
	struct config config;
	struct root root;
	struct identity identity, machine_now; /* as it was when last looked at; scratch */
	int64_t machine_due_ns;		       /* CLOCK_MONOTONIC; look again */
	uint64_t migrations;
	struct state state;
	struct collector *collector;
	struct sample samples[2]; /* the one before, and the one being read */
	unsigned current;	  /* index of the one being read */
	bool has_previous;
	struct meter *meter;
	struct pinning_window pinning; /* of the last PINNING_WINDOW_S */
	double pinning_quiet_s; /* time since the score was above the threshold; it was said */
	struct http *http;	/* NULL unless serving */
	uint64_t config_reload_failures, bundle_load_failures;
};

/* Configuration, machine, bundle and meter; no state file, no counters read, no server. */
int agent_init(struct agent *a, const struct agent_options *o, struct err *e);
void agent_release(struct agent *a);

/* Open the sources and take the first sample. */
int agent_start_sampling(struct agent *a, struct err *e);

/* Read the configuration and the bundle anew. On failure nothing has changed. */
int agent_reload(struct agent *a, struct err *e);

/* One sample, and with the one before it one row for the meter. Allocates nothing. */
void agent_tick(struct agent *a);

/*
 * Every 5 minutes, and at once after a suspend or another set of CPUs (machine_due_ns 0):
 * whether CPU model, hypervisor or topology are others than before. Then the model is fitted to
 * the new machine (wider where it was trained on another), its history is forgotten, and the
 * move counted.
 */
void agent_check_machine(struct agent *a, int64_t mono_ns, double vcpus);

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
