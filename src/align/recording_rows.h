/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALIGN_RECORDING_ROWS_H
#define ALIGN_RECORDING_ROWS_H

/* A trace's streams of one VM as CSV rows; what recording.h promises of them. */

#include "align/recording.h"

int recording_guest_rows(const char *path, const char *vm, FILE *out, struct recording_report *ret,
			 struct err *e);
int recording_host_rows(const char *path, const char *vm, FILE *out, struct recording_report *ret,
			struct err *e);

/* Call `each` for every record of the VM's streams of that kind, in the order of the file. */
int recording_each(const char *path, enum trace_kind kind, const char *vm,
		   int (*each)(void *to, const struct trace_record *c, struct err *e), void *to,
		   uint64_t *ret_damaged, struct err *e);

/*
 * The steady clock of a recording: what to add to the boot clock to get the
 * time since the epoch, per boot of the machine.
 */
struct timeline {
	struct boot {
		char id[64];	/* of the boot; "" where the recorder did not say */
		double *diff_s; /* owned; real less steady time, per row */
		size_t n, cap;
		double offset_s; /* their median */
		double last_s;	 /* the latest diff, while reading */
	} * boots;		 /* owned */
	size_t n;
};

/* Read every row of the VM's streams of that kind and count what the wall clock did. */
int timeline_read(const char *path, enum trace_kind kind, const char *vm, struct timeline *ret,
		  struct recording_report *report, struct err *e);
void timeline_release(struct timeline *t);

/* The boot that a stream was recorded in; never NULL for a stream that was read. */
const struct boot *timeline_boot(const struct timeline *t, const struct trace_stream *s);

/* When a row of the boot was taken, seconds since the epoch. steady_ns NaN: its wall clock. */
double boot_time_s(const struct boot *b, double steady_ns, int64_t real_ns);

#endif
