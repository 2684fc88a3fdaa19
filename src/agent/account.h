/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_ACCOUNT_H
#define AGENT_ACCOUNT_H

/*
 * The account of one zone: every tick's watts times its length is added to
 * the joules, and the gauges are means over the last collection interval, so
 * that joules are the integral of watts by construction.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/estimate.h"

/* Ticks shorter than a slot share one; a slot is a 512th of the interval, or one tick. */
#define ACCOUNT_SLOTS_MAX 1024

struct account_slot {
	double dt_s, active_j, idle_j, low_j, high_j;
};

struct account {
	double interval_s; /* the gauges look back this far */
	size_t cap, first, n;
	struct account_slot *slots; /* owned; a ring */
	struct account_slot sum;    /* of the ring */
};

/* Both in seconds, positive. -ENOMEM. */
int account_init(struct account *a, double interval_s, double tick_s, struct err *e);
void account_release(struct account *a);

/* Forget the ring; joules are not held here. */
void account_reset(struct account *a);

/* Add `dt_s` seconds of `z`, which must be valid. Allocates nothing. */
void account_add(struct account *a, const struct zone_estimate *z, double dt_s);

/* Means in watts over the last interval; false while nothing was added. */
bool account_mean(const struct account *a, double *ret_active_w, double *ret_idle_w,
		  double *ret_low_w, double *ret_high_w);

#endif
