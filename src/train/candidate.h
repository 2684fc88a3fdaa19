/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_CANDIDATE_H
#define TRAIN_CANDIDATE_H

/*
 * A candidate: a model family on a choice of inputs, as the columns of a
 * least-squares problem, or what a network is fed. Which columns there are follows from the
 * features alone, never from the label, so cross-validation sees no label it should not.
 */

#include "model/model.h"
#include "train/design.h"
#include "train/lsq.h"
#include "train/mlp.h"

#define COLUMNS_MAX 512

struct candidate_kind {
	enum family family;
	enum tier tier;
	bool history;
	bool utilization_only; /* the last resort: cpu_utilization and nothing else */
};

struct candidate {
	struct candidate_kind kind;
	const struct design *design;
	size_t n_used;
	struct used_input used[INPUT_MAX];
	size_t q;
	bool free[COLUMNS_MAX];
	double penalty[COLUMNS_MAX];
	struct mlp_options mlp; /* how a network is trained; the caller may change it */
	union { /* by family; linear's column 0 is the intercept and has no term; mlp has none */
		struct linear_term linear[COLUMNS_MAX];
		struct physics_term physics[COLUMNS_MAX];
	};
	double *b;     /* n x q */
	bool *present; /* by row: every used input is finite */
	size_t n_present;
};

/*
 * *ret is NULL (and the return 0) when the design has no column for it: no
 * counter of that tier, no history in an unordered table, no load signal.
 */
int candidate_new(const struct design *d, const struct candidate_kind *kind, struct candidate **ret,
		  struct err *e);
void candidate_free(struct candidate *c);

#define MLP_HEAD     2 /* numbers before a network's weights in its coefficients: mean_w, scale_w */
#define MLP_CLAMP_SD 4.0 /* a network's inputs are held within so many standard deviations */

/* How many coefficients a fit has: q, or a network's weights and what goes before them. */
size_t candidate_coefficients(const struct candidate *c);

/* The shape of the candidate's network, without inputs and weights. */
struct mlp candidate_network(const struct candidate *c);

/*
 * Coefficients into a model (terms that are 0 and inputs that no term
 * needs are left out). Interval, idle and card fields are for the caller.
 */
int candidate_model(const struct candidate *c, const double *coefficients, double floor_w,
		    double max_w, struct model *ret, struct err *e);

/* "physics, pmu tier, with history": for the card and progress. */
const char *candidate_name(const struct candidate_kind *kind, char buf[64]);

#endif
