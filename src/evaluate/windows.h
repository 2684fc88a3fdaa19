/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EVALUATE_WINDOWS_H
#define EVALUATE_WINDOWS_H

/*
 * Error against the averaging window: users read averages. A run that is a
 * time series is cut into blocks of consecutive rows that together last at
 * most the window; truth and estimate are averaged over each block's rows that
 * have both, and scored as if they were rows. A gap (over 3 intervals) or time
 * going back starts a new block. Blocks that rows fill to less than half, and
 * runs whose interval is longer than the window, are left out.
 */

#include "align/table.h"
#include "base/metrics.h"

#define WINDOW_COUNT 4
extern const double windows_s[WINDOW_COUNT]; /* 1, 5, 15, 60 */

struct window_metrics {
	double window_s;
	double mean_s;	       /* what the blocks last on average: 3 s rows fill 5 s with 3 s */
	struct metrics blocks; /* rows = 0: the window cannot be made of these runs */
};

/* truth_w and estimate_w have one entry per row of the table; NaN is missing. */
int windows_compute(const struct table *t, const double *truth_w, const double *estimate_w,
		    double window_s, struct window_metrics *ret, struct err *e);

#endif
