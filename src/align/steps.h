/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALIGN_STEPS_H
#define ALIGN_STEPS_H

/* Cadence: the usual step of a series of instants, and when a step is a gap. */

#include <stddef.h>

/* A step over so many usual ones is a gap: nothing is known about the time between. */
#define GAP_STEPS 3.0

/* The median; sorts v. NaN for n = 0. */
double median_of(double *v, size_t n);

/* The median of the steps forward between n instants; NaN where there is none. -ENOMEM. */
int median_step(const double *t_s, size_t n, double *ret_s);

#endif
