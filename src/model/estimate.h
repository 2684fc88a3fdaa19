/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_ESTIMATE_H
#define MODEL_ESTIMATE_H

/*
 * The estimate: watts per zone with a 90 % interval, a confidence and where
 * they came from.
 *
 * confidence = 1 / (1 + r) / (1 + d), in (0, 1]
 *   r  relative half width of the interval: (high - low) / 2 / max(watts, scale_w)
 *   d  distance from the training data (model_distance), plus 1 per point of
 *      applicability that does not match
 */

#include <stdbool.h>

#include "features/catalogue.h"
#include "model/model.h"

enum provenance {
	PROVENANCE_HOST,    /* handed in by the host */
	PROVENANCE_TRAINED, /* by a bundle's model of this zone */
	PROVENANCE_DERIVED, /* from other zones */
	PROVENANCE_PRIOR,   /* by the compiled-in table */
	PROVENANCE_COUNT,
};

/* Why a zone is not answered by the best model of the bundle. */
enum fallback {
	FALLBACK_NONE,
	FALLBACK_NO_BUNDLE,	   /* no bundle is loaded */
	FALLBACK_NO_MODEL,	   /* the bundle has no model for this zone */
	FALLBACK_MISSING_FEATURES, /* inputs of every model are missing */
	FALLBACK_LOW_CONFIDENCE,   /* below validation.confidence_threshold */
	FALLBACK_REMOTE,	   /* the model server that was to answer did not */
	FALLBACK_COUNT,
};

struct zone_estimate {
	bool valid;		 /* false: no watts can be said; all else undefined */
	bool fixed;		 /* handed in by the host: no other estimate moves it */
	double active_w, idle_w; /* watts = active_w + idle_w */
	double low_w, high_w;	 /* 90 % interval of watts; 0 <= low <= watts <= high */
	double confidence;	 /* [0, 1] */
	double distance; /* from the training data; 0 inside; > 0.5 is out of distribution */
	enum provenance provenance;
	enum fallback fallback;
	const char *definition;	   /* "" or the uncore definition; static or owned by the set */
	const struct model *model; /* the model that answered; NULL for the prior */
};

struct estimate {
	struct zone_estimate zone[ZONE_COUNT];
	enum tier tier;	 /* of the row it was made from */
	double excess_w; /* core + uncore lay so far above package that intervals could not hold it
			  */
};

#define OUT_OF_DISTRIBUTION 0.5

struct estimate_options {
	bool stateless;	   /* models with history are passed over */
	bool physics_only; /* only physics models: the fallback "estimation" */
	double widen;	   /* >= 1: of intervals and their limit, on a machine not trained on */
	double mismatch;   /* >= 0: points of applicability that do not match */
};

#define ESTIMATE_OPTIONS_INIT                                                                      \
	{                                                                                          \
		.widen = 1                                                                         \
	}

const char *provenance_name(enum provenance p);
const char *fallback_name(enum fallback f);

static inline double zone_watts(const struct zone_estimate *z)
{
	return z->active_w + z->idle_w;
}

/*
 * Estimate every zone of `s` from the stream's inputs x[s->n_inputs]; NaN is
 * missing. Zones the set cannot answer come back invalid with the reason in
 * `fallback`. Zones are made consistent: core + uncore <= package, moved no
 * further than their intervals allow where that suffices. Allocates nothing.
 */
void model_set_estimate(const struct model_set *s, const double *x,
			const struct estimate_options *o, struct estimate *ret);

/*
 * core + uncore <= package: the parts give way down to their low ends, then the
 * package rises. What is fixed stays: below a package that is, the other parts
 * give way as far as they must.
 */
void estimate_reconcile(struct estimate *e);

/* Set low, high and confidence of `z` from its watts, how far the ends are, `scale_w` and distance.
 */
void zone_estimate_ends(struct zone_estimate *z, struct ends w, double scale_w, double mismatch);
void zone_estimate_bound(struct zone_estimate *z, double half_w, double scale_w, double mismatch);

#endif
