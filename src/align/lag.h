/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALIGN_LAG_H
#define ALIGN_LAG_H

/*
 * The lag between two clocks, guest time = host time + lag, from what both
 * saw of the same load.
 *
 * Each refresh (begin, end] of the host's power y is compared with the mean x
 * of the guest's load over (begin + lag, end + lag], or over the `window`
 * seconds before end + lag where power was averaged over longer than it is
 * refreshed. The best lag and window have the largest correlation r of x and
 * y: the line y = a + b x, b > 0, then leaves the least of y unexplained
 * (1 - r^2). Matching two series by the peak of their correlation is the
 * standard estimate of a delay: Knapp and Carter 1976, "The generalized
 * correlation method for estimation of time delay". Comparing over the host's
 * own intervals needs no interpolation of either side. Of more than 20000
 * refreshes every second, third and so on is compared.
 *
 * Coarse: every 0.25 s of -30..30 s. A window is taken over none only when it
 * is better by 2 standard errors over 10 blocks of the recording and without
 * it a quarter more of y is left unexplained: a load that is itself smooth fits
 * any window, each with a lag of its own. A load that repeats gives several
 * peaks: another one that the best is not better than by 2 standard errors is
 * told as its rival. Fine: 161 lags over 2 s or 2 steps to either side, all on
 * the same refreshes.
 *
 * Uncertainty, 95 %: each tenth of the recording is left out in turn and the
 * best lag found again (the delete-one-block jackknife, Efron and Tibshirani
 * 1993, chapter 11; it needs no model of the noise and minds that neighbouring
 * refreshes are alike):
 *
 *   u^2 = 2.262^2 9/10 sum (lag_k - mean lag_k)^2 + (step / 10)^2
 *
 * where 2.262 is Student's t for 9 degrees of freedom, and step is the guest's
 * or the mean refresh, whichever is longer: load and power within it are not
 * known.
 */

#include "align/track.h"
#include "base/err.h"

#define LAG_MAX_S	  30
#define LAG_REFRESHES_MIN 20
#define LAG_CORRELATION	  0.5  /* and 4 / sqrt(refreshes): what chance does not give */
#define LAG_ALIKE	  0.03 /* a rival that leaves so much more unexplained is none */
#define LAG_UNCERTAINTY_S 5.0  /* or 3 steps of the guest */

struct lag_input {
	const struct track *load;  /* the guest's, on its clock */
	const struct track *power; /* the host's, on its clock */
	double step_s;		   /* the guest's usual one */
};

struct lag {
	double lag_s;
	double uncertainty_s; /* half of the 95 % interval; NaN when the lag was given */
	double rival_s;	      /* another lag that fits nearly as well; NaN: none */
	double window_s;      /* 0: power is averaged over its refresh only */
	double correlation;   /* NaN when it cannot be said */
	size_t refreshes;     /* compared */
};

/*
 * Find the lag. ERR_DATA, saying what to do, when none is credible: fewer
 * than LAG_REFRESHES_MIN refreshes in common, a load or a power that does not
 * change, a correlation below the limit, the best lag at the end of the
 * search, a rival that fits alike, an uncertainty over the limit.
 */
int lag_find(const struct lag_input *in, struct lag *ret, struct err *e);

/* How well a lag that is known fits, with the window that suits it. */
int lag_given(const struct lag_input *in, double lag_s, struct lag *ret, struct err *e);

#endif
