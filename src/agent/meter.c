// SPDX-License-Identifier: Apache-2.0
/* From rows to the snapshot: see meter.h. */
#include "agent/meter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/account.h"
#include "agent/zones.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "health/drift.h"
#include "model/estimator.h"
#include "model/fit.h"

#define OOD_MEMORY_S 60 /* the out-of-distribution ratio looks back about this far */

struct meter {
	struct config config; /* a copy: a reload makes a new meter */
	const struct identity *identity;
	struct state *state;
	struct model_set *set; /* owned */
	struct prior prior;
	struct estimator *estimator;
	struct fit fit;
	struct drift *drift; /* owned */
	struct zones zones;
	struct account accounts[ZONE_RAPL_COUNT];
	struct row row;
	struct snapshot snapshot;
	char version[128], remote_version[128];
};

#define each_zone(z) for (int z = 0; z < ZONE_RAPL_COUNT; z++)

static int64_t thread_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* ---- building ---- */

static int init_accounts(struct meter *m, double step_s, struct err *e)
{
	double interval_s = (double)m->config.collection_interval_ns / 1e9;
	int r = 0;

	each_zone(z)
	{
		if (r == 0)
			r = account_init(&m->accounts[z], interval_s, step_s, e);
	}
	return r;
}

/* The prior's name goes with the machine. */
static void name_version(struct meter *m)
{
	if (m->set)
		snprintf(m->version, sizeof(m->version), "%s", m->set->version);
	else
		snprintf(m->version, sizeof(m->version), "prior-%s", prior_name(&m->prior));
}

static void init_snapshot(struct meter *m)
{
	struct snapshot *s = &m->snapshot;

	s->node_name = m->config.node_name;
	s->identity = m->identity;
	s->enabled = m->config.enabled;
	s->row = &m->row;
	s->set = m->set;
	s->scope = m->set ? m->set->scope : SCOPE_VM_ACTIVE;
	s->usage_ratio = NAN;
	s->drift = *drift_state(m->drift);
	s->pinning_score = NAN;
	s->cpu_pinning_enabled = m->config.cpu_pinning.enabled;
	name_version(m);
	s->model_version = m->version;
	row_clear(&m->row);
	meter_show_joules(m);
}

void meter_show_joules(struct meter *m)
{
	each_zone(z)
	{
		m->snapshot.zone[z].active_j = m->state->zones[z].active_j;
		m->snapshot.zone[z].idle_j = m->state->zones[z].idle_j;
	}
	m->snapshot.state_kept = state_kept(m->state);
}

int meter_new(const struct meter_options *o, struct meter **ret, struct err *e)
{
	struct meter *m = calloc(1, sizeof(*m));
	struct estimator_options options = {.set = o->set, .step_s = o->step_s};
	int r;

	if (!m) {
		model_set_free(o->set);
		return err_nomem(e);
	}
	m->config = *o->config;
	m->identity = o->identity;
	m->state = o->state;
	m->set = o->set;
	m->fit.widen = 1;
	prior_init(&m->prior, m->identity);
	options.prior = &m->prior;
	r = estimator_new(&options, &m->estimator, e);
	m->zones = (struct zones){
		.config = &m->config, .set = m->set, .prior = &m->prior, .estimator = m->estimator};
	if (r == 0)
		r = init_accounts(m, o->step_s, e);
	if (r == 0)
		r = drift_new(m->set, &m->drift, e);
	if (r < 0) {
		meter_free(m);
		return r;
	}
	init_snapshot(m);
	*ret = m;
	return 0;
}

void meter_free(struct meter *m)
{
	if (!m)
		return;
	each_zone(z) account_release(&m->accounts[z]);
	drift_free(m->drift);
	estimator_free(m->estimator);
	model_set_free(m->set);
	free(m);
}

void meter_refit(struct meter *m, double vcpus)
{
	const struct model_set *s = m->set;
	double widen;

	prior_init(&m->prior, m->identity);
	name_version(m);
	if (!s)
		return;
	fit_machine(&s->trained_on, m->identity, vcpus, &m->fit);
	m->snapshot.bundle_expired = s->expires_s && s->expires_s <= time(NULL);
	widen = m->fit.widen * (m->snapshot.bundle_expired ? EXPIRED_WIDEN : 1);
	estimator_set_fit(m->estimator, widen, m->fit.mismatch);
	m->snapshot.mismatch = m->fit.mismatch;
	drift_machine(m->drift, m->fit.mismatch > 0);
}

const char *meter_misfit(const struct meter *m)
{
	return m->fit.why;
}

void meter_reset(struct meter *m)
{
	estimator_reset(m->estimator);
	drift_reset(m->drift);
}

struct snapshot *meter_snapshot(struct meter *m)
{
	return &m->snapshot;
}

