/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EVALUATE_BASELINES_H
#define EVALUATE_BASELINES_H

/*
 * What the estimates are compared with, on the same rows:
 *
 *   linear_in_utilization  a + b x cpu_utilization, least squares on the very
 *			    rows it is scored on: flattered: no other line has
 *			    a smaller squared error on them
 *   prior		    the built-in table, which saw no label
 *   kepler_in_guest	    package only: what Kepler in the guest said, where
 *			    the recording has it
 */

#include "align/table.h"
#include "base/metrics.h"
#include "evaluate/answers.h"

enum baseline { BASELINE_LINEAR, BASELINE_PRIOR, BASELINE_KEPLER, BASELINE_COUNT };

const char *baseline_name(enum baseline b);

/* `prior_w`: what the prior answers to each row. rows = 0 where a baseline does not apply. */
int baselines_compute(const struct table *t, enum zone z, const double *prior_w,
		      struct metrics ret[BASELINE_COUNT], struct err *e);

/* Fit y = a + b x over the n pairs that are both there; false when they do not give a line. */
bool line_fit(const double *x, const double *y, size_t n, double *ret_a, double *ret_b);

#endif
