// SPDX-License-Identifier: Apache-2.0
/* From a model set and inputs to watts with an interval: see estimate.h. */
#include "model/estimate.h"

#include <math.h>
#include <string.h>

static const char *const provenance_names[PROVENANCE_COUNT] = {"host", "trained", "derived",
							       "prior"};
static const char *const fallback_names[FALLBACK_COUNT] = {
	"none", "no_bundle", "no_model", "missing_features", "low_confidence", "remote"};

const char *provenance_name(enum provenance p)
{
	return provenance_names[p];
}

const char *fallback_name(enum fallback f)
{
	return fallback_names[f];
}

/* How far the ends are at `watts` and a blend's z, before their local scale and widening. */
static double half_width(const struct interval *v, double watts, double z)
{
	double at = v->by_distance ? z : watts;
	unsigned band = 0;

	while (band + 1 < v->n_bands && at > v->upto[band])
		band++;
	return v->quantile[band] * fmax(watts, v->scale_w);
}

void zone_estimate_ends(struct zone_estimate *z, struct ends w, double scale_w, double mismatch)
{
	double watts = zone_watts(z);
	double relative;

	z->low_w = fmax(watts - w.down, 0);
	z->high_w = watts + w.up;
	relative = (z->high_w - z->low_w) / 2 / fmax(watts, scale_w);
	z->confidence = 1 / (1 + relative) / (1 + z->distance + mismatch);
}

void zone_estimate_bound(struct zone_estimate *z, double half_w, double scale_w, double mismatch)
{
	zone_estimate_ends(z, (struct ends){half_w, half_w}, scale_w, mismatch);
}

static bool can_answer(const struct model *m, const double *x, const struct estimate_options *o)
{
	if ((m->history && o->stateless) || (m->family != FAMILY_PHYSICS && o->physics_only))
		return false;
	for (size_t i = 0; i < m->n_used; i++) {
		if (!isfinite(x[m->used[i].input]))
			return false;
	}
	return true;
}

static void estimate_zone(const struct zone_models *models, const double *x,
			  const struct estimate_options *o, struct zone_estimate *z)
{
	const struct model *m = NULL;
	double at[INPUT_MAX], watts, far, size, half_w, most_w;
	struct ends w;

	*z = (struct zone_estimate){.definition = models->definition,
				    .fallback = models->n ? FALLBACK_MISSING_FEATURES
							  : FALLBACK_NO_MODEL};
	for (size_t i = 0; i < models->n && !m; i++) {
		if (can_answer(&models->models[i], x, o))
			m = &models->models[i];
	}
	if (!m)
		return;
	x = model_resize(m, x, at, &size);
	watts = model_watts(m, x, &far);
	z->valid = true;
	z->fallback = FALLBACK_NONE;
	z->provenance = PROVENANCE_TRAINED;
	z->model = m;
	z->idle_w = size * fmin(m->idle_w, watts);
	z->active_w = size * watts - z->idle_w;
	z->distance = model_distance(m, x, far);
	half_w = size * half_width(&m->interval, watts, far) * o->widen * (1 + z->distance);
	w = model_spread(m, x, far, watts);
	w.down *= half_w;
	most_w = size * m->max_w * o->widen;
	w.up = fmin(w.up * half_w, fmax(most_w - zone_watts(z), 0));
	zone_estimate_ends(z, w, size * m->interval.scale_w, o->mismatch);
}

/* Move the watts of `z` by `delta_w`, active first, and keep them inside low..high. */
static void shift(struct zone_estimate *z, double delta_w)
{
	double watts = fmax(zone_watts(z) + delta_w, 0);

	z->idle_w = fmin(z->idle_w, watts);
	z->active_w = watts - z->idle_w;
	z->low_w = fmin(z->low_w, watts);
	z->high_w = fmax(z->high_w, watts);
}

/* How far down a part may be moved. */
static double least_w(const struct zone_estimate *z, const struct zone_estimate *package)
{
	if (z->fixed)
		return zone_watts(z);
	return package->fixed ? 0 : z->low_w;
}

/*
 * The package holds its parts, so its estimate says more about their sum than they
 * about it: they give way first, each down to its low end in proportion to the
 * room it has, and the package rises by what is left.
 */
void estimate_reconcile(struct estimate *e)
{
	static const enum zone parts[] = {ZONE_CORE, ZONE_UNCORE};
	struct zone_estimate *package = &e->zone[ZONE_PACKAGE];
	double sum = 0, room = 0, excess;

	e->excess_w = 0;
	if (!package->valid)
		return;
	for (size_t i = 0; i < 2; i++) {
		const struct zone_estimate *z = &e->zone[parts[i]];

		if (!z->valid)
			continue;
		sum += zone_watts(z);
		room += zone_watts(z) - least_w(z, package);
	}
	excess = sum - zone_watts(package);
	if (!(excess > 0))
		return;
	for (size_t i = 0; i < 2; i++) {
		struct zone_estimate *z = &e->zone[parts[i]];

		if (z->valid && room > 0)
			shift(z, -fmin(excess / room, 1) * (zone_watts(z) - least_w(z, package)));
	}
	/* What is left, rounding included, is the package's. */
	sum = 0;
	for (size_t i = 0; i < 2; i++) {
		if (e->zone[parts[i]].valid)
			sum += zone_watts(&e->zone[parts[i]]);
	}
	e->excess_w = fmax(sum - zone_watts(package), 0);
	if (!package->fixed)
		shift(package, e->excess_w);
}

void model_set_estimate(const struct model_set *s, const double *x,
			const struct estimate_options *o, struct estimate *ret)
{
	zone_foreach (z)
		estimate_zone(&s->zones[z], x, o, &ret->zone[z]);
	estimate_reconcile(ret);
}
