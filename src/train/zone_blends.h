/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_ZONE_BLENDS_H
#define TRAIN_ZONE_BLENDS_H

/*
 * The blends of one zone: on every feature tier that the recordings tell apart, with history
 * where that pays and without. Where the machines are of several sizes, package and core also try
 * a sized one (sizes.h), which must be clearly better on machines left out.
 */

#include "model/model.h"
#include "train/design.h"
#include "train/train.h"
#include "train/zone_search.h"

#define BLENDS_PER_TIER 2 /* with history and without */

struct zone_blends {
	const struct train_options *o;
	const struct design *d;
	struct zone_search *search;
	double blend_bytes; /* of one blend, on average */
	void (*progress)(void *arg, enum zone z, unsigned done);
	void *arg;
};

/* To the end of the zone's models, which has room for BLENDS_PER_TIER a tier. */
int zone_blends_add(const struct zone_blends *b, enum zone z, struct zone_models *models,
		    struct err *e);

/* What is left out where a blend has blend_bytes on average, in one sentence; NULL: nothing.
 * Without `history` there is none but the stateless one. */
const char *zone_blends_without_room(const struct design *d, double blend_bytes, bool history);

/* Mean estimate over the 2 % of rows with the least load: what is there when nothing runs. */
double idle_watts(const struct design *d, size_t load, const double *predicted_w);

/* Of how many tiers the design has a feature. */
size_t count_tiers(const struct design *d);

#endif
