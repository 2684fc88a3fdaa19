/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_IMPORTED_H
#define FUZZ_IMPORTED_H

/* What a reader of src/exchange took of any bytes is a model that passes the check, or is refused.
 */

#include <stdlib.h>

#include "exchange/import.h"

static inline void check_imported(struct regressor *r)
{
	struct model_set s = {.name = "n", .version = "1", .interval_s = 5, .window_s = 5};
	struct feature_source *sources = calloc(r->n_features, sizeof(*sources));
	double x[INPUT_MAX] = {0}, z;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < r->n_features; i++)
		sources[i] =
			(struct feature_source){{.feature = (enum feature)(i % FEATURE_COUNT)}, 1};
	if (import_zone(&s, ZONE_PACKAGE, r, sources, &e) == 0 && model_set_check(&s, &e) == 0 &&
	    !(model_watts(s.zones[ZONE_PACKAGE].models, x, &z) >= 0))
		abort();
	model_set_release(&s);
	free(sources);
}

#endif