const struct estimate *meter_estimate(const struct meter *m)
{
	return &m->zones.estimate;
}

struct model_set *meter_take_set(struct meter *m)
{
	return steal(m->set);
}

const struct estimate *meter_raw(const struct meter *m)
{
	return &m->zones.raw;
}

const struct row *meter_input(const struct meter *m)
{
	return m->config.has_whitelist ? &m->zones.masked : &m->row;
}

/* ---- one row ---- */

void meter_set_remote(struct meter *m, const struct remote_answer *a, enum remote_reason reason)
{
	struct remote_snapshot *r = &m->snapshot.remote;

	m->zones.remote = a;
	r->configured = true;
	r->reason = reason;
	r->rows[reason]++;
}

void meter_set_host(struct meter *m, const struct host_zone *zones)
{
	m->zones.host = zones;
}

const struct row *meter_visible(struct meter *m, const struct row *row)
{
	return zones_visible(&m->zones, row);
}

static void estimate(struct meter *m)
{
	struct zones *z = &m->zones;

	z->asks_remote = m->snapshot.remote.configured;
	zones_answer(z, &m->row);
	if (z->asks_remote && z->remote)
		snprintf(m->remote_version, sizeof(m->remote_version), "%s", z->remote->version);
	m->snapshot.model_version = z->asks_remote && z->remote ? m->remote_version : m->version;
}

/*
 * A zone that nobody measures now has no gauge to go on with: what it drew before is long past.
 * Nor do gauges mix what the host said with what a model did.
 */
static void count_energy(struct meter *m, double seconds)
{
	each_zone(z)
	{
		const struct zone_estimate *zone = &m->zones.estimate.zone[z];

		if (!m->config.enabled || !zone->valid || m->zones.host_changed)
			account_reset(&m->accounts[z]);
		if (!m->config.enabled || !zone->valid)
			continue;
		m->state->zones[z].active_j += zone->active_w * seconds;
		m->state->zones[z].idle_j += zone->idle_w * seconds;
		if (seconds > 0)
			account_add(&m->accounts[z], zone, seconds);
	}
	if (m->config.enabled)
		state_commit(m->state);
}

static void fill_zone(struct meter *m, int z, double inference_s)
{
	const struct zone_estimate *from = &m->zones.estimate.zone[z];
	struct zone_snapshot *to = &m->snapshot.zone[z];

	to->valid =
		m->config.enabled && from->valid &&
		account_mean(&m->accounts[z], &to->active_w, &to->idle_w, &to->low_w, &to->high_w);
	to->left_out = m->config.enabled && m->zones.left_out[z];
	to->confidence = from->confidence;
	to->provenance = from->provenance;
	to->fallback = from->fallback;
	to->definition = from->definition;
	to->model = from->model;
	to->inference_s = inference_s;
	to->remote = m->zones.from_remote[z];
}

/* The largest distance of what the set's models answered; NaN: none did. */
static double distance_of(const struct estimate *e)
{
	double distance = NAN;

	each_zone(z)
	{
		if (e->zone[z].valid && e->zone[z].model)
			distance = fmax(distance, e->zone[z].distance);
	}
	return distance;
}

static bool inputs_drift(const struct drift_state *s)
{
	return s->share || s->mean; /* of the machine meter_misfit() tells */
}

static void watch_drift(struct meter *m, double seconds)
{
	bool before = inputs_drift(&m->snapshot.drift);
	const struct drift_state *now = drift_state(m->drift);

	drift_sample(m->drift, distance_of(&m->zones.estimate), estimator_inputs(m->estimator),
		     seconds);
	m->snapshot.drift = *now;
	if (inputs_drift(now) == before)
		return;
	log_info("drift: %s; %.0f %% of the last samples lie outside training (it only proves that "
		 "inputs changed)",
		 before ? "over, inputs are those of training again"
			: "inputs are not those of training",
		 100 * now->outside);
}

static void watch_distribution(struct meter *m, double seconds)
{
	double *ratio = &m->snapshot.out_of_distribution_ratio;
	bool outside = false;

	each_zone(z) outside |= m->zones.estimate.zone[z].valid &&
				m->zones.estimate.zone[z].distance > OUT_OF_DISTRIBUTION;
	*ratio += ((outside ? 1 : 0) - *ratio) * -expm1(-seconds / OOD_MEMORY_S);
}

/* As Kepler counts it: stolen time is active time. NaN when not known. */
static double usage_ratio(const struct row *row)
{
	double steal = row->v[FEATURE_CPU_STEAL_TIME];
	double usage = row->v[FEATURE_CPU_UTILIZATION] + (isnan(steal) ? 0 : steal);

	return usage > 1 ? 1 : usage;
}

