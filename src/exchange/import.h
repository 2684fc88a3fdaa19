/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXCHANGE_IMPORT_H
#define EXCHANGE_IMPORT_H

/*
 * A regressor (regressor.h) becomes the model of a zone. Nothing is known of what it was trained
 * on, so its interval is the widest, its error is not stated, and no input is called unusual: that
 * is what `evaluate` and `train --calibrate` are for.
 */

#include "exchange/regressor.h"

/* "cpu_utilization", "cpu_utilization_lag_20s", "cpu_utilization_ema_60s". */
#define INPUT_NAME 96
const char *input_name(const struct input *in, char ret[INPUT_NAME]);
int input_parse(const char *name, struct input *ret);

/* What a feature of the file is here: an input, times a number. */
struct feature_source {
	struct input input;
	double factor;
};

/*
 * Say what the features of `r` are: `features` is NULL (the file's names are ours, or Kepler's), a
 * list of all of them "a,b,c", or of some that have other names here "theirs=ours,...".
 * ret[n_features]; those that the model does not look at may stay unknown. ERR_USAGE, ERR_DATA.
 */
int import_sources(const struct regressor *r, const char *features, struct feature_source *ret,
		   struct err *e);

/* Whether the model looks at feature i. */
bool regressor_needs(const struct regressor *r, size_t i);

/* Add it as the zone's only model; `r` is emptied, also on failure. */
int import_zone(struct model_set *s, enum zone z, struct regressor *r,
		const struct feature_source *sources, struct err *e);

#endif
