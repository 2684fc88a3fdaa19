/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PINNING_REPORT_H
#define PINNING_REPORT_H

/* What pinning needs of a report, the output of `vmwatts evaluate --json`. */

#include <stddef.h>

#include "base/err.h"
#include "base/zone.h"

struct report_zone {
	double wmape, mae_w; /* NaN: the report does not have it */
	size_t runs;	     /* with a wMAPE of their own */
	double run_sum, run_squares;
};

struct report {
	struct report_zone zones[ZONE_COUNT];
};

/* -errno, or ERR_CONFIG as FILE:LINE:COLUMN where it is no such report. */
int report_read(const char *path, struct report *ret, struct err *e);

/*
 * Standard deviation of wMAPE over the runs of the first zone that has two or
 * more; NaN where none has. *ret_zone is that zone.
 */
double report_accuracy_sd(const struct report *r, enum zone *ret_zone);

#endif
