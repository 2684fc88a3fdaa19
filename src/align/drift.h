/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALIGN_DRIFT_H
#define ALIGN_DRIFT_H

/*
 * Two clocks that do not tick alike: the lag of stretches of a recording, each
 * found on its own (align/lag.h), as a line in time. Its slope is the drift.
 *
 * A stretch is 10 minutes or longer, with 40 refreshes of power or more; at
 * least 4 are needed, so a recording under 40 minutes has no drift (at the
 * 200 ppm of a poor crystal it moves by less than half a second in that time).
 * Stretches whose lag is not credible say nothing; of the others, those far
 * from the line of median slope (Theil 1950, Sen 1968) are left out, and the
 * rest are fitted by weighted least squares. The slope counts as a drift when
 * it is over its 95 % uncertainty.
 */

#include "align/lag.h"

#define DRIFT_STRETCH_S	    600.0
#define DRIFT_STRETCHES_MIN 4
#define DRIFT_STRETCHES_MAX 24
#define DRIFT_PPM_MAX	    1000.0 /* more is no clock, but another thing that went wrong */

struct drift {
	double ppm; /* the guest's clock gains on the host's by so much; 0: none was found */
	double uncertainty_ppm; /* half of the 95 % interval; NaN: too short to say */
	double center_s;	/* host time at which the two readings of it agree */
	size_t stretches;	/* that say something */
};

/* Where nothing can be said the drift is 0. */
struct drift drift_find(const struct lag_input *in);

/* A host's instant on a clock that ticks as the guest's does. */
double drift_apply(const struct drift *d, double host_s);

#endif
