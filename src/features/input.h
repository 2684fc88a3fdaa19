/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FEATURES_INPUT_H
#define FEATURES_INPUT_H

/*
 * An input: one number that a model is fed. It is a feature of the interval
 * just closed, or of its history. Lags and time constants are in seconds, so
 * they mean the same at any cadence.
 */

#include "features/catalogue.h"

enum input_op {
	INPUT_NOW, /* the value of the interval just closed */
	INPUT_LAG, /* the value `seconds` ago; the oldest known before there is a past */
	INPUT_EMA, /* exponential mean with time constant `seconds`, starting at the first value */
	INPUT_OP_COUNT,
};

struct input {
	enum feature feature;
	enum input_op op;
	double seconds; /* 0 for INPUT_NOW; else in (0, INPUT_MAX_SECONDS] */
};

#define INPUT_MAX_SECONDS 3600.0
#define INPUT_MAX	  256 /* inputs of one model set */

#endif
