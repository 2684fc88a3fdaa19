// SPDX-License-Identifier: Apache-2.0
/* Drift without labels: see drift.h. */
#include "health/drift.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "features/catalogue.h"
#include "model/estimate.h"

#define PSI_EARLY_S 1800.0
#define PSI_FLOOR   1e-3 /* a share below it counts as it: an empty bin has no logarithm */

struct watched {
	size_t input;		   /* in the set's inputs */
	double mass[PROFILE_BINS]; /* seconds, fading */
	double psi;
};

struct drift {
	const struct model_set *set;
	struct watched *watched; /* owned; by profile */
	size_t next;		 /* the one whose psi is due */
	double seen_s;
	double recent[DRIFT_SAMPLES]; /* distances, held to 0..PH_CAP */
	size_t n, at;
	double ph_n, ph_mean, ph_sum, ph_least;
	struct drift_state state;
};

/* The input that is the feature as it is now, or n_inputs. */
static size_t input_of(const struct model_set *s, unsigned feature)
{
	size_t i = 0;

	while (i < s->n_inputs &&
	       (s->inputs[i].op != INPUT_NOW || s->inputs[i].feature != (enum feature)feature))
		i++;
	return i;
}

int drift_new(const struct model_set *set, struct drift **ret, struct err *e)
{
	struct drift *d = calloc(1, sizeof(*d));

	if (!d)
		return err_nomem(e);
	d->set = set;
	d->state.psi_max = NAN;
	if (set && set->n_profiles) {
		d->watched = calloc(set->n_profiles, sizeof(*d->watched));
		if (!d->watched) {
			free(d);
			return err_nomem(e);
		}
	}
	for (size_t i = 0; d->watched && i < set->n_profiles; i++) {
		d->watched[i].input = input_of(set, set->profiles[i].feature);
		d->watched[i].psi = NAN;
	}
	*ret = d;
	return 0;
}

void drift_free(struct drift *d)
{
	if (!d)
		return;
	free(d->watched);
	free(d);
}

bool drift_rebind(struct drift *d, const struct model_set *set)
{
	size_t had = d->set ? d->set->n_profiles : 0, n = set ? set->n_profiles : 0;

	for (size_t i = 0; i < n && n == had; i++) {
		if (d->set->profiles[i].feature != set->profiles[i].feature)
			return false;
	}
	if (n != had)
		return false;
	d->set = set;
	for (size_t i = 0; i < n; i++)
		d->watched[i].input = input_of(set, set->profiles[i].feature);
	return true;
}

/* ---- distances ---- */

static void page_hinkley(struct drift *d, double distance)
{
	d->ph_n++;
	d->ph_mean += (distance - d->ph_mean) / d->ph_n;
	d->ph_sum += distance - d->ph_mean - PH_DELTA;
	d->ph_least = fmin(d->ph_least, d->ph_sum);
}

static void page_hinkley_anew(struct drift *d)
{
	d->ph_n = d->ph_mean = d->ph_sum = d->ph_least = 0;
}

static void judge(struct drift *d)
{
	struct drift_state *s = &d->state;
	bool any = drift_any(s);
	size_t outside = 0;
	double mean = 0;

	for (size_t i = 0; i < d->n; i++) {
		outside += d->recent[i] > OUT_OF_DISTRIBUTION;
		mean += d->recent[i] / (double)d->n;
	}
	s->outside = (double)outside / (double)d->n;
	if (d->n >= DRIFT_SAMPLES_MIN && s->outside >= DRIFT_RAISE)
		s->share = true;
	else if (s->outside < DRIFT_CLEAR)
		s->share = false;
	if (d->ph_sum - d->ph_least > PH_LAMBDA && mean > OUT_OF_DISTRIBUTION / 2)
		s->mean = true;
	if (s->mean && s->outside < DRIFT_CLEAR && mean <= OUT_OF_DISTRIBUTION / 2) {
		s->mean = false;
		page_hinkley_anew(d);
	}
	s->raised += !any && drift_any(s);
}

/* ---- features ---- */

static size_t bin_of(const struct profile *p, double value)
{
	size_t k = 0;

	while (k < PROFILE_BINS - 1 && value > p->edge[k])
		k++;
	return k;
}

static void add_value(struct watched *w, const struct profile *p, double value, double seconds)
{
	double keep = exp(-seconds / PSI_MEMORY_S);

	for (size_t k = 0; k < PROFILE_BINS; k++)
		w->mass[k] *= keep;
	w->mass[bin_of(p, value)] += seconds;
}

static double psi_of(const struct watched *w, const struct profile *p)
{
	double total = 0, psi = 0;

	for (size_t k = 0; k < PROFILE_BINS; k++)
		total += w->mass[k];
	if (!(total > 0))
		return NAN;
	for (size_t k = 0; k < PROFILE_BINS; k++) {
		double now = fmax(w->mass[k] / total, PSI_FLOOR);
		double then = fmax(p->share[k], PSI_FLOOR);

		psi += (now - then) * log(now / then);
	}
	return psi;
}

/* One feature's index a sample, then the largest of all. */
static void update_psi(struct drift *d)
{
	const struct model_set *s = d->set;

	d->watched[d->next].psi = psi_of(&d->watched[d->next], &s->profiles[d->next]);
	d->next = (d->next + 1) % s->n_profiles;
	d->state.psi_max = NAN;
	for (size_t i = 0; i < s->n_profiles; i++) {
		if (!(d->watched[i].psi <= d->state.psi_max) && !isnan(d->watched[i].psi)) {
			d->state.psi_max = d->watched[i].psi;
			d->state.psi_feature =
				feature_info((enum feature)s->profiles[i].feature)->name;
		}
	}
}

static void watch_features(struct drift *d, const double *x, double seconds)
{
	const struct model_set *s = d->set;

	for (size_t i = 0; i < s->n_profiles; i++) {
		struct watched *w = &d->watched[i];

		if (w->input < s->n_inputs && isfinite(x[w->input]))
			add_value(w, &s->profiles[i], x[w->input], seconds);
	}
	d->seen_s += seconds;
	if (d->seen_s >= PSI_EARLY_S)
		update_psi(d);
}

/* ---- what the header says ---- */

void drift_sample(struct drift *d, double distance, const double *x, double seconds)
{
	if (d->watched && x && seconds > 0)
		watch_features(d, x, seconds);
	if (isnan(distance))
		return;
	distance = fmin(fmax(distance, 0), PH_CAP);
	d->recent[d->at] = distance;
	d->at = (d->at + 1) % DRIFT_SAMPLES;
	d->n += d->n < DRIFT_SAMPLES;
	page_hinkley(d, distance);
	judge(d);
}

void drift_machine(struct drift *d, bool other)
{
	d->state.raised += other && !drift_any(&d->state);
	d->state.machine = other;
}

void drift_reset(struct drift *d)
{
	d->n = d->at = 0;
	page_hinkley_anew(d);
	d->state.share = d->state.mean = false;
	d->state.outside = 0;
}

const struct drift_state *drift_state(const struct drift *d)
{
	return &d->state;
}

double drift_psi(const struct drift *d, size_t i)
{
	return d->seen_s < PSI_EARLY_S ? NAN : d->watched[i].psi;
}
