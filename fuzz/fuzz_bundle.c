// SPDX-License-Identifier: Apache-2.0
/* The bundle reader and the signature reader, on any bytes: no crash, and what loads is finite. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/bundle.h"
#include "bundle/minisign.h"
#include "model/estimate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct estimate_options plain = ESTIMATE_OPTIONS_INIT;
	struct model_set *s = NULL;
	struct signature sig;
	struct estimate e;
	struct err err = ERR_INIT;
	double x[INPUT_MAX];
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	signature_parse(text, &sig, &err);
	free(text);
	if (bundle_parse(data, size, &s, &err) < 0)
		return 0;
	for (size_t i = 0; i < INPUT_MAX; i++)
		x[i] = (double)i * 1e3;
	model_set_estimate(s, x, &plain, &e);
	zone_foreach (z) {
		if (e.zone[z].valid && !isfinite(zone_watts(&e.zone[z])))
			abort();
	}
	model_set_free(s);
	return 0;
}
