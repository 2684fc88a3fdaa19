/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ATTRIBUTE_MEASURE_H
#define ATTRIBUTE_MEASURE_H

/*
 * One run of a command while the VM's watts are estimated: start it, sample
 * until it ends, and once more until the last row is long enough to say
 * anything (at most about 100 ms). The estimator comes as a table, so that
 * this knows nothing of the agent and tests bring their own.
 */

#include <stdbool.h>
#include <stdint.h>

#include "attribute/cputime.h"
#include "attribute/energy.h"
#include "features/catalogue.h"

struct measure_source {
	/* Read the counters; true when a row was closed. See live_tick. */
	bool (*tick)(void *user, double least_busy_s);
	const struct row *(*row)(void *user);
	const struct estimate *(*estimate)(void *user);
	void *user;
};

struct measure_options {
	char *const *argv;
	enum cputime_method method; /* cgroup: rusage where that is not allowed, unless .. */
	bool only;		    /* .. this says that no other will do */
	int64_t interval_ns;
	bool live_rows; /* somebody waits for them: take the interval seriously */
	struct measure_source source;
	int (*enter)(void *user); /* in the command's process: see launch.h; may be NULL */
	void *enter_user;
	/* Called after every row, with the energy until then; may be NULL. */
	void (*on_row)(void *user, const struct energy_row *row, const struct energy *so_far);
	void *user; /* of on_row */
};

struct measure_result {
	struct energy energy;
	enum cputime_method method;		  /* which one it was */
	char why[sizeof(((struct err *)0)->msg)]; /* why it was not the other; "" else */
	int exit_code;	  /* as a shell tells it: 128 + signal where one ended it */
	bool killed;	  /* a signal ended it */
	bool interrupted; /* someone wants an end: Ctrl-C, or a signal passed on */
};

/*
 * Run it once. Signals sent to us meanwhile are passed on to it. A command that
 * cannot be run is an error, with 127 or 126 in exit_code.
 */
int measure_command(const struct measure_options *o, struct measure_result *ret, struct err *e);

#endif
