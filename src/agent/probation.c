// SPDX-License-Identifier: Apache-2.0
/* Judging a new bundle row by row: see probation.h. */
#include "agent/probation.h"

#include <math.h>
#include <stdlib.h>

#include "agent/policy.h"
#include "base/cleanup.h"
#include "model/estimator.h"
#include "model/fit.h"

#define ZONES_SLACK_W	0.1
#define ZONES_SLACK	0.05 /* of the package */
#define COLLAPSE	0.5  /* of the confidence of the version before */
#define ERROR_FACTOR	2    /* times the card's mean absolute error */
#define ERROR_SLACK_W	0.1
#define NODE_VCPUS_MOST 256 /* a bundle of scope node_total may speak of a host that large */

#define each_zone(z) for (int z = 0; z < ZONE_RAPL_COUNT; z++)

struct mean {
	uint64_t n;
	double sum;
};

struct probation {
	const struct identity *identity;
	const struct model_set *set;
	struct model_set *before; /* owned */
	struct estimator *shadow; /* of `before`; NULL without */
	struct prior prior;
	uint64_t ticks, rows;
	unsigned range_votes, zones_votes;
	double vcpus; /* the shadow was fitted to */
	struct mean confidence[ZONE_RAPL_COUNT], confidence_before[ZONE_RAPL_COUNT];
	struct mean error_w[ZONE_RAPL_COUNT], card_w[ZONE_RAPL_COUNT];
};

static void mean_add(struct mean *m, double x)
{
	m->n++;
	m->sum += x;
}

static double mean_of(const struct mean *m)
{
	return m->n ? m->sum / (double)m->n : NAN;
}

