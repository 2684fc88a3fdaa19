/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EVALUATE_BANDS_H
#define EVALUATE_BANDS_H

/*
 * Error by load band: rows are put into ten equal bands of cpu_utilization,
 * or, where fewer than half of the labelled rows have it, of the label over
 * the largest label; each band is scored by itself.
 */

#include "base/metrics.h"
#include "evaluate/answers.h"

#define BAND_COUNT 10

struct bands {
	bool by_utilization;
	struct metrics band[BAND_COUNT]; /* band k: load k/10 up to (k + 1)/10 */
};

int bands_compute(const struct table *t, enum zone z, const struct answers *a, struct bands *ret,
		  struct err *e);

#endif
