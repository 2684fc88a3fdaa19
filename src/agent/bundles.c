// SPDX-License-Identifier: Apache-2.0
/*
 * Which bundle the agent serves: loading it, judging it while it is new, and
 * going back to the one before. See parts.h.
 */
#include <errno.h>
#include <stdio.h>
#include <malloc.h>
#include <string.h>
#include <time.h>

#include "agent/parts.h"
#include "bundle/store.h"

bool agent_same_bundle(const struct model_set *a, const struct model_set *b)
{
	return a && b && a->sequence == b->sequence && a->created_s == b->created_s &&
	       !strcmp(a->name, b->name) && !strcmp(a->version, b->version);
}

static struct store_place place_of(const struct config *c)
{
	return (struct store_place){.model_path = c->model_path, .state_dir = c->state_directory};
}

/* What this agent may serve at all. */
static int check_bundle(const struct agent *a, const struct config *c, const struct model_set *s,
			struct err *e)
{
	if (s->scope == SCOPE_PLATFORM)
		return err_set(e, -ERR_DATA,
			       "%s %s estimates a wall meter (scope platform): the agent serves "
			       "vm_active and node_total",
			       s->name, s->version);
	if (s->sequence < c->minimum_sequence)
		return err_set(e, -ERR_STALE,
			       "%s %s has sequence %lld, below minimum_sequence %lld", s->name,
			       s->version, (long long)s->sequence, (long long)c->minimum_sequence);
	if (a->has_rejected && s->sequence == a->rejected.sequence &&
	    !strcmp(s->name, a->rejected.name) && !strcmp(s->version, a->rejected.version))
		return err_set(e, -ERR_STALE, "%s %s was rolled back by this agent", s->name,
			       s->version);
	return 0;
}

static int load_trust(const struct config *c, struct trust **ret, struct err *e)
{
	int r = trust_load_directory(c->trusted_keys, c->model_path, ret, e);

	if (r == 0)
		trust_require(*ret, (unsigned)c->signature_threshold);
	return r;
}

int agent_load_bundle(const struct agent *a, const struct config *c, struct model_set **ret,
		      struct err *e)
{
	const struct store_place place = place_of(c);
	struct trust *trust = NULL;
	int r = load_trust(c, &trust, e);

	if (r < 0)
		return r;
	r = store_pick(&place, trust, (int64_t)time(NULL), ret, NULL, e);
	if (r == -ENOENT) {
		log_info("%s", e->msg);
		*e = (struct err)ERR_INIT;
		r = 0;
	} else if (r < 0 && trust_count(trust) == 0) {
		r = err_set(e, -ERR_SIGNATURE,
			    "no bundle of %s is used: trusted_keys %s holds no key", c->model_path,
			    c->trusted_keys);
	} else if (r == 0) {
		r = check_bundle(a, c, *ret, e);
	}
	trust_free(trust);
	if (r < 0) {
		model_set_free(*ret);
		*ret = NULL;
	}
	return r;
}

void agent_tell_model(const struct agent *a)
{
	const struct snapshot *s = meter_snapshot(a->meter);

	if (!s->set) {
		log_info("the built-in prior serves");
		return;
	}
	log_info("serving bundle %s %s (sequence %lld)%s", s->set->name, s->set->version,
		 (long long)s->set->sequence, a->probation ? " on probation" : "");
	if (meter_misfit(a->meter)[0])
		log_warn("the bundle was trained on another machine (%s): intervals are wider",
			 meter_misfit(a->meter));
	if (s->bundle_expired)
		log_warn("the bundle has expired: intervals are wider");
}

int agent_make_meter(struct agent *a, const struct config *c, struct model_set *set,
		     struct meter **ret, struct err *e)
{
	struct meter_options o = {.config = c,
				  .identity = &a->identity,
				  .state = &a->state,
				  .set = set,
				  .step_s = (double)c->sampling_interval_ns / 1e9};
	int r = meter_new(&o, ret, e);

	if (r == 0)
		meter_refit(*ret, a->identity.n_cpus);
	return r;
}

void agent_take_meter(struct agent *a, struct meter *m, struct model_set **ret_old_set)
{
	meter_inherit(m, a->meter);
	if (ret_old_set)
		*ret_old_set = meter_take_set(a->meter);
	meter_free(a->meter);
	a->meter = m;
	if (a->http)
		http_show(a->http, meter_snapshot(m));
}

/* ---- probation ---- */

static void drop_probation(struct agent *a)
{
	probation_free(a->probation);
	a->probation = NULL;
}

/* The version that the store had active before `set`; NULL where there is none. */
static struct model_set *load_before(const struct agent *a, const struct model_set *set)
{
	const struct store_place place = place_of(&a->config);
	struct model_set *before = NULL;
	struct trust *trust = NULL;

	if (load_trust(&a->config, &trust, NULL) == 0)
		store_pick_before(&place, trust, set, &before, NULL);
	trust_free(trust);
	return before;
}

