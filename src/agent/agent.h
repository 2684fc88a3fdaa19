/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

/*
 * The agent: kernel -> sample -> features -> estimate -> wire, once every
 * sampling_interval, on one thread. A bad configuration or bundle met on
 * reload is said and counted; what was there goes on serving.
 */

#include "base/kernel.h"
#include "config/config.h"

struct agent_options {
	struct config_flags flags;
	const char *root;	     /* --root; NULL: this machine */
	const struct kernel *kernel; /* NULL: kernel_linux; tests and benches bring their own */
};

/* Serve until SIGTERM or SIGINT; SIGHUP reloads. 0, or why it could not start. */
int agent_run(const struct agent_options *o, struct err *e);

/* Measure for one collection_interval and print the result on stdout. Counts no joules. */
int agent_once(const struct agent_options *o, bool json, struct err *e);

/* Ask the agent that serves where this configuration says: 0, or why it is not well. */
int agent_healthy(const struct agent_options *o, struct err *e);

struct agent_replay {
	const char *file; /* joined CSV; label columns are the truth */
	double speed;	  /* 0: as fast as it goes; 1: as it was recorded */
	bool json;	  /* one object a line */
};

/* Feed a recording through the same path and print estimate beside truth. Counts no joules. */
int agent_replay(const struct agent_options *o, const struct agent_replay *r, struct err *e);

#endif
