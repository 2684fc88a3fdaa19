/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PUBLISH_SNAPSHOT_H
#define PUBLISH_SNAPSHOT_H

/*
 * A snapshot: everything the agent tells the world, at one instant. The agent
 * fills it after every tick; the renderers only read it. Pointers are
 * borrowed from the agent and valid until the next tick.
 */

#include <stdbool.h>
#include <stdint.h>

#include "collect/identity.h"
#include "collect/sample.h"
#include "features/catalogue.h"
#include "health/drift.h"
#include "model/estimate.h"

struct zone_snapshot {
	bool valid; /* watts were estimated within the last collection interval */
	double active_w, idle_w, low_w, high_w; /* means over the last collection interval */
	double active_j, idle_j;		/* since the state directory was new; never fall */
	double confidence;
	enum provenance provenance;
	enum fallback fallback;
	const char *definition;	   /* "" or the uncore definition */
	const struct model *model; /* NULL for the prior */
	double inference_s;	   /* of the last estimate */
};

struct snapshot {
	const char *node_name;
	const struct identity *identity;
	bool enabled; /* false: no power is published, joules stand */
	bool ready;   /* a first estimate was made */
	double t_s;   /* seconds since the epoch, of the last row */
	struct zone_snapshot zone[ZONE_RAPL_COUNT];
	const struct row *row;	     /* the last interval's features */
	const struct model_set *set; /* NULL: the prior serves */
	const char *model_version;   /* of the set, or "prior-..." */
	enum scope scope;
	enum tier tier;
	double usage_ratio;		  /* 0..1, steal included; NaN before the first interval */
	double out_of_distribution_ratio; /* share of recent estimates outside training */
	struct drift_state drift;
	uint64_t migrations; /* times that this turned out to be another machine than before */
	uint64_t source_errors[SOURCE_COUNT];
	double source_duration_s[SOURCE_COUNT];
	double tick_s;
	bool state_kept; /* joules are in the state directory */
	bool bundle_expired;
	double mismatch;	  /* points by which this machine is not the bundle's */
	bool cpu_pinning_enabled; /* as configured: the operator says the vCPUs are pinned */
	double pinning_score;	  /* 0..1; NaN: not computed, or too early to say */
	uint64_t config_reload_failures, bundle_load_failures;
};

#endif