/* A bundle expires while it serves; where the clock was wrong and is set, it does not after all. */
static void watch_expiry(struct meter *m, const struct row *row)
{
	const struct model_set *set = m->set;
	bool before = m->snapshot.bundle_expired;

	if (!set || !set->expires_s || before == (row->t_s >= (double)set->expires_s))
		return;
	meter_refit(m, row->v[FEATURE_VCPUS]);
	if (m->snapshot.bundle_expired == before)
		return; /* the time of a recording, not of this machine */
	if (before)
		log_info("the clock was set: bundle %s %s has not expired", set->name,
			 set->version);
	else
		log_warn("bundle %s %s has expired: it serves on, intervals are wider", set->name,
			 set->version);
}

void meter_row(struct meter *m, const struct row *row, double seconds)
{
	struct snapshot *s = &m->snapshot;
	int64_t begin_ns = thread_cpu_ns();
	double inference_s;

	watch_expiry(m, row);
	m->row = *row;
	estimate(m);
	inference_s = (double)(thread_cpu_ns() - begin_ns) / 1e9;
	count_energy(m, seconds);
	watch_distribution(m, seconds);
	watch_drift(m, seconds);
	each_zone(z) fill_zone(m, z, inference_s);
	meter_show_joules(m);
	s->ready = true;
	s->t_s = row->t_s;
	s->tier = m->zones.estimate.tier;
	s->usage_ratio = usage_ratio(row);
}

void meter_withdraw(struct meter *m)
{
	each_zone(z) m->snapshot.zone[z].valid = m->snapshot.zone[z].left_out = false;
	m->snapshot.usage_ratio = NAN;
}

/* ---- from meter to meter ---- */

/* The prior is the same as the prior. */
static bool same_set(const struct model_set *a, const struct model_set *b)
{
	if (!a || !b)
		return a == b;
	return a->sequence == b->sequence && !strcmp(a->name, b->name) &&
	       !strcmp(a->version, b->version);
}

static bool same_gauges(const struct meter *a, const struct meter *b)
{
	return a->config.collection_interval_ns == b->config.collection_interval_ns &&
	       a->accounts[0].cap == b->accounts[0].cap;
}

/* Models see what they saw: a past of other features is none of theirs. */
static bool same_view(const struct config *a, const struct config *b)
{
	return a->has_whitelist == b->has_whitelist &&
	       (!a->has_whitelist || memcmp(a->whitelist, b->whitelist, sizeof(a->whitelist)) == 0);
}

/* The bundle, or the prior, is what it was: so is what is known of it. */
static void inherit_trust(struct meter *m, struct meter *from)
{
	struct drift *fresh = m->drift;

	m->zones.again = from->snapshot.ready && same_view(&m->config, &from->config) &&
			 estimator_inherit(m->estimator, from->estimator);
	memcpy(m->zones.policy, from->zones.policy, sizeof(m->zones.policy));
	if (!drift_rebind(from->drift, m->set))
		return;
	m->drift = from->drift;
	from->drift = fresh;
	drift_machine(m->drift, m->fit.mismatch > 0);
	m->snapshot.drift = *drift_state(m->drift);
}

void meter_inherit(struct meter *m, struct meter *from)
{
	struct snapshot *s = &m->snapshot;
	const struct snapshot *old = &from->snapshot;

	if (same_gauges(m, from)) {
		struct account swap[ZONE_RAPL_COUNT];

		memcpy(swap, m->accounts, sizeof(swap));
		memcpy(m->accounts, from->accounts, sizeof(swap));
		memcpy(from->accounts, swap, sizeof(swap));
	}
	if (same_set(m->set, from->set))
		inherit_trust(m, from);
	memcpy(s->source_errors, old->source_errors, sizeof(s->source_errors));
	memcpy(s->source_duration_s, old->source_duration_s, sizeof(s->source_duration_s));
	s->tick_s = old->tick_s;
	s->remote = old->remote;
	/* A configuration that turned native asks nobody, and keeps the counts. */
	s->remote.configured &= m->config.inference_method == INFERENCE_REMOTE;
	m->zones.remote = s->remote.configured ? from->zones.remote : NULL;
	m->zones.host = from->zones.host;
	memcpy(m->zones.from_host, from->zones.from_host, sizeof(m->zones.from_host));
	s->pinning_score = old->pinning_score;
	s->out_of_distribution_ratio = old->out_of_distribution_ratio;
	if (!old->ready)
		return;
	meter_row(m, &from->row, 0);
	each_zone(z)
	{
		/* Gauges of another length begin with this row. */
		if (m->config.enabled && m->zones.estimate.zone[z].valid && !m->accounts[z].n)
			account_add(&m->accounts[z], &m->zones.estimate.zone[z], 1e-6);
		fill_zone(m, z, s->zone[z].inference_s);
	}
}
