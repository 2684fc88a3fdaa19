// SPDX-License-Identifier: Apache-2.0
/* The blends of one zone, tier by tier: see zone_blends.h. */
#include "train/zone_blends.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "train/blend.h"
#include "train/sizes.h"

#define SIZED_GAIN  0.98
#define BLEND_LEAST 12288 /* with less room a blend is left out; the smallest take thrice that */

double idle_watts(const struct design *d, size_t load, const double *predicted_w)
{
	double limit = design_quantile(d, load, 0.02), sum = 0;
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		double p = predicted_w[i];

		if (isnan(p) || !(d->x[i * d->p + load] <= limit)) /* NaN is no load of 0 */
			continue;
		sum += p;
		n++;
	}
	return n ? sum / (double)n : 0;
}

/* The signal whose smallest values mean that nothing runs. */
static size_t load_input(const struct design *d)
{
	static const enum feature loads[] = {FEATURE_CPU_BUSY_VCPUS, FEATURE_CPU_UTILIZATION,
					     FEATURE_CYCLES_RATE};

	for (size_t k = 0; k < array_size(loads); k++) {
		int j = design_find(d, loads[k], INPUT_NOW, 0);

		if (j >= 0)
			return (size_t)j;
	}
	return 0;
}

static bool has_tier(const struct design *d, enum tier tier)
{
	for (size_t j = 0; j < d->p; j++) {
		if (feature_info(d->inputs[j].feature)->tier == tier)
			return true;
	}
	return false;
}

static enum tier top_tier(const struct design *d)
{
	int tier = TIER_PMU;

	while (tier > TIER_OS && !has_tier(d, (enum tier)tier))
		tier--;
	return (enum tier)tier;
}

size_t count_tiers(const struct design *d)
{
	size_t n = 0;

	for (int tier = TIER_OS; tier <= TIER_PMU; tier++)
		n += has_tier(d, (enum tier)tier);
	return n;
}

/* Of the bytes that a zone's blends may take, in averages of one. */
struct blend_share {
	double history, stateless; /* 0: there is no room for one */
};

static const struct blend_share only = {1.3, 0.7}, alone = {2, 0}, top = {1.1, 0.5},
				lower = {0.25, 0.15}, none = {0, 0};

static bool room_for_lower_tiers(const struct design *d, double blend_bytes)
{
	return count_tiers(d) > 1 && lower.stateless * blend_bytes >= BLEND_LEAST;
}

/* What is seldom needed is the first to go: for guests that see less, then for the first rows. */
static struct blend_share share_of(const struct design *d, double blend_bytes, enum tier tier)
{
	bool several = room_for_lower_tiers(d, blend_bytes);

	if (tier != top_tier(d))
		return several ? lower : none;
	if (several)
		return top;
	return only.stateless * blend_bytes >= BLEND_LEAST ? only : alone;
}

const char *zone_blends_without_room(const struct design *d, double blend_bytes, bool history)
{
	if (history && share_of(d, blend_bytes, top_tier(d)).stateless == 0)
		return "the size allowed leaves room for one blend a zone: simple models "
		       "answer guests that see less than the recordings did, and where a "
		       "guest's past is missing";
	if (count_tiers(d) > 1 && !room_for_lower_tiers(d, blend_bytes))
		return "the size allowed leaves no room for blends of guests that see less "
		       "than the recordings did: simple models answer them";
	return NULL;
}

/* The blends of one tier: on rows as they are, and, where it is worth trying, per vCPU. */
struct tier_pools {
	struct pool *plain, *sized; /* sized: may be NULL */
	struct resized resized;
};

static void pools_release(struct tier_pools *p)
{
	pool_free(p->plain);
	pool_free(p->sized);
	resized_release(&p->resized);
}

static int pools_init(const struct zone_blends *b, enum zone z, enum tier tier,
		      struct tier_pools *ret, struct err *e)
{
	const double *y = b->d->table->y_w[z];
	int r;

