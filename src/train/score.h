/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_SCORE_H
#define TRAIN_SCORE_H

/* What experts say of rows they were not fitted on, fold by fold. */

#include "train/experts.h"
#include "train/folds.h"

struct scored {
	size_t row, fold;
	enum fold_type type;
	double y, z, w[EXPERT_COUNT];
	double excess; /* outside the range of what was not left out, in widths; 0 unless asked */
};

struct scores {
	size_t n;
	struct scored *rows; /* owned */
	double mean_w;	     /* of the labels that were trained on */
};

struct score_options {
	struct experts_options experts;
	unsigned types; /* bit (1 << enum fold_type): which folds to run */
	unsigned jobs;	/* folds at a time */
	bool excess;	/* say how far rows are outside the range of those not left out */
};

/* Fit without each fold and ask about it. rows[n]: all labelled rows. */
int scores_run(const struct pool *p, const size_t *rows, size_t n, const struct shift_folds *f,
	       const struct score_options *o, struct scores *ret, struct err *e);
void scores_release(struct scores *s);

/* 1 / max(y, 20 % of the mean label): errors are relative where there is load. */
double score_weight(const struct scores *s, double y);

#endif
