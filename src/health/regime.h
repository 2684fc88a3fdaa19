/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HEALTH_REGIME_H
#define HEALTH_REGIME_H

/*
 * The regime of the core clock, as the clock probe shows it (core_clock_mhz, measured only on a
 * busy CPU that nothing disturbed). A VM that was moved to a host of the same CPU name and TSC
 * frequency, or whose host got other limits of power, shows it here alone.
 *
 * A block is REGIME_SAMPLES readings, a second apart or more (the probe measures every tenth
 * second, and says the same in between); it counts by its upper quartile, since neighbours,
 * governors and idle states pull single measurements down. The usual clock is that of the first
 * block and follows slowly. Two blocks in a row that are both over REGIME_CHANGE times as fast, or
 * as slow, are another regime; two that are not, the usual one again. REGIME_CHANGE
 * is meant to leave turbo steps and a host full of others out.
 */

#include <stdbool.h>
#include <stddef.h>

#define REGIME_SAMPLES 30
#define REGIME_CHANGE  1.25

struct regime {
	double usual_mhz; /* 0: no block yet */
	double ratio; /* the clock now over the usual one; 1 in the usual regime; 0 before any */
	double block[REGIME_SAMPLES];
	size_t n;
	bool pending; /* the last block said otherwise */
};

/* One row's core clock, NaN where it was not measured; true when `ratio` changed with it. */
bool regime_sample(struct regime *g, double mhz);

/* Another machine: what was usual is not known any more. */
void regime_forget(struct regime *g);

#endif
