/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EVALUATE_ANSWERS_H
#define EVALUATE_ANSWERS_H

/*
 * What a model set answers to every row of a table, by the path that
 * `estimate` takes. Columns have one entry per row, NaN where nothing can be
 * said, and are NULL for zones without labels.
 */

#include <stdbool.h>

#include "align/table.h"
#include "model/model.h"
#include "model/prior.h"

struct answers {
	double *watts[ZONE_COUNT], *low[ZONE_COUNT], *high[ZONE_COUNT];
	size_t trained[ZONE_COUNT], derived[ZONE_COUNT],
		prior[ZONE_COUNT]; /* rows with a label, by what answered */
};

struct evaluate_options {
	const struct prior *prior; /* borrowed */
	bool stateless;		   /* history models are passed over */
};

/* `s` NULL: the prior answers. *ret is to be released. */
int answers_compute(const struct table *t, const struct model_set *s,
		    const struct evaluate_options *o, struct answers *ret, struct err *e);
void answers_release(struct answers *a);

#endif
