// SPDX-License-Identifier: Apache-2.0
/*
 * Watts for a machine nobody trained on: see prior.h, and docs/prior.md for
 * where the figures come from.
 *
 * In: a row with the busy share of the CPUs. Out: package, core, dram, uncore.
 *
 *   package active = vcpus x slope x curve(busy / vcpus)
 *   core, dram     = a share of it;  uncore = package - core
 *   idle           = vcpus x idle per logical CPU, only where asked for
 *
 * The host's load decides where on the curve it runs, and a guest cannot see
 * it: the guest's own busy share stands in. Steal is not busy. CPU time comes in
 * ticks of 10 ms, so no interval is narrower than one of them is worth.
 */
#include "model/prior.h"

#include <math.h>
#include <string.h>

#include "model/prior_table.h"

#define MHZ_RATIO_MIN 0.6 /* a "nominal" frequency further off is a reading of the moment */
#define MHZ_RATIO_MAX 1.8
#define TICK_S	      0.01 /* of CPU time, as /proc/stat counts it */
#define SCALE_SHARE   0.1  /* relative widths are against at least this share of full power */

static const struct prior_row *generic_row(void)
{
	return &prior_rows[prior_n_rows - 1];
}

static bool matches(const struct prior_match *m, const struct identity *id)
{
	if (strcmp(m->vendor, id->vendor) != 0)
		return false;
	return !m->family || (m->family == id->family && id->model >= m->model_first &&
			      id->model <= m->model_last && id->stepping >= m->stepping_first &&
			      id->stepping <= m->stepping_last);
}

void prior_init(struct prior *p, const struct identity *id)
{
	double ratio = 1;

	p->row = generic_row();
	for (unsigned i = 0; i < prior_n_matches; i++) {
		if (matches(&prior_matches[i], id)) {
			p->row = &prior_rows[prior_matches[i].row];
			break;
		}
	}
	if (id->nominal_mhz > 0)
		ratio = fmin(fmax(id->nominal_mhz / p->row->mhz, MHZ_RATIO_MIN), MHZ_RATIO_MAX);
	p->frequency_factor = pow(ratio, prior_shares.mhz_exponent);
}

const char *prior_name(const struct prior *p)
{
	return p->row->name;
}

/* The busy CPUs' share of the slope; linear between the table's points. */
static double curve(double busy)
{
	double at = fmin(fmax(busy, 0), 1) * (PRIOR_CURVE_POINTS - 1);
	int i = (int)at < PRIOR_CURVE_POINTS - 1 ? (int)at : PRIOR_CURVE_POINTS - 2;

	return prior_curve[i] + (at - i) * (prior_curve[i + 1] - prior_curve[i]);
}

/* What the four zones are made from. */
struct load {
	double vcpus;
	bool with_idle;
	enum fallback why;
	bool derive;   /* the package is not the prior's own: its parts are derived from it */
	double tick_w; /* what one tick more would add to the package; 0 where not known */
};

static bool is_known(const struct zone_estimate *z)
{
	return z->valid && z->provenance != PROVENANCE_PRIOR;
}

static void fill(struct zone_estimate *z, const struct load *l, double active_w, double idle_w,
		 const char *definition)
{
	if (z->fallback == FALLBACK_NONE)
		z->fallback = l->why;
	z->valid = true;
	z->active_w = active_w;
	z->idle_w = idle_w;
	z->distance = 0;
	z->provenance = l->derive ? PROVENANCE_DERIVED : PROVENANCE_PRIOR;
	z->definition = definition;
	z->model = NULL;
}

static void fill_package(const struct prior *p, const struct load *l, double busy_vcpus,
			 struct zone_estimate *z)
{
	const struct prior_row *row = p->row;
	double full_w = l->vcpus * row->slope_w * p->frequency_factor;
	double active_w = full_w * curve(busy_vcpus / l->vcpus);
	double idle_w = l->with_idle ? l->vcpus * row->idle_w : 0;

	fill(z, l, active_w, idle_w, "");
	zone_estimate_bound(z,
			    fmax(active_w * row->slope_half + idle_w * row->idle_half, l->tick_w),
			    SCALE_SHARE * full_w, 0);
}

