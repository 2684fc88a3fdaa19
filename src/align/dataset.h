/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALIGN_DATASET_H
#define ALIGN_DATASET_H

/*
 * A dataset file: SQLite (a WAL while it is written), one table `run` and one table `row` with a
 * column per catalogue feature and per zone label, so that anybody can query
 * it. docs/formats/dataset.md is the schema.
 */

#include <stdbool.h>
#include <stdio.h>

#include "align/recording.h"
#include "align/table.h"
#include "base/err.h"

struct dataset;

enum dataset_mode { DATASET_READ, DATASET_WRITE /* created when absent */ };

/* -ENOENT, ERR_FORMAT when the file is no dataset or one of a newer vmwatts. */
int dataset_open(const char *path, enum dataset_mode mode, struct dataset **ret, struct err *e);
void dataset_close(struct dataset *d);

/* Remove a dataset that is closed, with what SQLite left beside it. */
void dataset_remove(const char *path);

struct import_options {
	const char *run;	  /* NULL: the file's name without .csv */
	const char *group_column; /* NULL: the run is the group */
	double window_s;	  /* 0: the run's own interval */
	bool unordered;		  /* rows are no time series */
	bool replace;		  /* a run of that name is replaced, else refused */
};

struct import_report {
	size_t runs, rows, bad_rows;
	size_t repeated_rows; /* every label as in the row before */
	size_t n_features, n_zones;
	char ignored[512]; /* columns outside the catalogue, comma-separated */
};

/*
 * Import one joined CSV as one run, in one transaction. Bad rows (wrong field
 * count, text where a number belongs; time going back in an ordered run is a
 * new series and not bad) are told on `talk` (NULL: nobody) as FILE:LINE:
 * reason (the first 20, then a count), counted and left out. A file without
 * time_s, without a known feature, without a label, or without one good row is
 * ERR_DATA. A file with a `run` column (from `dataset export`) imports one run
 * per value, and its `group` column is the group unless another is named.
 *
 * A label is the `<zone>_watts` column; where that is missing and there is a
 * `<zone>_joules` column, the difference of joules over the time since the row
 * before. Joules that fall (wrap or reset), a step back in time and a gap over
 * 3 x the usual step give a missing label.
 */
int dataset_import_joined(struct dataset *d, const char *csv_path, const struct import_options *o,
			  FILE *talk, struct import_report *ret, struct err *e);

/* How a guest's rows came by their labels; see align/pair.h. */
struct pair_report {
	double lag_s;		      /* guest time = host time + lag */
	double lag_uncertainty_s;     /* half of the 95 % interval; NaN when the lag was given */
	double lag_rival_s;	      /* another lag that fits nearly as well; NaN: none */
	double drift_ppm;	      /* the lag grows by so much per second; 0: none was found */
	double drift_uncertainty_ppm; /* half of the 95 % interval; NaN: too short to say */
	double drift_center_s;	      /* host time at which the lag is lag_s */
	double label_window_s;	      /* what a label averages over: the guest's step, or the
				       * host's usual refresh where that is longer */
	double meter_window_s;	      /* what the host's figures seem to average over already; NaN:
				       * over their refresh only */
	double correlation; /* of power and the guest's load; NaN when either is constant */
	size_t refreshes;   /* of the host that were compared */
	size_t host_rows, host_bad_rows, host_empty_rows;
	size_t host_repeats;	    /* every label as in the row before: */
	bool host_repeats_constant; /* power that was constant, not a refresh read again */
	/* Guest's rows that were left out: before or after the host's time, in a gap of
	 * over 3 of its median steps, where its labels are empty or its counters fell. */
	size_t rows_outside, rows_in_gaps, rows_empty;
	char host_ignored[512];		     /* columns not used, comma-separated */
	struct recording_report guest, host; /* of traces */
};

struct pair_options {
	const char *guest_path, *host_path; /* CSV or traces; may be the same trace */
	const char *vm;	     /* name or uuid in a guest's trace; NULL: its only one */
	const char *host_vm; /* in a host's trace; NULL: what the guest is called */
	double lag_s;	     /* NaN: find it */
};

/*
 * Import a guest's features and its host's power, each on its own clock, as
 * one run on the guest's clock: what dataset_import_joined() stores of a file
 * in which every row that the host covers has its label. A label never comes
 * from the guest's file. The run is named after it, without .guest and .csv or
 * .vmt, and after the VM where `vm` chose one (FILE.VM). ERR_DATA also where no lag is credible
 * (align/lag.h) and where no row has a label.
 */
int dataset_import_paired(struct dataset *d, const struct pair_options *p,
			  const struct import_options *o, FILE *talk, struct import_report *ret,
			  struct pair_report *ret_pair, struct err *e);

/* All rows of all runs. */
int dataset_load(struct dataset *d, struct table **ret, struct err *e);

/*
 * Write every run as one joined CSV: time_s, run, group where there is one,
 * then the columns that any row has. Importing it again gives the same rows.
 */
int dataset_export(struct dataset *d, FILE *out, struct err *e);

/*
 * What such a CSV does not hold, a line on `talk`: --window and --unordered of the imports.
 */
int dataset_tell_lost(struct dataset *d, FILE *talk, struct err *e);

/*
 * The same, cut after every `rows` (> 0) into directory/00000.csv and so on,
 * each with the header; *ret is how many. A file that is there is -EEXIST.
 */
int dataset_export_shards(struct dataset *d, const char *directory, size_t rows, size_t *ret,
			  struct err *e);

/*
 * Copy every run of the dataset at `path` into `d`, in one transaction. A run
 * name that is there already is ERR_DATA unless `replace`.
 */
int dataset_merge(struct dataset *d, const char *path, bool replace, size_t *ret_runs,
		  struct err *e);

#endif