static void note_served(const struct agent *a, const struct model_set *set)
{
	const struct store_place place = place_of(&a->config);
	struct err e = ERR_INIT;

	if (store_note_served(&place, set, &e) < 0)
		log_debug("the store does not remember what is served: %s", e.msg);
}

void agent_begin_probation(struct agent *a, struct model_set *before)
{
	const struct model_set *set = meter_snapshot(a->meter)->set;
	const struct store_place place = place_of(&a->config);
	struct probation_options o = {.identity = &a->identity,
				      .set = set,
				      .step_s = (double)a->config.sampling_interval_ns / 1e9,
				      .ticks = (uint64_t)a->config.probation_ticks};
	struct err e = ERR_INIT;

	if (agent_same_bundle(set, before)) { /* loaded anew: nothing begins */
		probation_rebind(a->probation, set);
		model_set_free(before);
		return;
	}
	drop_probation(a);
	if (a->watches && set)
		note_served(a, set);
	if (!a->watches || !set || !o.ticks || store_state(&place, set) == BUNDLE_PROVEN) {
		model_set_free(before);
		return;
	}
	if (before && store_state(&place, before) == BUNDLE_ROLLED_BACK) {
		model_set_free(before);
		before = NULL;
	}
	o.before = before ? before : load_before(a, set);
	malloc_trim(0); /* what finding the version before needed goes back to the machine */
	if (probation_new(&o, &a->probation, &e) < 0)
		log_warn("%s: the bundle is not watched", e.msg);
}

/* `s` where this agent may serve it, else NULL: minimum_sequence may have risen since. */
static struct model_set *keep_allowed(const struct agent *a, struct model_set *s)
{
	struct err e = ERR_INIT;

	if (!s || check_bundle(a, &a->config, s, &e) == 0)
		return s;
	log_warn("%s: it is not gone back to", e.msg);
	model_set_free(s);
	return NULL;
}

static void remember_rejected(struct agent *a, const struct model_set *bad)
{
	a->has_rejected = true;
	a->rejected.sequence = bad->sequence;
	memcpy(a->rejected.name, bad->name, sizeof(a->rejected.name));
	memcpy(a->rejected.version, bad->version, sizeof(a->rejected.version));
}

static void roll_back(struct agent *a, enum rollback_reason reason)
{
	const struct store_place place = place_of(&a->config);
	const struct model_set *bad = meter_snapshot(a->meter)->set;
	struct model_set *before = keep_allowed(a, probation_take_before(a->probation));
	struct trust *trust = NULL;
	struct err e = ERR_INIT;
	struct meter *m;
	int r;

	log_error("bundle %s %s is rolled back: %s; %s%s serves", bad->name, bad->version,
		  rollback_name(reason), before ? "version " : "the built-in prior",
		  before ? before->version : "");
	a->bundle.rollbacks[reason]++;
	r = load_trust(&a->config, &trust, &e);
	if (r == 0)
		r = store_roll_back(&place, trust, bad, rollback_name(reason), &e);
	if (r < 0) {
		remember_rejected(a, bad);
		log_warn("the store does not remember the rollback: %s", e.msg);
	}
	trust_free(trust);
	drop_probation(a);
	if (agent_make_meter(a, &a->config, before, &m, &e) < 0) {
		log_error("%s: no other bundle can serve", e.msg);
		return;
	}
	agent_take_meter(a, m, NULL);
	agent_begin_probation(a, NULL); /* it may itself be new */
}

void agent_watch_probation(struct agent *a, const double *truth_w)
{
	const struct store_place place = place_of(&a->config);
	enum rollback_reason reason = ROLLBACK_NAN;
	enum probation_verdict verdict;
	struct err e = ERR_INIT;

	if (!a->probation || !meter_snapshot(a->meter)->ready)
		return;
	verdict = probation_row(a->probation, meter_input(a->meter), meter_raw(a->meter), truth_w,
				&reason);
	if (verdict == PROBATION_FAILED) {
		roll_back(a, reason);
	} else if (verdict == PROBATION_PASSED) {
		const struct model_set *set = meter_snapshot(a->meter)->set;

		drop_probation(a);
		log_info("bundle %s %s has served through its probation", set->name, set->version);
		if (store_note_proven(&place, set, &e) < 0)
			log_debug("the store does not remember it: %s", e.msg);
	}
}

void agent_count_reload(struct agent *a, int r)
{
	a->bundle.last_reload_failed = r < 0;
	if (r < 0)
		a->bundle.reload_failures++;
	else
		a->bundle.reloads++;
}

void agent_fill_bundle(struct agent *a)
{
	struct snapshot *s = meter_snapshot(a->meter);

	s->config_reload_failures = a->config_reload_failures;
	s->bundle_load_failures = a->bundle_load_failures;
	s->migrations = a->migrations;
	s->bundle = a->bundle;
	s->bundle.on_probation = a->probation != NULL;
	if (a->http)
		http_show(a->http, s);
}
