/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FEATURES_INTERVAL_H
#define FEATURES_INTERVAL_H

/*
 * Two samples -> the features of the interval between them.
 *
 * Rates divide by elapsed CLOCK_MONOTONIC time, so a stepped wall clock does
 * no harm and suspended time does not count. A counter that went backwards
 * (reset, device gone) gives a missing value. CPU shares divide by the CPU
 * time that passed, not by wall time, so odd intervals come out right; idle
 * and iowait may fall by a few ticks and then count as 0.
 */

#include "collect/sample.h"
#include "features/catalogue.h"

enum interval_event {
	INTERVAL_OK = 0,
	/* Under 10 ms, or under 100 ms with too few CPU ticks: nothing can be said yet; the row is
	 * all missing. */
	INTERVAL_SHORT = 1 << 0,
	INTERVAL_SUSPEND = 1 << 1, /* the VM was suspended for over 0.5 s in it */
	INTERVAL_STEP = 1 << 2,	   /* the wall clock stepped by over 1 s in it */
	INTERVAL_HOTPLUG = 1 << 3, /* the set of CPUs changed in it */
};

/*
 * Fill `ret` from two samples of the same machine, `cur` the later one.
 * Returns a mask of enum interval_event.
 * After INTERVAL_SUSPEND or INTERVAL_HOTPLUG the history must be reset.
 */
unsigned interval_row(const struct sample *prev, const struct sample *cur, struct row *ret);

#endif
