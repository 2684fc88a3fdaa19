// SPDX-License-Identifier: Apache-2.0
/* The choice of models per zone and tier: see train.h. */
#include "train/profile.h"
#include "train/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "train/calibrate.h"
#include "train/candidate.h"
#include "train/card.h"
#include "train/crossval.h"
#include "train/design.h"
#include "train/doubts.h"
#include "train/inputs.h"
#include "train/sizes.h"
#include "train/zone_blends.h"
#include "train/zone_search.h"

#define HISTORY_GAIN 0.98   /* history must lower the score by 2 % to be worth its state */
#define ZONE_ROWS    20	    /* fewer labelled rows are no training set */
#define OTHER_BYTES  114688 /* of a bundle: all but its blends, generously */

/* One fitted candidate. */
struct fit {
	struct candidate *c; /* borrowed from the trainer's list */
	struct crossval v;
};

struct trainer {
	const struct train_options *o;
	const struct design *d;
	struct candidate *candidates[TRIED_MAX];
	size_t n_candidates;
	struct model_set *set;
	struct card card;
	double blend_bytes; /* of one blend, on average */
	size_t done, total;
	struct zone_search search;
};

static bool wants_blend(const struct trainer *t)
{
	return t->o->family < 0 || t->o->family == FAMILY_BLEND;
}

/* Which families are candidates: those asked for; for a blend, the simple ones below it. */
static bool wants(const struct trainer *t, enum family f)
{
	if (wants_blend(t))
		return f == FAMILY_LINEAR || f == FAMILY_PHYSICS;
	return t->o->family == (int)f;
}

/* Said now, and written on the card. */
static void note(struct trainer *t, const char *sentence)
{
	card_note(&t->card, sentence);
	if (t->o->note)
		t->o->note(t->o->arg, sentence);
}

static void note_doubt(void *arg, const char *sentence)
{
	note(arg, sentence);
}

static void progress(struct trainer *t, const char *what)
{
	if (t->o->progress)
		t->o->progress(t->o->arg, (double)t->done / (double)t->total, what);
}

/* ---- candidates ---- */

static int add_candidate(struct trainer *t, struct candidate_kind kind, struct err *e)
{
	struct candidate *c;
	int r;

	if (t->n_candidates == TRIED_MAX)
		return 0;
	r = candidate_new(t->d, &kind, &c, e);
	if (r == 0 && c) {
		c->mlp.seed = t->o->seed;
		t->candidates[t->n_candidates++] = c;
	}
	return r;
}

/* Best tier first, history before stateless, and utilization alone at the end. */
static int make_candidates(struct trainer *t, struct err *e)
{
	for (int tier = TIER_PMU; tier >= TIER_OS; tier--) {
		for (int history = 1; history >= 0; history--) {
			for (int f = FAMILY_LINEAR; f < FAMILY_COUNT; f++) {
				struct candidate_kind kind = {(enum family)f, (enum tier)tier,
							      history, false};
				int r = 0;

				if (wants(t, (enum family)f))
					r = history && t->o->no_history ? 0
									: add_candidate(t, kind, e);
				if (r < 0)
					return r;
			}
		}
	}
	return add_candidate(t, (struct candidate_kind){FAMILY_PHYSICS, TIER_OS, false, true}, e);
}

static void search_progress(void *arg, const char *what)
{
	progress(arg, what);
}

static void search_note(void *arg, const char *sentence)
{
	note(arg, sentence);
}

/* ---- one zone ---- */

static int finish_model(struct trainer *t, const struct fit *f, const double *y, struct model *ret,
			struct err *e)
{
	struct calibration calibration;
	struct model m;
	int r = calibrate(t->d, f->v.predicted_w, y, &calibration, e);

	if (r == 0)
		r = candidate_model(f->c, f->v.coefficients, f->v.floor_w, f->v.max_w, &m, e);
	if (r < 0)
		return r;
	m.interval = calibration.interval;
	m.coverage_90 = calibration.coverage_90;
	m.rows = f->v.rows;
	m.groups = (uint32_t)t->d->table->n_groups;
	m.mae_w = f->v.mae_w;
	m.wmape = f->v.wmape;
	if (t->o->scope != SCOPE_VM_ACTIVE)
		m.idle_w = fmin(idle_watts(t->d, f->c->used[0].input, f->v.predicted_w), m.max_w);
	*ret = m;
	return 0;
}

/* The best of the fits of one tier, with or without history; NULL when there is none. */
static struct fit *best_of(struct fit *fits, size_t n, enum tier tier, bool history)
{
	struct fit *best = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct candidate_kind *k = &fits[i].c->kind;

		if (k->utilization_only || k->tier != tier || k->history != history)
			continue;
		if (!best || fits[i].v.score < best->v.score)
			best = &fits[i];
	}
	return best;
}

/*
 * The models a zone keeps, best first: per tier the best with history where
 * it gains, then the best without; a higher tier only where it beats those
 * below; last, utilization alone.
 */
