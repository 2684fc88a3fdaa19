// SPDX-License-Identifier: Apache-2.0
/* The reader of onnx models, on any bytes: no crash, and what it takes is a model that passes the
 * check or is refused. */
#include <stdint.h>
#include <stdlib.h>

#include "exchange/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model_set s = {.name = "n", .version = "1", .interval_s = 5, .window_s = 5};
	struct feature_source *sources;
	struct regressor r;
	struct err e = ERR_INIT;
	double x[INPUT_MAX] = {0}, z;

	if (onnx_read(data, size, 3, &r, &e) < 0)
		return 0;
	sources = calloc(r.n_features, sizeof(*sources));
	for (size_t i = 0; i < r.n_features; i++)
		sources[i] =
			(struct feature_source){{.feature = (enum feature)(i % FEATURE_COUNT)}, 1};
	if (import_zone(&s, ZONE_PACKAGE, &r, sources, &e) == 0 && model_set_check(&s, &e) == 0 &&
	    !(model_watts(s.zones[ZONE_PACKAGE].models, x, &z) >= 0))
		abort();
	model_set_release(&s);
	free(sources);
	return 0;
}
