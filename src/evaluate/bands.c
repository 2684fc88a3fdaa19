// SPDX-License-Identifier: Apache-2.0
/* Error by load band: see bands.h. */
#include "evaluate/bands.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"

/* The load of every labelled row in 0..1, NaN for the rest. Returns whether it is utilization. */
static bool loads(const struct table *t, const double *y, double *ret_load)
{
	double largest = 0;
	size_t labelled = 0, known = 0;

	for (size_t i = 0; i < t->n_rows; i++) {
		struct row row;

		ret_load[i] = NAN;
		if (isnan(y[i]))
			continue;
		table_row(t, i, &row);
		row_complete(&row);
		ret_load[i] = row.v[FEATURE_CPU_UTILIZATION];
		largest = fmax(largest, y[i]);
		labelled++;
		known += !isnan(ret_load[i]);
	}
	if (2 * known >= labelled)
		return true;
	for (size_t i = 0; i < t->n_rows; i++)
		ret_load[i] = largest > 0 ? y[i] / largest : NAN;
	return false;
}

static int band_of(double load)
{
	int k;

	if (isnan(load))
		return -1;
	k = (int)(fmin(fmax(load, 0), 1) * BAND_COUNT);
	return k < BAND_COUNT ? k : BAND_COUNT - 1;
}

int bands_compute(const struct table *t, enum zone z, const struct answers *a, struct bands *ret,
		  struct err *e)
{
	const double *y = t->y_w[z];
	autofree double *load = malloc((t->n_rows + 1) * sizeof(double));
	autofree double *truth = malloc((t->n_rows + 1) * sizeof(double));
	struct metrics_input in = {t->n_rows, truth, a->watts[z], a->low[z], a->high[z]};

	if (!load || !truth)
		return err_nomem(e);
	ret->by_utilization = loads(t, y, load);
	for (int k = 0; k < BAND_COUNT; k++) {
		for (size_t i = 0; i < t->n_rows; i++)
			truth[i] = band_of(load[i]) == k ? y[i] : NAN;
		metrics_compute(&in, &ret->band[k]);
	}
	return 0;
}
