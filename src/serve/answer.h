/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_ANSWER_H
#define SERVE_ANSWER_H

/*
 * Messages into rows, estimates into messages: no I/O, no state. What arrives
 * is untrusted; a row made from it holds finite numbers or NaN (missing).
 */

#include <stdbool.h>

#include "collect/identity.h"
#include "features/catalogue.h"
#include "model/estimate.h"
#include <power_estimation.pb-c.h>

/* Names of features to their numbers; the same for every thread once made. */
struct feature_index {
	int16_t slots[256]; /* -1: empty */
};

void feature_index_init(struct feature_index *x);

/* The feature of that name, or -1. */
int feature_index_find(const struct feature_index *x, const char *name);

struct question {
	struct row row;
	unsigned known;	       /* features of the catalogue that were given */
	double step_s;	       /* as the client says; NaN: it does not */
	const char *cpu_model; /* within the message; "" not said */
};

/*
 * ERR_DATA with a sentence when nothing can be said of the row: no feature of
 * the catalogue, a number that is none, or a negative length or vCPU count.
 */
int question_read(const struct feature_index *x, const EstimationRequest *q, struct question *ret,
		  struct err *e);

/* The guest's machine, as far as the question says, for fit_machine() and prior_init(). */
void question_identity(const struct question *q, struct identity *ret);

/* An answer as a message: everything it points at is in here, or static, or the set's. */
struct answer {
	EstimationResponse message;
	EstimationResponse__ZoneWattsEntry watts[ZONE_COUNT], *watts_at[ZONE_COUNT];
	EstimationResponse__ZonesEntry zones[ZONE_COUNT], *zones_at[ZONE_COUNT];
	ZoneEstimate estimates[ZONE_COUNT];
};

/* `set` NULL: the prior answered, and `prior_version` is the version. */
void answer_write(const struct estimate *from, const struct model_set *set,
		  const char *prior_version, struct answer *ret);

#endif
