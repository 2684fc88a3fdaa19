/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_ADAPT_H
#define TRAIN_ADAPT_H

/*
 * A trained set to another machine, with a few labelled rows of it.
 *
 * Every model of a zone gets watts = offset_w + gain x its own: as it was, a
 * gain, or both, whichever predicts each row best from the others (with two or
 * three rows that cannot be tried: both where the rows differ in load). From 10
 * rows on, a model of the machine itself is tried too: physics on these rows
 * times a kernel regression of what physics leaves over (the hybrid family).
 * Unless it predicts left-out rows clearly worse, it answers first. Intervals then
 * follow from the left-out errors of these rows.
 */

#include "align/table.h"
#include "base/err.h"
#include "model/model.h"

enum adapt_method {
	ADAPT_KEEP,   /* as trained */
	ADAPT_GAIN,   /* gain x watts */
	ADAPT_AFFINE, /* offset + gain x watts */
	ADAPT_LOCAL,  /* a model of the machine's own rows */
	ADAPT_METHODS,
};

struct adapt_zone {
	size_t rows;		  /* 0: the zone has no label in the rows, and is as it was */
	enum adapt_method method; /* of what answers first */
	double before, after; /* relative error on left-out rows; NaN where it cannot be tried */
};

const char *adapt_method_name(enum adapt_method m);

/*
 * Adapt `s` in place. ERR_DATA when no zone has a model and at least 2 labelled
 * rows with the features to answer them.
 */
int adapt(struct model_set *s, const struct table *t, unsigned seed,
	  struct adapt_zone ret[ZONE_COUNT], struct err *e);

#endif
