/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_HOST_RECORD_H
#define RECORD_HOST_RECORD_H

/*
 * Recording a host's side: the power that a meter gives to each VM, into a
 * trace with a HOST stream per VM. Three sources: Kepler's own page, a store
 * with Prometheus' HTTP API, and this host's RAPL counters; or none, for what
 * guests push alone.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/kernel.h"
#include "base/text.h"
#include "record/host_http.h"
#include "record/host_out.h"
#include "record/host_talk.h"
#include "record/host_vm.h"
#include "record/receive.h"

enum host_source { HOST_KEPLER, HOST_PROMETHEUS, HOST_RAPL, HOST_NO_METER };

enum host_weight { HOST_WEIGHT_TIME, HOST_WEIGHT_PERF };

/* Texts are borrowed; NULL: not given. */
struct host_options {
	enum host_source source;
	const char *out, *root, *url;
	struct host_choice choice;
	struct host_http_options http; /* its stop_fd is the recording's */
	double interval_s, duration_s; /* of the live sources; duration 0: until stopped */
	int64_t from_ns, to_ns;	       /* CLOCK_REALTIME, of a store */
	double step_s, chunk_s;	       /* of a store; 0: the samples as stored; our choice */
	unsigned parallel;	       /* requests to a store at once, 1..HOST_PARALLEL_MAX */
	const char *match;	       /* more PromQL matchers */
	enum host_weight weight;       /* of RAPL's shares */
	const struct kernel *kernel;
	struct receive_options receive; /* what guests push; n 0: nothing */
	uint64_t max_bytes;		/* of the trace; 0: no limit */
};

#define HOST_PARALLEL_MAX 32

/* A recording under way. */
struct host_run {
	const struct host_options *o;
	struct host_talk *talk;
	struct host_out *out;
	struct receiver *receiver; /* NULL: nobody pushes */
	struct host_beside beside; /* the receiver, for waits */
	struct err receiver_err;
	uint64_t failures; /* reads of the meter that gave nothing */
	double seconds;	   /* it took */
};

/*
 * Record until it is done, the duration is over, or the stop descriptor says
 * so: 0. `json` (NULL: none) gets a summary on one line.
 */
int host_record(const struct host_options *options, struct host_talk *talk, struct text *json,
		struct err *e);

/* One source each; 0 when it ended as it should. */
int host_kepler_run(struct host_run *run, struct err *e);
int host_prometheus_run(struct host_run *run, struct err *e);
int host_rapl_run(struct host_run *run, struct err *e);
int host_no_meter_run(struct host_run *run, struct err *e);

/* The steps of a live source. */
struct host_pace {
	int64_t step_ns, next_ns, end_ns; /* CLOCK_MONOTONIC */
	int stop_fd;
	const struct host_beside *beside;
};

struct host_pace host_pace(const struct host_options *o);

/*
 * Sleep until the next step, or for longer after `failures` in a row (twice as
 * long each time, up to 30 s). False where the recording is over.
 */
bool host_pace_wait(struct host_pace *p, unsigned failures);

/* Progress of a live source. */
void host_pace_show(const struct host_run *run, const struct host_pace *p);

#endif
