/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_RUN_REPORT_H
#define CLI_RUN_REPORT_H

/* What `vmwatts run` says of the runs of a command: as text, JSON or CSV. */

#include "attribute/measure.h"
#include "base/text.h"
#include "publish/snapshot.h"

struct run_report {
	char *const *argv; /* NULL-terminated */
	const struct measure_result *runs;
	size_t n, warm_ups;
	bool idle;		     /* idle watts are charged too */
	double interval_s;	     /* between samples */
	const struct snapshot *last; /* which model it was */
};

/* What is charged to the command, of one zone and run; NaN where the zone could not be said. */
struct charge {
	double joules, low_j, high_j, mean_w, peak_w;
};

struct charge charge_of(const struct energy *e, int zone, bool idle);

/* Mean, standard deviation and the latter over the former; sd and cv are NaN for one value. */
struct spread {
	double mean, sd, cv;
};

struct spread spread_of(const double *values, size_t n);

void run_report_text(const struct run_report *r, struct text *t);
void run_report_json(const struct run_report *r, struct text *t);
void run_report_csv(const struct run_report *r, struct text *t);

#endif