int probation_new(const struct probation_options *o, struct probation **ret, struct err *e)
{
	struct probation *p = calloc(1, sizeof(*p));
	int r = 0;

	if (!p) {
		model_set_free(o->before);
		return err_nomem(e);
	}
	p->identity = o->identity;
	p->set = o->set;
	p->before = o->before;
	p->ticks = o->ticks;
	p->vcpus = NAN;
	prior_init(&p->prior, o->identity);
	if (p->before) {
		struct estimator_options options = {
			.set = p->before, .prior = &p->prior, .step_s = o->step_s};

		r = estimator_new(&options, &p->shadow, e);
	}
	if (r < 0) {
		probation_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void probation_free(struct probation *p)
{
	if (!p)
		return;
	estimator_free(p->shadow);
	model_set_free(p->before);
	free(p);
}

void probation_reset(struct probation *p)
{
	if (p && p->shadow)
		estimator_reset(p->shadow);
}

void probation_refit(struct probation *p)
{
	if (p)
		p->vcpus = NAN;
}

void probation_rebind(struct probation *p, const struct model_set *set)
{
	if (p)
		p->set = set;
}

struct model_set *probation_take_before(struct probation *p)
{
	return steal(p->before);
}

/* ---- what a bundle fails by ---- */

static bool is_nan(const struct estimate *raw)
{
	each_zone(z)
	{
		const struct zone_estimate *v = &raw->zone[z];

		if (v->valid &&
		    !(isfinite(v->active_w) && isfinite(v->idle_w) && isfinite(v->low_w) &&
		      isfinite(v->high_w) && isfinite(v->confidence)))
			return true;
	}
	return false;
}

/* The most that this machine can draw, with room to spare. */
static double most_watts(const struct probation *p, const struct row *row)
{
	struct estimate full = {.tier = TIER_OS};
	struct row at_full_load;
	double vcpus = row->v[FEATURE_VCPUS];

	row_clear(&at_full_load);
	if (p->set->scope == SCOPE_NODE_TOTAL)
		vcpus = fmax(vcpus, NODE_VCPUS_MOST);
	at_full_load.v[FEATURE_VCPUS] = at_full_load.v[FEATURE_CPU_BUSY_VCPUS] = vcpus;
	at_full_load.v[FEATURE_CPU_UTILIZATION] = 1;
	prior_fill(&p->prior, &at_full_load, true, FALLBACK_NONE, &full);
	if (!full.zone[ZONE_PACKAGE].valid)
		return INFINITY;
	return PROBATION_RANGE * full.zone[ZONE_PACKAGE].high_w;
}

static bool is_out_of_range(const struct probation *p, const struct row *row,
			    const struct estimate *raw)
{
	double most_w = most_watts(p, row);

	each_zone(z)
	{
		const struct zone_estimate *v = &raw->zone[z];

		if (v->valid && (zone_watts(v) < 0 || zone_watts(v) > most_w))
			return true;
	}
	return false;
}

static bool is_inconsistent(const struct estimate *raw)
{
	const struct zone_estimate *package = &raw->zone[ZONE_PACKAGE];

	return package->valid && raw->excess_w > ZONES_SLACK_W + ZONES_SLACK * zone_watts(package);
}

/* Where the version before answers a zone, the new one must, about as confidently. */
static void compare(struct probation *p, const struct row *row, const struct estimate *raw)
{
	struct estimate before;
	double vcpus = row->v[FEATURE_VCPUS];

	if (!p->shadow)
		return;
	if (!(vcpus == p->vcpus)) {
		struct fit fit;

		fit_machine(&p->before->trained_on, p->identity, vcpus, &fit);
		estimator_set_fit(p->shadow, fit.widen, fit.mismatch);
		p->vcpus = vcpus;
	}
	estimator_push(p->shadow, row, &before);
	each_zone(z)
	{
		if (!before.zone[z].valid)
			continue;
		mean_add(&p->confidence_before[z], before.zone[z].confidence);
		mean_add(&p->confidence[z], raw->zone[z].valid ? raw->zone[z].confidence : 0);
	}
}

static bool has_collapsed(const struct probation *p)
{
	each_zone(z)
	{
		if (p->confidence[z].n >= PROBATION_ROWS_MIN &&
		    mean_of(&p->confidence[z]) < COLLAPSE * mean_of(&p->confidence_before[z]))
			return true;
	}
	return false;
}

static bool is_wrong(struct probation *p, const struct estimate *raw, const double *truth_w)
{
	bool wrong = false;

	each_zone(z)
	{
		const struct zone_estimate *v = &raw->zone[z];

		if (!truth_w || isnan(truth_w[z]) || !v->valid || !v->model ||
		    isnan(v->model->mae_w))
			continue;
		mean_add(&p->error_w[z], fabs(zone_watts(v) - truth_w[z]));
		mean_add(&p->card_w[z], v->model->mae_w);
		wrong |= p->error_w[z].n >= PROBATION_ROWS_MIN &&
			 mean_of(&p->error_w[z]) >
				 ERROR_FACTOR * mean_of(&p->card_w[z]) + ERROR_SLACK_W;
	}
	return wrong;
}

enum probation_verdict probation_row(struct probation *p, const struct row *row,
				     const struct estimate *raw, const double *truth_w,
				     enum rollback_reason *ret_reason)
{
	if (is_nan(raw)) {
		*ret_reason = ROLLBACK_NAN;
		return PROBATION_FAILED;
	}
	p->range_votes = is_out_of_range(p, row, raw) ? p->range_votes + 1 : 0;
	p->zones_votes = is_inconsistent(raw) ? p->zones_votes + 1 : 0;
	compare(p, row, raw);
	if (p->range_votes >= PROBATION_VOTES)
		*ret_reason = ROLLBACK_RANGE;
	else if (p->zones_votes >= PROBATION_VOTES)
		*ret_reason = ROLLBACK_ZONES;
	else if (is_wrong(p, raw, truth_w))
		*ret_reason = ROLLBACK_ERROR;
	else if (has_collapsed(p))
		*ret_reason = ROLLBACK_CONFIDENCE;
	else
		return ++p->rows >= p->ticks ? PROBATION_PASSED : PROBATION_GOES_ON;
	return PROBATION_FAILED;
}
