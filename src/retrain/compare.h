/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRAIN_COMPARE_H
#define RETRAIN_COMPARE_H

/*
 * Whether a candidate is better than what serves, beyond noise, zone by zone.
 *
 * Both answer the same held-out rows. Per row the gain is
 *
 *	d_i = |serving_i - truth_i| - |candidate_i - truth_i|	[W]
 *
 * and the zone's gain D is its mean over the N rows that both answered. Rows
 * that follow each other err alike, so the standard error is that of a mean of
 * clusters: with B blocks b of n_b rows,
 *
 *	SE^2 = B / (B - 1) x sum_b (n_b (mean of d in b - D))^2 / N^2
 *
 * (the linearised variance of a ratio, Cochran, "Sampling Techniques", 1977,
 * section 9A.1 without the finite population's correction). A block is a group
 * of the dataset where the window has 4 or more, else one of about 8 stretches
 * of consecutive rows of one run: long ones, because rows that err alike over a
 * good part of a stretch make SE too small. The zone is `better` where D > t SE, `worse`
 * where D < -t SE, t being the 97.5 % quantile of Student's t with B - 1 degrees
 * of freedom (2.4 for 8 blocks); `same` between; `unknown` under 4 blocks.
 */

#include "align/table.h"
#include "base/text.h"
#include "evaluate/answers.h"

enum verdict { VERDICT_UNKNOWN, VERDICT_SAME, VERDICT_BETTER, VERDICT_WORSE };

const char *verdict_name(enum verdict v);

struct zone_comparison {
	size_t rows, blocks;			   /* rows 0: the window has no such label */
	double gain_w, se_w;			   /* D and SE; se_w is NaN where unknown */
	double mae_w[2], wmape[2], coverage_90[2]; /* candidate, serving */
	enum verdict verdict;
};

/* Of zone z. ENOMEM only. */
int compare_zone(const struct table *held, const struct answers *candidate,
		 const struct answers *serving, enum zone z, struct zone_comparison *ret,
		 struct err *e);

enum promote_rule {
	PROMOTE_BETTER,	   /* better on at least one zone, worse on none */
	PROMOTE_NOT_WORSE, /* worse on none, and judged on at least one */
	PROMOTE_ALWAYS,
	PROMOTE_COUNT,
};

const char *promote_name(enum promote_rule r);
int promote_find(const char *name); /* -1: none */

/* Whether to promote; the reason, one sentence, is added to `reason`. */
bool promote_decide(enum promote_rule rule, const struct zone_comparison zones[ZONE_COUNT],
		    struct text *reason);

#endif
