/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_TUNE_H
#define TRAIN_TUNE_H

/*
 * Hyper-parameters by search: what cross-validation says of one zone's label
 * with light fits (at most TUNE_ROWS rows each). Boosted trees are tuned on the
 * folds that are nearest to deployment, networks on both views of crossval.h.
 */

#include "train/candidate.h"
#include "train/experts.h"
#include "train/search.h"
#include "train/trials.h"

#define TUNE_ROWS 2000

enum tune_what { TUNE_NOTHING, TUNE_GBDT, TUNE_MLP };

/* The parameters of a search, in the order of the trials' columns. */
const struct search_parameter *tune_parameters(enum tune_what what, size_t *ret_n);

struct tune_options {
	struct search_options search; /* `start`, `value` and `arg` are tune's own */
	void (*progress)(void *arg, const struct search_result *so_far, double seconds_left);
	void *arg; /* of progress */
	enum zone zone;
	struct trials *trials;
	bool history;
	unsigned jobs;
	enum blend_kind kind;
};

/* Into *io, which is what the search starts from. ERR_DATA where there are too few rows. */
int tune_gbdt(const struct pool *p, const struct tune_options *o, struct gbdt_tuning *io,
	      struct search_result *ret, struct err *e);
int tune_mlp(const struct candidate *c, const double *y, const struct tune_options *o,
	     struct mlp_options *io, struct search_result *ret, struct err *e);

#endif
