/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PINNING_SCORE_H
#define PINNING_SCORE_H

/*
 * Whether pinning would make this machine's estimates steadier, from what the
 * machine itself can see. A window holds the last rows in bins of about a
 * second (shorter rows are averaged by their length, so that the score does
 * not depend on the sampling interval); the statistics are over its bins.
 *
 * The score is the sum of the weights of the rules that hold, compared with
 * PINNING_SHOULD. A statistic that is not known counts nothing.
 *
 *   cpu_utilization              > 0.15  0.3  standard deviation of the share of CPU
 *                                             time, in shares (0..1). Not relative to its
 *                                             mean: the share is already of the whole, and
 *                                             near idle a quotient would say nothing. Not
 *                                             the variance itself: at most 0.25 for a
 *                                             number in 0..1, so only a load that is fully on
 *                                             or off would exceed 0.15.
 *   context_switch_variability   > 0.2   0.4  coefficient of variation (standard deviation
 *                                             / mean) of the context-switch rate, a rate
 *                                             whose size depends on machine and work
 *   accuracy_variance            > 0.1   0.3  standard deviation of wMAPE over the runs of
 *                                             an evaluation, as a ratio; of the package, or
 *                                             of the first zone that has two runs
 *
 * All standard deviations divide by n. Steal and the jitter of the core-clock
 * probe are shown beside the score and are no part of it. The statistics see the
 * whole machine: its own changing load raises the first one just as a neighbour does.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "features/catalogue.h"

#define PINNING_SHOULD	 0.5 /* the score must be above it */
#define PINNING_BIN_S	 1.0
#define PINNING_BINS_MIN 5  /* fewer say nothing */
#define PINNING_WINDOW_S 30 /* of the agent, and of `pinning analyze` unless told */

enum pinning_rule {
	PINNING_UTILIZATION,
	PINNING_CONTEXT_SWITCHES,
	PINNING_ACCURACY,
	PINNING_RULE_COUNT,
};

struct pinning_rule_info {
	const char *name, *statistic, *meaning;
	double threshold, weight;
};

extern const struct pinning_rule_info pinning_rules[PINNING_RULE_COUNT];

struct pinning_statistics {
	size_t bins;
	double rule[PINNING_RULE_COUNT]; /* in the order of the rules; NaN: not known */
	double utilization_mean, context_switch_mean;
	double steal_mean, steal_max; /* shares of CPU time */
	double jitter_mean;	      /* of the clock probe's repeats, where it was not preempted */
	double jitter_missing;	      /* share of the bins in which it was, or could not run */
};

/* 0..1, in a whole number of hundredths. */
double pinning_score(const struct pinning_statistics *s);
bool pinning_holds(const struct pinning_statistics *s, enum pinning_rule rule);

struct pinning_bin {
	double dt_s, utilization, context_switch_rate, steal, jitter;
};

struct pinning_window {
	struct pinning_bin *bins; /* a ring, owned */
	size_t cap, n, next;
	struct pinning_bin open; /* being filled; sums weighted by time */
	double jitter_s;	 /* time in `open` that has a jitter */
};

/* -ENOMEM, -EINVAL for no bins. */
int pinning_window_init(struct pinning_window *w, size_t bins, struct err *e);
void pinning_window_release(struct pinning_window *w);

/* Forget the past. */
void pinning_window_reset(struct pinning_window *w);

/* Allocates nothing. Rows without cpu_utilization or length are passed over. */
void pinning_window_push(struct pinning_window *w, const struct row *row);

/* accuracy_sd: NaN where it is not known. With too few bins all are NaN. Allocates nothing. */
void pinning_window_statistics(const struct pinning_window *w, double accuracy_sd,
			       struct pinning_statistics *ret);

#endif
