/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_GUEST_H
#define RECORD_GUEST_H

/*
 * Record a guest: its kernel's raw counters at a steady pace into a GUEST
 * stream of a trace, and what it was doing as labels. Raw, so that features
 * can be computed anew when the catalogue grows.
 *
 * Samples fall on even instants of CLOCK_MONOTONIC; a late one does not delay
 * the next. A change of the set of CPUs starts a new stream in the same file.
 * A label is what the label file holds, read with every sample.
 *
 * Where it is pushed to the host too (push.h), sampling never waits for that:
 * rows that find no room in the queue are dropped there, and counted. At the
 * end up to 5 s are given to what still waits.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/push.h"

struct guest_options {
	const char *out;	  /* the trace: created, or gone on with; NULL: pushed only */
	const char *vm;		  /* name of this VM; NULL: the host's name as uname gives it */
	const char *root;	  /* NULL: this machine */
	const char *label_file;	  /* NULL: none, or a private one where there is a command */
	int64_t interval_ns;	  /* 100 ms .. 1 h */
	int64_t duration_ns;	  /* 0: until told to stop */
	uint64_t max_bytes;	  /* of the trace; 0: no limit */
	bool perf;		  /* perf events, where this machine has them */
	struct push_options push; /* `to` NULL: not pushed */
	char *const *command;	  /* NULL-terminated; recorded while it runs; NULL: none */
	/* Called after every sample; `label` may be "". NULL: nobody. */
	void (*progress)(void *to, double seconds, size_t rows, const char *label);
	void *to;
};

struct guest_report {
	size_t rows, labels, streams;
	size_t late;	  /* samples that came over half an interval late */
	size_t cut_bytes; /* of a broken-off frame that an earlier recorder left */
	uint64_t bytes;	  /* size of the trace */
	double seconds;
	struct push_report push;
	int command_status; /* as waitpid(2) gives it; 0 without a command */
	bool command_cut;   /* it still ran when the duration was over, and was stopped */
};

/*
 * Returns when the command ends, the duration is over, or at SIGINT or
 * SIGTERM: 0. A disk or a limit that is full is -ENOSPC, and what was recorded
 * before is in the trace: *ret is filled in that case too.
 */
int record_guest(const struct guest_options *o, struct guest_report *ret, struct err *e);

#endif
