/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_MLP_H
#define TRAIN_MLP_H

/*
 * Training a small network (struct mlp): Adam on mini-batches (Kingma and Ba,
 * 2015) with decoupled weight decay (Loshchilov and Hutter, 2019).
 *
 * Loss: Huber's, of the standardised error: squared up to one standard
 * deviation of the label, linear beyond, times the row's weight. Weights that
 * are all 1 make it absolute; 1 / max(y, a floor) makes it relative.
 *
 * How long: a part is held out by group (the last part of the rows where there
 * is one group) and tells after how many epochs its error was smallest; then
 * all rows are trained on for as long.
 */

#include "base/err.h"
#include "model/model.h"

struct mlp_options {
	unsigned units[MLP_LAYERS_MAX]; /* the second 0: one hidden layer */
	enum activation activation;
	double rate, decay; /* of Adam's steps; of weights, per step and rate */
	unsigned batch, epochs_most, patience;
	unsigned seed;
};

#define MLP_OPTIONS_INIT                                                                           \
	((struct mlp_options){.units = {24, 12},                                                   \
			      .activation = ACTIVATION_TANH,                                       \
			      .rate = 0.005,                                                       \
			      .decay = 0.01,                                                       \
			      .batch = 32,                                                         \
			      .epochs_most = 80,                                                   \
			      .patience = 10,                                                      \
			      .seed = 1})

struct mlp_data {
	size_t n, q;
	const double *x;       /* n x q, row-major: standardised and held */
	const double *y;       /* n, W */
	const double *weight;  /* n, > 0 */
	const uint32_t *group; /* n; rows of a group follow each other in time */
};

/*
 * A network of n_inputs = q without its `inputs` and clamp_sd, which the caller
 * knows. The same data, options and seed give the same weights. ERR_DATA with
 * under 5 rows, or when no weight that is finite was found.
 */
int mlp_fit(const struct mlp_data *d, const struct mlp_options *o, struct mlp *ret, struct err *e);

#endif
