/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HEALTH_DRIFT_H
#define HEALTH_DRIFT_H

/*
 * Drift without labels: are the inputs still those that the models were
 * trained on? It only proves that inputs changed; whether the watts are wrong
 * no guest can see. Per sample it is given the distance of the estimate from
 * the training data (model_distance; over OUT_OF_DISTRIBUTION is outside) and
 * the inputs, and keeps three tests:
 *
 *   share    samples outside among the last 60. Raised at three quarters of at
 *            least 40, cleared below a quarter: a short odd job is no drift.
 *   mean     Page-Hinkley on the distance, held to 0..2 (Page 1954; Hinkley
 *            1971): m_t = sum (d - mean_t - 0.05), raised when m_t is over 12
 *            above its least value; it finds a small rise that lasts. Cleared
 *            with the share, and when the mean of the last 60 is inside again.
 *   machine  this is not the machine of training (CPU model, vCPUs, ...), told
 *            by the caller.
 *
 * psi: the population stability index of a feature over about the last hour on
 * training deciles, sum (p - q) ln (p / q): 0 alike, over 0.25 conventionally
 * "changed". A quiet night is a changed distribution and no drift, so it
 * raises nothing: it is there to be looked at over days.
 *
 * All is allocated at drift_new(); a sample costs one feature's logarithms.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/model.h"

#define DRIFT_SAMPLES	  60
#define DRIFT_SAMPLES_MIN 40
#define DRIFT_RAISE	  0.75
#define DRIFT_CLEAR	  0.25
#define PH_DELTA	  0.05
#define PH_LAMBDA	  12.0
#define PH_CAP		  2.0
#define PSI_MEMORY_S	  3600.0

struct drift; /* owned by drift_new's caller */

/* What it says; a copy is cheap. */
struct drift_state {
	bool share, mean, machine; /* raised now */
	uint64_t raised;	   /* times that any was raised while none was */
	double outside;		   /* share of the last samples outside, 0..1 */
	double psi_max;		   /* over features; NaN: too early, or a set without profiles */
	const char *psi_feature;   /* whose it is; NULL with it */
};

static inline bool drift_any(const struct drift_state *s)
{
	return s->share || s->mean || s->machine;
}

/* `set` is borrowed; NULL: the prior, which nothing drifts from. -ENOMEM. */
int drift_new(const struct model_set *set, struct drift **ret, struct err *e);
void drift_free(struct drift *d); /* NULL is fine */

/*
 * The same bundle was loaded anew: what was seen until now goes on, with `set`. False, and
 * nothing is changed, where it watches other features. The set of before must still be there.
 */
bool drift_rebind(struct drift *d, const struct model_set *set);

/*
 * One estimate: its distance (NaN: none) and the values of the set's inputs
 * (NULL: none), which averaged `seconds` more of time.
 */
void drift_sample(struct drift *d, double distance, const double *x, double seconds);

/* Whether the machine is another than that of training. */
void drift_machine(struct drift *d, bool other);

/* Forget the samples, not the machine: after a suspend or another set of CPUs. */
void drift_reset(struct drift *d);

const struct drift_state *drift_state(const struct drift *d);

/* PSI of profile i of the set; NaN before half an hour of samples. */
double drift_psi(const struct drift *d, size_t i);

#endif
