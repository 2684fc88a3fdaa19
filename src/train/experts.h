/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_EXPERTS_H
#define TRAIN_EXPERTS_H

/*
 * The experts of a blend, fitted on a choice of rows. What a blend holds and
 * how it answers is in model/model.h; how experts are chosen and weighed is in
 * blend.h.
 */

#include "model/model.h"
#include "train/design.h"
#include "train/physics.h"

/*
 * What experts are fitted on. Columns come in three blocks: what the features
 * say now, their past, and slow levels (load averages, memory, processes),
 * which transfer badly and are used only where they prove themselves.
 */
struct pool {
	const struct design *d; /* borrowed */
	const double *y;	/* label by row; NaN: none; borrowed */
	size_t n_columns, n_now, n_past;
	struct blend_column columns[BLEND_COLUMNS_MAX];
	double *x; /* d->n x d->p: inputs, the median where one is missing */
	float *c;  /* d->n x n_columns */
	enum tier tier;
	double size_vcpus; /* of a sized model (sizes.h); 0: as the machines are */
};

/* NULL in *ret when the table has no usable column of that tier. */
int pool_new(const struct design *d, const double *y, enum tier tier, struct pool **ret,
	     struct err *e);
void pool_free(struct pool *p);

/* What a search may change of G: see tune.h. */
struct gbdt_tuning {
	unsigned depth;
	double rate_factor; /* times the usual rate, which depends on the number of trees */
	double min_child_weight, lambda;
};

#define GBDT_TUNING_INIT                                                                           \
	((struct gbdt_tuning){.depth = 5, .rate_factor = 1, .min_child_weight = 2, .lambda = 2})

struct experts_options {
	bool history, slow;		  /* which blocks of columns */
	bool delta;			  /* physics uses the past too */
	bool bends;			  /* physics may bend freely: see physics.h */
	struct physics_reach reach;	  /* of physics */
	enum blend_kind kind;		  /* of one expert: H is left out */
	bool light;			  /* fewer trees, for cross-validation */
	unsigned only;			  /* bits (1 << enum expert) of those wanted; 0: all */
	const struct gbdt_tuning *tuning; /* of G; NULL: as ever */
	double size; /* 1: as many trees as are worth it; less: that share of them */
	size_t rows_max;
	unsigned seed;
};

/*
 * Fit every expert on rows[n]. The shares, the gate and the interval are left
 * to the caller; all is 0 there but z_far, so that nothing divides by it.
 */
int experts_fit(const struct pool *p, const size_t *rows, size_t n, const struct experts_options *o,
		struct blend *ret, struct err *e);

/* n of rows[], evenly chosen; fewer when there are not as many. Returns how many. */
size_t thin_rows(const size_t *rows, size_t n, size_t most, unsigned seed, size_t *ret_rows);

#endif
