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

/* Why a bundle on probation was rolled back. */
enum rollback_reason {
	ROLLBACK_NAN,	     /* an estimate that is no number */
	ROLLBACK_RANGE,	     /* negative, or far above what this machine can draw */
	ROLLBACK_ZONES,	     /* core + uncore above package, beyond their intervals */
	ROLLBACK_CONFIDENCE, /* less than half of that of the version before, on the same rows */
	ROLLBACK_ERROR,	     /* against metered truth, more than twice what its card says */
	ROLLBACK_COUNT,
};

/* "nan", "out_of_range", "zone_inconsistency", "low_confidence", "error". */
const char *rollback_name(enum rollback_reason r);

/* Why a model server did not answer for a row; its order is on the helper's wire. */
enum remote_reason {
	REMOTE_NONE,	    /* it did */
	REMOTE_STARTING,    /* nothing was asked yet, or the helper is not there yet */
	REMOTE_LATE,	    /* not within one tick */
	REMOTE_TIMEOUT,	    /* not within python_server.timeout */
	REMOTE_NAME,	    /* its name has no address */
	REMOTE_TLS,	    /* its certificate is not believed, or ours is not */
	REMOTE_UNREACHABLE, /* no connection */
	REMOTE_DENIED,	    /* the token is not known there, or not for this */
	REMOTE_LIMITED,	    /* more often than the token may */
	REMOTE_BAD_ANSWER,  /* no message, or numbers out of their range */
	REMOTE_REFUSED,	    /* the server says that it cannot */
	REMOTE_NO_MODEL,    /* it has no trained model, or none of vm_active */
	REMOTE_HELPER_GONE, /* vmwatts-serve has ended */
	REMOTE_REASON_COUNT,
};

/* "none", "starting", "late", "timeout", "name", "tls", ... */
const char *remote_reason_name(enum remote_reason r);

/* The model server's share, since the agent started. */
struct remote_snapshot {
	bool configured;
	enum remote_reason reason; /* of the last row */
	uint64_t rows[REMOTE_REASON_COUNT];
};

/* What happened to bundles since the agent started. */
struct bundle_snapshot {
	bool on_probation;
	bool last_reload_failed;
	uint64_t reloads, reload_failures;
	uint64_t rollbacks[ROLLBACK_COUNT];
};

struct zone_snapshot {
	bool valid;    /* watts were estimated within the last collection interval */
	bool left_out; /* they were, but not confidently: all but watts is told of the zone */
	double active_w, idle_w, low_w, high_w; /* means over the last collection interval */
	double active_j, idle_j;		/* since the state directory was new; never fall */
	double confidence;
	enum provenance provenance;
	enum fallback fallback;
	const char *definition;	   /* "" or the uncore definition */
	const struct model *model; /* NULL for the prior */
	double inference_s;	   /* of the last estimate */
	bool remote;		   /* by a model server */
};

/* Whether there is an estimate to tell of, be its watts published or not. */
static inline bool zone_is_told(const struct zone_snapshot *z)
{
	return z->valid || z->left_out;
}

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
	struct bundle_snapshot bundle;
	struct remote_snapshot remote;
};

#endif