static size_t choose(struct fit *fits, size_t n, struct fit **chosen)
{
	struct fit *per_tier[TIER_COUNT][2] = {{NULL}};
	double below = INFINITY;
	size_t kept = 0;

	for (int tier = TIER_OS; tier <= TIER_PMU; tier++) {
		struct fit *stateless = best_of(fits, n, (enum tier)tier, false);
		struct fit *history = best_of(fits, n, (enum tier)tier, true);

		if (stateless && history && history->v.score > HISTORY_GAIN * stateless->v.score)
			history = NULL;
		if (stateless && stateless->v.score < below)
			per_tier[tier][0] = stateless;
		if (history && history->v.score < below)
			per_tier[tier][1] = history;
		if (stateless)
			below = fmin(below, stateless->v.score);
		if (history)
			below = fmin(below, history->v.score);
	}
	for (int tier = TIER_PMU; tier >= TIER_OS; tier--) {
		if (per_tier[tier][1])
			chosen[kept++] = per_tier[tier][1];
		if (per_tier[tier][0])
			chosen[kept++] = per_tier[tier][0];
	}
	for (size_t i = 0; i < n; i++) {
		if (fits[i].c->kind.utilization_only)
			chosen[kept++] = &fits[i];
	}
	return kept;
}

/* A blend is done, or is not needed. */
static void blend_progress(void *arg, enum zone z, unsigned done)
{
	struct trainer *t = arg;

	t->done += done;
	progress(t, zone_name(z));
}

static int add_blends(struct trainer *t, enum zone z, struct err *e)
{
	const struct zone_blends b = {.o = t->o,
				      .d = t->d,
				      .search = &t->search,
				      .blend_bytes = t->blend_bytes,
				      .progress = blend_progress,
				      .arg = t};

	return zone_blends_add(&b, z, &t->set->zones[z], e);
}

/*
 * Utilization is of a machine of some size: half of 2 vCPUs draws less than half of 14. Where all
 * recordings are of one size the last resort is kept per vCPU, for rows that say how many.
 */
static int add_sized_last_resort(struct trainer *t, const struct fit *last, const double *y,
				 struct zone_models *models, struct err *e)
{
	double vcpus = sizes_same(t->d);
	struct model *m = &models->models[models->n];
	int r;

	if (vcpus == 0)
		return 0;
	r = finish_model(t, last, y, m, e);
	if (r < 0)
		return r;
	models->n++;
	return size_model(t->d, vcpus, m, e);
}

static int keep_models(struct trainer *t, enum zone z, struct fit *fits, size_t n, const double *y,
		       struct err *e)
{
	struct zone_models *models = &t->set->zones[z];
	struct fit *chosen[2 * TIER_COUNT + 1];
	size_t kept = choose(fits, n, chosen);

	models->models = calloc(kept + 1 + BLENDS_PER_TIER * TIER_COUNT, sizeof(*models->models));
	if (!models->models)
		return err_nomem(e);
	if (wants_blend(t) && add_blends(t, z, e) < 0)
		return e->code;
	for (size_t i = 0; i < kept; i++) {
		int r = 0;

		if (chosen[i]->c->kind.utilization_only && sizes_scale(z))
			r = add_sized_last_resort(t, chosen[i], y, models, e);
		if (r == 0)
			r = finish_model(t, chosen[i], y, &models->models[models->n], e);
		if (r < 0)
			return r;
		models->n++;
		card_choose(&t->card, z, &chosen[i]->c->kind);
	}
	if (z == ZONE_UNCORE)
		snprintf(models->definition, sizeof(models->definition), "%s",
			 t->o->uncore_definition);
	return 0;
}

static size_t count_labels(const struct design *d, const double *y, double *ret_min,
			   double *ret_max)
{
	size_t n = 0;

	*ret_min = INFINITY;
	*ret_max = -INFINITY;
	for (size_t i = 0; i < d->n; i++) {
		if (!isfinite(y[i]))
			continue;
		*ret_min = fmin(*ret_min, y[i]);
		*ret_max = fmax(*ret_max, y[i]);
		n++;
	}
	return n;
}

/* Whether the zone's label is worth training on; says why not. */
static bool zone_is_trainable(struct trainer *t, enum zone z)
{
	char sentence[256];
	double y_min, y_max;
	size_t n = count_labels(t->d, t->d->table->y_w[z], &y_min, &y_max);

	if (n < ZONE_ROWS) {
		snprintf(sentence, sizeof(sentence),
			 "zone %s has %zu labelled rows, %d are needed: left out", zone_name(z), n,
			 ZONE_ROWS);
		note(t, sentence);
		return false;
	}
	if (y_max > 2e5) {
		snprintf(
			sentence, sizeof(sentence),
			"zone %s goes up to %.6g W, which no machine draws (milliwatts?): left out",
			zone_name(z), y_max);
		note(t, sentence);
		return false;
	}
	return true;
}

/* Labels were there, and no candidate could be tried on them. */
static void note_left_out(struct trainer *t, enum zone z, const struct err *why)
{
	char sentence[256];

	snprintf(sentence, sizeof(sentence), "zone %s is left out: %.200s", zone_name(z),
		 why->code ? why->msg : "no feature that moves is in nearly all rows");
	note(t, sentence);
}

