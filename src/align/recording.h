/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALIGN_RECORDING_H
#define ALIGN_RECORDING_H

/*
 * One side of a recording, as rows of docs/formats/recordings.md: a CSV file
 * as it stands, or the streams of one VM in a trace, turned into such rows.
 *
 * A guest's samples become features by the agent's own code, one row an
 * interval; the phase label becomes the column `group`. A host's rows carry
 * its meters' columns. Rows are placed by the recorder's steady clock
 * (CLOCK_BOOTTIME, which a stepped wall clock leaves alone) where the trace
 * has it, moved to the epoch by the median of their difference, per boot.
 *
 * Counters are cumulative, so a row that comes twice or late is left out
 * without losing energy or load: the next interval holds them. No row is made
 * of an interval with a suspend, over a restart of the machine, or over a gap
 * of more than 3 usual steps.
 */

#include <stdio.h>

#include "base/err.h"
#include "features/csv.h"
#include "trace/trace.h"

struct recording; /* owned by recording_open's caller */

struct recording_report {
	bool trace;		 /* else a CSV file, and the rest is 0 */
	char vm[TRACE_TEXT];	 /* whose streams were taken */
	char uuid[64];		 /* "" unknown */
	size_t streams, boots;	 /* a recorder's start; a machine's */
	size_t samples, rows;	 /* read; made */
	size_t duplicates, late; /* at an instant already read; before one */
	size_t suspends, gaps;	 /* intervals left out */
	size_t clock_steps;	 /* the wall clock jumped by over 1 s */
	double largest_step_s;	 /* of these; signed */
	uint64_t damaged_bytes;	 /* skipped in the file */
};

struct recording_choice {
	enum trace_kind
		kind;	/* the side wanted; of a CSV file it is what the caller takes it for */
	const char *vm; /* name or uuid; NULL: the only one, or the one below */
	const char *like_vm, *like_uuid; /* what the other side is; NULL or "": not known */
};

/*
 * ERR_DATA where the trace has no such side, no such VM, or several and none
 * is named: the message lists them.
 */
int recording_open(const char *path, const struct recording_choice *choice, struct recording **ret,
		   struct err *e);
void recording_close(struct recording *r); /* NULL is fine */

const struct recording_report *recording_report(const struct recording *r);

/* The file it was opened from, for messages. */
const char *recording_path(const struct recording *r);

/* The rows from the first one on; readers of one recording follow, not overlap, each other. */
int recording_rows(const struct recording *r, const struct csv_options *o, struct csv_reader **ret,
		   struct err *e);

/* Copy them to `out`. */
int recording_print(const struct recording *r, FILE *out, struct err *e);

/* Every stream of a trace, for `dataset show`: each VM and side once. ERR_FORMAT as
 * trace_reader_open(). */
struct recording_side {
	enum trace_kind kind;
	char vm[TRACE_TEXT], uuid[64];
	size_t streams, rows, labels;
	int64_t first_ns, last_ns;
};

int recording_sides(const char *path, struct recording_side **ret, size_t *ret_n,
		    uint64_t *ret_damaged, struct err *e);

#endif
