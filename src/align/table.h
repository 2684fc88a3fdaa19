/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALIGN_TABLE_H
#define ALIGN_TABLE_H

/*
 * A table: the rows of a dataset in memory, features and labels on one clock.
 * Column-major; a column no row has is NULL. NaN is missing. Rows of one run
 * are contiguous and in the order of their recording; when the run is ordered,
 * time ascends but where a new series starts.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/zone.h"
#include "features/catalogue.h"

struct table_run {
	char name[128];
	size_t first, n;   /* its rows */
	bool ordered;	   /* a time series; false: no history can be used */
	double interval_s; /* median step of ordered runs; NaN otherwise */
	double window_s;   /* what each row averages over; >= interval_s; NaN when unordered */
};

struct table {
	size_t n_rows, n_runs;
	struct table_run *runs;
	double *t_s;
	uint32_t *run;	 /* index into runs */
	uint32_t *group; /* rows that must stay together in cross-validation */
	size_t n_groups;
	char (*group_name)[128];	/* by group; "": it is a run. NULL: not of a dataset */
	double *x[FEATURE_COUNT];	/* features */
	double *y_w[ZONE_COUNT];	/* labels, W */
	double *kepler_guest_package_w; /* Kepler's in-guest value where recorded; a baseline, never
					   a feature */
};

/* The features of one row. dt_s is the run's interval. */
void table_row(const struct table *t, size_t i, struct row *ret);

/* The labels of one zone over the rows first..first+n-1. */
struct label_stats {
	size_t rows; /* that have the label; the rest is NaN where it is 0 */
	double min_w, mean_w, max_w;
};

void table_label_stats(const struct table *t, enum zone z, size_t first, size_t n,
		       struct label_stats *ret);

/* The smallest and largest number of vCPUs; 0 where no row says. */
void table_vcpus(const struct table *t, uint32_t *ret_min, uint32_t *ret_max);

/* Rows whose labels are all as in the row before, of the same run. */
size_t table_repeated_rows(const struct table *t);

/*
 * Append the rows of `from`, a dataset's as those in `*into`; frees it. Runs are renamed "name#2"
 * on a clash; groups that have a name are one wherever they have it, or what is left out would be
 * known.
 */
int table_append(struct table **into, struct table *from, struct err *e);

/* NULL is fine. */
void table_free(struct table *t);

#endif