	*ret = (struct tier_pools){.plain = NULL};
	r = pool_new(b->d, y, tier, &ret->plain, e);
	if (r == 0 && ret->plain && sizes_scale(z) && sizes_differ(b->d)) {
		/* The sized pool points into `ret`: it must not be copied from elsewhere. */
		r = resized_init(b->d, y, &ret->resized, e);
		if (r == 0)
			r = pool_new(&ret->resized.d, ret->resized.y, tier, &ret->sized, e);
		if (r == 0 && ret->sized)
			ret->sized->size_vcpus = ret->resized.vcpus;
	}
	if (r < 0)
		pools_release(ret);
	return r;
}

/* 1: *ret is a fit; 0: there are too few rows for one. */
static int fit_one(const struct zone_blends *b, const struct pool *p, const struct blend_options *o,
		   struct blend_fit *ret, struct err *e)
{
	struct err why = ERR_INIT;
	int r = blend_train(p, o, ret, &why);

	if (r == -ERR_DATA)
		return 0; /* the simple families answer then */
	if (r < 0)
		return err_set(e, r, "%s", why.msg);
	if (b->o->scope != SCOPE_VM_ACTIVE)
		ret->model.idle_w = fmin(idle_watts(p->d, load_input(p->d), ret->predicted_w),
					 ret->model.max_w);
	return 1;
}

/* The better one on rows left out; a sized one must be clearly better. */
static int fit_best(const struct zone_blends *b, const struct tier_pools *p,
		    const struct blend_options *o, struct blend_fit *ret, struct err *e)
{
	struct blend_fit sized;
	int r = fit_one(b, p->plain, o, ret, e);

	if (r <= 0 || !p->sized)
		return r;
	r = fit_one(b, p->sized, o, &sized, e);
	if (r < 0)
		blend_fit_release(ret);
	if (r <= 0)
		return r < 0 ? r : 1;
	if (sized.relative < SIZED_GAIN * ret->relative) {
		struct blend_fit plain = *ret;

		*ret = sized;
		sized = plain;
	}
	blend_fit_release(&sized);
	return 1;
}

/* One blend to the end of the zone's models; returns 1 when it is there and uses history. */
static int add_blend(const struct zone_blends *b, const struct tier_pools *p, bool history,
		     double share, const struct gbdt_tuning *tuning, struct zone_models *models,
		     struct err *e)
{
	const struct blend_options o = {.history = history,
					.bytes_max = (size_t)(b->blend_bytes * share),
					.jobs = b->o->jobs,
					.seed = b->o->seed,
					.kind = b->o->kind,
					.tuning = tuning};
	struct blend_fit f;
	int r = fit_best(b, p, &o, &f, e);

	if (r <= 0)
		return r;
	free(steal(f.predicted_w));
	models->models[models->n++] = f.model;
	return f.model.history;
}

/* With history where that pays, then without, on what a guest of that tier sees. */
static int add_tier(const struct zone_blends *b, enum zone z, enum tier tier,
		    const struct blend_share *share, struct zone_models *models, struct err *e)
{
	struct gbdt_tuning tuning = GBDT_TUNING_INIT;
	const struct gbdt_tuning *tuned = b->search->trials ? &tuning : NULL;
	struct tier_pools p;
	int r = pools_init(b, z, tier, &p, e);

	if (r < 0 || !p.plain)
		return r;
	b->progress(b->arg, z, 0);
	if (tuned && tier == top_tier(b->d))
		r = zone_search_gbdt(b->search, z, p.plain, &tuning, e);
	if (r == 0)
		r = add_blend(b, &p, !b->o->no_history, share->history, tuned, models, e);
	b->progress(b->arg, z, 1);
	if (r > 0 && share->stateless > 0)
		r = add_blend(b, &p, false, share->stateless, tuned, models, e);
	b->progress(b->arg, z, 1);
	pools_release(&p);
	return r < 0 ? r : 0;
}

/* Best tier first; a guest may see less than the recordings did. */
int zone_blends_add(const struct zone_blends *b, enum zone z, struct zone_models *models,
		    struct err *e)
{
	int r = 0;

	for (int tier = TIER_PMU; tier >= TIER_OS && r == 0; tier--) {
		struct blend_share share = share_of(b->d, b->blend_bytes, (enum tier)tier);

		if (!has_tier(b->d, (enum tier)tier))
			continue;
		if (share.history > 0)
			r = add_tier(b, z, (enum tier)tier, &share, models, e);
		else
			b->progress(b->arg, z, BLENDS_PER_TIER);
	}
	return r;
}