static int train_zone(struct trainer *t, enum zone z, struct err *e)
{
	const double *y = t->d->table->y_w[z];
	struct err reason = ERR_INIT;
	struct fit fits[TRIED_MAX];
	size_t n = 0;
	int r = 0;

	if (t->search.trials && !wants_blend(t))
		r = zone_search_mlp(&t->search, z, t->candidates, t->n_candidates, y, e);
	for (size_t i = 0; r == 0 && i < t->n_candidates; i++) {
		struct err why = ERR_INIT;

		fits[n].c = t->candidates[i];
		if (crossval_run(t->candidates[i], y, &fits[n].v, &why) == 0) {
			card_try(&t->card, z, &t->candidates[i]->kind, &fits[n].v);
			n++;
		} else if (why.code != -ERR_DATA) {
			r = err_set(e, why.code, "zone %s: %s", zone_name(z), why.msg);
		} else {
			reason = why;
		}
		t->done++;
		progress(t, zone_name(z));
	}
	if (r == 0 && n)
		r = keep_models(t, z, fits, n, y, e);
	else if (r == 0)
		note_left_out(t, z, &reason);
	for (size_t i = 0; i < n; i++)
		crossval_release(&fits[i].v);
	return r;
}

/* ---- the set ---- */

static void describe(struct model_set *s, const struct design *d, const struct train_options *o)
{
	snprintf(s->name, sizeof(s->name), "%s", o->name);
	snprintf(s->version, sizeof(s->version), "%s", o->version);
	s->sequence = o->sequence;
	s->created_s = o->created_s;
	s->expires_s = o->expires_s;
	s->scope = o->scope;
	s->interval_s = d->interval_s;
	s->window_s = d->window_s;
	table_vcpus(d->table, &s->trained_on.vcpus_min, &s->trained_on.vcpus_max);
}

static int train_zones(struct trainer *t, struct err *e)
{
	bool todo[ZONE_COUNT] = {false};
	size_t zones = 0, trained = 0;
	const char *left_out;

	zone_foreach (z) {
		todo[z] = t->d->table->y_w[z] && zone_is_trainable(t, z);
		zones += todo[z];
	}
	t->search.n_zones = zones;
	t->total = zones *
		   (t->n_candidates + (wants_blend(t) ? BLENDS_PER_TIER * count_tiers(t->d) : 0));
	t->blend_bytes = fmax((double)t->o->max_bytes - OTHER_BYTES, 0) /
			 (double)(BLENDS_PER_TIER * (zones ? zones : 1));
	left_out = zone_blends_without_room(t->d, t->blend_bytes, !t->o->no_history);
	if (wants_blend(t) && left_out)
		note(t, left_out);
	zone_foreach (z) {
		int r = todo[z] ? train_zone(t, z, e) : 0;

		if (r < 0)
			return r;
		trained += t->set->zones[z].n > 0;
	}
	if (!trained)
		return err_set(e, -ERR_DATA,
			       "no zone can be trained: at least %d rows must have a label "
			       "(<zone>_watts) and features, in two groups where there are several",
			       ZONE_ROWS);
	return 0;
}

/* Before the work, not by the check of the bundle behind it. */
static int check_times(const struct design *d, struct err *e)
{
	if (d->window_s <= INPUT_MAX_SECONDS) /* and the interval, which is no longer */
		return 0;
	return err_set(
		e, -ERR_DATA,
		"rows are %.6g s apart and average over %.6g s, a bundle can say up to %g: is "
		"time_s in seconds? (rows that are no time series: dataset import "
		"--unordered)",
		d->interval_s, d->window_s, INPUT_MAX_SECONDS);
}

int train(const struct table *table, const struct train_options *o, struct model_set **ret,
	  struct err *e)
{
	struct trainer t = {.o = o};
	struct design *d = NULL;
	int r = design_new(table, &d, e);

	if (r < 0)
		return r;
	t.d = d;
	tell_doubts(d, o->scope == SCOPE_VM_ACTIVE, note_doubt, &t);
	t.search = (struct zone_search){.o = o,
					.card = &t.card,
					.progress = search_progress,
					.note = search_note,
					.arg = &t};
	t.set = calloc(1, sizeof(*t.set));
	r = t.set ? check_times(d, e) : err_nomem(e);
	if (r == 0)
		r = make_candidates(&t, e);
	if (r == 0)
		r = zone_search_open(&t.search, d, e);
	if (r == 0)
		r = train_zones(&t, e);
	zone_search_close(&t.search);
	if (r == 0) {
		describe(t.set, d, o);
		r = set_inputs(t.set, d, e);
	}
	if (r == 0)
		r = set_profiles(t.set, table, e);
	if (r == 0)
		r = card_write(&t.card, t.set, d, &t.set->card, e);
	if (r == 0)
		r = model_set_check(t.set, e);
	for (size_t i = 0; i < t.n_candidates; i++)
		candidate_free(t.candidates[i]);
	design_free(d);
	if (r < 0) {
		model_set_free(t.set);
		return r;
	}
	*ret = t.set;
	return 0;
}
