/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALIGN_DATASET_H
#define ALIGN_DATASET_H

/*
 * A dataset file: SQLite (WAL), one table `run` and one table `row` with a
 * column per catalogue feature and per zone label, so that anybody can query
 * it. docs/formats/dataset.md is the schema.
 */

#include <stdbool.h>
#include <stdio.h>

#include "align/table.h"
#include "base/err.h"

struct dataset;

enum dataset_mode { DATASET_READ, DATASET_WRITE /* created when absent */ };

int dataset_open(const char *path, enum dataset_mode mode, struct dataset **ret, struct err *e);
void dataset_close(struct dataset *d);

struct import_options {
	const char *run;	  /* NULL: the file's name without .csv */
	const char *group_column; /* NULL: the run is the group */
	double window_s;	  /* 0: the run's own interval */
	bool unordered;		  /* rows are no time series */
	bool replace;		  /* a run of that name is replaced, else refused */
};

struct import_report {
	size_t rows, bad_rows, repeated_rows;
	size_t n_features, n_zones;
	char ignored[512]; /* columns outside the catalogue, comma-separated */
};

/*
 * Import one joined CSV as one run, in one transaction. Bad rows (wrong field
 * count, text where a number belongs, time going back in an ordered run is a
 * new series and not bad) are told on `talk` as FILE:LINE: reason (the first
 * 20, then a count), counted and left out. A file without time_s, without a
 * known feature, without a label, or without one good row is ERR_DATA.
 * A file with a `run` column (from `dataset export`) imports one run per value.
 */
int dataset_import_joined(struct dataset *d, const char *csv_path, const struct import_options *o,
			  FILE *talk, struct import_report *ret, struct err *e);

/* All rows of all runs. */
int dataset_load(struct dataset *d, struct table **ret, struct err *e);

/* Append the rows of `from` to `*into` (runs renamed "name#2" on a clash); frees `from`. */
int table_append(struct table **into, struct table *from, struct err *e);

#endif
