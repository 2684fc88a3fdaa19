/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_BLEND_H
#define TRAIN_BLEND_H

/*
 * The automatic choice: which experts to believe near the training data, what
 * to fall back on far from it, where "far" begins, and how wide the interval
 * is at every distance. All of it is decided by what experts say of rows that
 * they were not fitted on, in folds that imitate deployment (folds.h).
 * docs/accuracy.md tells the procedure and what was tried.
 */

#include "train/experts.h"
#include "train/folds.h"

#define BLEND_FOLD_ROWS                                                                            \
	2000 /* a fold's fits see at most so many, evenly taken; the final fit sees all */

struct blend_options {
	bool history;	  /* may use the past; it is used only where it pays */
	size_t bytes_max; /* trees are spent until the blend is about this big */
	unsigned jobs;
	unsigned seed;
	enum blend_kind kind; /* one expert only, whatever the folds say of the others */
	const struct gbdt_tuning *tuning; /* of boosted trees; NULL: as ever */
};

struct blend_fit {
	struct model model;  /* without idle_w; owned until taken */
	double *predicted_w; /* by row: mean of the folds that left it out; NaN where none */
	double wmape;	     /* over A folds (E with one group) */
	double relative;     /* there too: mean of misses over max(label, 20 % of the mean) */
	size_t rows;
};

/*
 * ERR_DATA when there are under 40 labelled rows or no usable column. `model`
 * uses history only when that lowers the error by 2 %; model.history says so.
 */
int blend_train(const struct pool *p, const struct blend_options *o, struct blend_fit *ret,
		struct err *e);

void blend_fit_release(struct blend_fit *f);

#endif
