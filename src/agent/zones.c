// SPDX-License-Identifier: Apache-2.0
/* See zones.h. */
#include "agent/zones.h"

#include <math.h>
#include <string.h>

#include "base/log.h"

#define HOST_PHASE_90 0.68
#define HOST_UNIT_J   61e-6 /* of Intel's energy registers, and of QEMU's */
#define HOST_SCALE_W  0.1   /* below it the width of an interval says little: see estimate.h */

#define each_zone(z) for (int z = 0; z < ZONE_RAPL_COUNT; z++)

/*
 * Only whitelisted features reach a model, and vcpus: no metric but the size of the machine,
 * without which a bundle of 14 vCPUs gives a guest of 2 the watts of 14, and probation knows no
 * range. The prior knows load and vCPUs alone.
 */
const struct row *zones_visible(struct zones *s, const struct row *row)
{
	if (!s->config->has_whitelist)
		return row;
	s->masked = *row;
	feature_foreach (f) {
		if (!s->config->whitelist[f] && f != FEATURE_VCPUS)
			s->masked.v[f] = NAN;
	}
	return &s->masked;
}

static bool is_better(const struct remote_zone *z)
{
	return z->valid &&
	       (z->provenance == PROVENANCE_TRAINED || z->provenance == PROVENANCE_DERIVED);
}

static void take_zone(struct zones *s, int z)
{
	const struct remote_zone *from = &s->remote->zones[z];

	s->from_remote[z] = true;
	s->estimate.zone[z] = (struct zone_estimate){
		.valid = true,
		.active_w = from->watts,
		.low_w = from->low_w,
		.high_w = from->high_w,
		.confidence = from->confidence,
		.distance = s->remote->distance,
		.provenance = from->provenance,
		.definition = z != ZONE_UNCORE ? ""
			      : from->is_pp1   ? "pp1"
					       : "package_minus_core",
	};
}

/* The model server's zones over the native model's. */
static void take_remote(struct zones *s)
{
	memset(s->from_remote, 0, sizeof(s->from_remote));
	if (!s->asks_remote)
		return;
	each_zone(z)
	{
		if (s->remote && is_better(&s->remote->zones[z]))
			take_zone(s, z);
		else if (s->estimate.zone[z].fallback == FALLBACK_NONE)
			s->estimate.zone[z].fallback = FALLBACK_REMOTE;
	}
	if (s->remote)
		estimate_reconcile(&s->estimate);
}

/*
 * The 90 % interval of a mean over the collection interval, whose two ends lie
 * anywhere within a refresh: the difference of two uniform phases is below 0.68
 * in nine of ten; and the register's unit.
 */
static void take_host_zone(struct zones *s, int z)
{
	double interval_s = (double)s->config->collection_interval_ns / 1e9;
	double watts = s->host[z].watts;
	double half_w = HOST_PHASE_90 * watts * fmin(s->host[z].refresh_s / interval_s, 1) +
			HOST_UNIT_J / interval_s;
	struct zone_estimate *to = &s->estimate.zone[z];

	*to = (struct zone_estimate){
		.valid = true,
		.fixed = true,
		.active_w = watts,
		.provenance = PROVENANCE_HOST,
		.definition = z == ZONE_UNCORE ? "pp1" : "",
	};
	zone_estimate_bound(to, half_w, HOST_SCALE_W, 0);
	s->from_remote[z] = false;
	s->estimate.tier = TIER_HOST;
}

/* The host's zones over all others. */
static void take_host(struct zones *s)
{
	s->host_changed = false;
	if (!s->host)
		return;
	each_zone(z)
	{
		s->host_changed |= s->host[z].used != s->from_host[z];
		s->from_host[z] = s->host[z].used;
		if (s->from_host[z])
			take_host_zone(s, z);
	}
	if (s->estimate.tier == TIER_HOST)
		estimate_reconcile(&s->estimate);
}

/* Zones whose model is not confident are answered by its physics part, else left to the prior. */
static void fall_back(struct zones *s)
{
	struct estimate physics;
	bool any = false, low[ZONE_RAPL_COUNT] = {false};

	each_zone(z)
	{
		const struct zone_estimate *zone = &s->estimate.zone[z];

		if (zone->valid)
			low[z] = policy_update(&s->policy[z], zone->confidence,
					       s->config->confidence_threshold);
		any |= low[z];
	}
	if (!any)
		return;
	estimator_physics(s->estimator, &physics);
	each_zone(z)
	{
		if (!low[z])
			continue;
		s->estimate.zone[z] = physics.zone[z];
		s->from_remote[z] = false;
		s->estimate.zone[z].fallback = FALLBACK_LOW_CONFIDENCE;
	}
}

/* `disable`: watts that are not confident are left out, whoever said them. */
static void leave_out(struct zones *s)
{
	double threshold = s->config->confidence_threshold;

	each_zone(z)
	{
		struct zone_estimate *zone = &s->estimate.zone[z];
		bool before = s->policy[z].low;

		s->left_out[z] =
			zone->valid && policy_update(&s->policy[z], zone->confidence, threshold);
		if (!s->left_out[z])
			continue;
		zone->valid = false;
		zone->fallback = FALLBACK_LOW_CONFIDENCE;
		if (!before)
			log_warn("%s is left out from now on (fallback_method: disable): its "
				 "confidence %.2f is below confidence_threshold %g",
				 zone_name((enum zone)z), zone->confidence, threshold);
	}
}

static void move(struct zone_estimate *z, double idle_w)
{
	double by = idle_w - z->idle_w;

	z->idle_w = idle_w;
	z->low_w = fmax(z->low_w + by, 0);
	z->high_w = fmax(z->high_w + by, zone_watts(z));
	z->low_w = fmin(z->low_w, zone_watts(z));
}

/* `idle: none` shows active power alone; `share` adds the prior's idle to a model without. */
static void settle_idle(struct zones *s, const struct row *row)
{
	bool share = s->config->idle == IDLE_SHARE;
	bool lacks_idle = s->set && s->set->scope == SCOPE_VM_ACTIVE;
	struct estimate prior = {.tier = TIER_OS};

	if (share)
		prior_fill(s->prior, row, true, FALLBACK_NO_MODEL, &prior);
	each_zone(z)
	{
		struct zone_estimate *zone = &s->estimate.zone[z];

		if (!zone->valid || zone->fixed || zone->provenance == PROVENANCE_PRIOR)
			continue;
		if (!share)
			move(zone, 0);
		else if ((lacks_idle || s->from_remote[z]) && prior.zone[z].valid)
			move(zone, prior.zone[z].idle_w);
	}
	if (s->estimate.tier == TIER_HOST)
		estimate_reconcile(&s->estimate);
}

void zones_answer(struct zones *s, const struct row *row)
{
	bool disable = s->config->fallback_method == FALLBACK_METHOD_DISABLE;

	(s->again ? estimator_again : estimator_push)(s->estimator, zones_visible(s, row),
						      &s->estimate);
	s->again = false;
	s->raw = s->estimate;
	take_remote(s);
	s->estimate.tier = row_tier(row);
	if (!disable)
		fall_back(s);
	take_host(s);
	prior_fill(s->prior, row, s->config->idle == IDLE_SHARE,
		   s->set ? FALLBACK_NO_MODEL : FALLBACK_NO_BUNDLE, &s->estimate);
	settle_idle(s, row);
	if (disable)
		leave_out(s);
}
