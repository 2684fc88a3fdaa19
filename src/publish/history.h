/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PUBLISH_HISTORY_H
#define PUBLISH_HISTORY_H

/*
 * The last hour of watts, for people to look at: means over steps of
 * HISTORY_STEP_S of CLOCK_MONOTONIC. It lives in the agent, not on disk;
 * whoever needs more scrapes /metrics. Nothing is allocated.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "publish/snapshot.h"

#define HISTORY_STEP_S 10
#define HISTORY_POINTS 360

struct history_point {
	float watts, low, high; /* NaN: no estimate in that step */
};

struct history {
	int64_t step; /* number of the step being filled; 0: nothing came yet */
	size_t n;     /* steps behind it, at most HISTORY_POINTS */
	struct history_point points[ZONE_RAPL_COUNT][HISTORY_POINTS]; /* by step modulo length */
	struct {
		double watts, low, high;
		unsigned n;
	} sum[ZONE_RAPL_COUNT]; /* of the step being filled */
};

/* What `s` says at `mono_ns`, which never goes back. Steps nobody told of have no estimate. */
void history_push(struct history *h, const struct snapshot *s, int64_t mono_ns);

/* Step i of h->n, the oldest first. */
struct history_point history_at(const struct history *h, enum zone z, size_t i);

/* Lowest and highest watts of a zone in it; false: there are none. */
bool history_range(const struct history *h, enum zone z, double *ret_low, double *ret_high);

#endif