/* Half the width of an interval, as a share of its watts. */
static double relative_half(const struct zone_estimate *z)
{
	double watts = zone_watts(z);

	return watts > 0 ? (z->high_w - z->low_w) / 2 / watts : 0;
}

static void keep_below(struct zone_estimate *z, double limit_w)
{
	z->high_w = fmax(fmin(z->high_w, limit_w), zone_watts(z));
}

static void fill_core(const struct load *l, const struct zone_estimate *package, double scale_w,
		      struct zone_estimate *z)
{
	double active_w = package->active_w * prior_shares.core;
	double idle_w = package->idle_w * prior_shares.core_idle, half_w;

	fill(z, l, active_w, idle_w, "");
	half_w = active_w * hypot(relative_half(package), prior_shares.core_half) + idle_w;
	zone_estimate_bound(z, fmax(half_w, prior_shares.core * l->tick_w), scale_w, 0);
	keep_below(z, package->high_w);
}

static void fill_dram(const struct load *l, const struct zone_estimate *package, double scale_w,
		      struct zone_estimate *z)
{
	double active_w = package->active_w * prior_shares.dram;
	double idle_w = l->with_idle ? l->vcpus * prior_shares.dram_idle_w : 0, half_w;

	fill(z, l, active_w, idle_w, "");
	half_w = active_w * hypot(relative_half(package), prior_shares.dram_half) + idle_w;
	zone_estimate_bound(z, fmax(half_w, prior_shares.dram * l->tick_w),
			    scale_w * prior_shares.dram, 0);
}

/*
 * What package has beyond core; from nothing to everything that core might not be. The errors of
 * both count as if they were independent: they are not where core is a share of the package or
 * both are trained on the same rows, and then the interval is wider than it need be.
 */
static void fill_uncore(const struct load *l, const struct zone_estimate *package,
			const struct zone_estimate *core, double scale_w, struct zone_estimate *z)
{
	double active_w = fmax(package->active_w - core->active_w, 0);
	double idle_w = fmax(package->idle_w - core->idle_w, 0);
	double half_w =
		hypot((package->high_w - package->low_w) / 2, (core->high_w - core->low_w) / 2);

	fill(z, l, active_w, idle_w, "package_minus_core");
	zone_estimate_bound(z, half_w, scale_w, 0);
	keep_below(z, fmax(zone_watts(package), l->tick_w));
}

/* What the package draws more with one tick of CPU time more in `dt_s`. */
static double tick_watts(const struct prior *p, double vcpus, double busy, double dt_s)
{
	double more = TICK_S / dt_s / vcpus, share = busy / vcpus;

	if (!(dt_s > 0))
		return 0;
	return vcpus * p->row->slope_w * p->frequency_factor * (curve(share + more) - curve(share));
}

void prior_fill(const struct prior *p, const struct row *r, bool with_idle, enum fallback why,
		struct estimate *e)
{
	struct zone_estimate *package = &e->zone[ZONE_PACKAGE], *core = &e->zone[ZONE_CORE];
	struct load l = {.vcpus = r->v[FEATURE_VCPUS],
			 .with_idle = with_idle,
			 .why = why,
			 .derive = is_known(package)};
	double busy = r->v[FEATURE_CPU_BUSY_VCPUS], scale_w;

	if (isnan(busy))
		busy = r->v[FEATURE_CPU_UTILIZATION] * l.vcpus;
	if (!l.derive && (!(l.vcpus > 0) || isnan(busy)))
		return;
	if (!(l.vcpus > 0)) { /* the smallest machine: small watts are small on no other */
		l.vcpus = 1;
		l.with_idle = false;
	}
	if (!l.derive)
		l.tick_w = tick_watts(p, l.vcpus, busy, r->dt_s);
	scale_w = SCALE_SHARE * l.vcpus * p->row->slope_w * p->frequency_factor;
	if (!package->valid)
		fill_package(p, &l, busy, package);
	if (!core->valid)
		fill_core(&l, package, scale_w, core);
	if (!e->zone[ZONE_DRAM].valid)
		fill_dram(&l, package, scale_w, &e->zone[ZONE_DRAM]);
	if (!e->zone[ZONE_UNCORE].valid)
		fill_uncore(&l, package, core, scale_w, &e->zone[ZONE_UNCORE]);
	estimate_reconcile(e);
}
