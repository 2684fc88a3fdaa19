/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXCHANGE_REGRESSOR_H
#define EXCHANGE_REGRESSOR_H

/*
 * What a file of another library says, before it is a model of ours: one number from n features,
 * numbered 0..n-1 and named where the file names them. Readers are given untrusted bytes:
 * a file that they do not understand whole is ERR_FORMAT, one that says what no native model can
 * is ERR_DATA with the thing named.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/model.h"

#define REGRESSOR_FEATURES_MAX INPUT_MAX
#define REGRESSOR_NAME	       80

enum regressor_kind { REGRESSOR_LINEAR, REGRESSOR_TREES, REGRESSOR_NETWORK };

struct regressor {
	enum regressor_kind kind;
	size_t n_features;
	bool named; /* names[] are the file's own */
	char (*names)[REGRESSOR_NAME];
	double bias, *weights; /* linear: bias + sum of weight x feature */
	struct trees trees;    /* columns are feature numbers */
	struct mlp network;    /* inputs[i].used is a feature number */
	struct row_norm norm;  /* in front of them; inputs[i].used likewise */
};

/* Room for the names of n features (1..REGRESSOR_FEATURES_MAX); `what` names the file's thing. */
int regressor_features(struct regressor *r, size_t n, struct err *e);
void regressor_release(struct regressor *r);

/*
 * One decision tree as libraries write it: node 0 is the root; a node whose yes is negative is a
 * leaf. x[feature] < threshold goes to `yes`. Arrays of n.
 */
struct plain_tree {
	size_t n;
	int *feature, *yes, *no;
	float *threshold, *leaf;
};

int plain_tree_init(struct plain_tree *t, size_t n, struct err *e);
void plain_tree_release(struct plain_tree *t);

/*
 * Append a tree to trees that grow by this function alone. ERR_FORMAT when a child or feature is
 * out of range or a node is reached twice; ERR_DATA when the tree is larger than ours can be.
 */
int trees_append(struct trees *all, const struct plain_tree *t, size_t n_features, struct err *e);

/* The threshold of `x < t` for floats x that says what `x <= limit` says. */
float threshold_at_most(double limit);

/* The readers. `n_hint`: how many features the caller has names for, 0 when it has none. */
int xgboost_read(const char *data, size_t len, struct regressor *ret, struct err *e);
int lightgbm_read(const char *data, size_t len, struct regressor *ret, struct err *e);
int onnx_read(const void *data, size_t len, size_t n_hint, struct regressor *ret, struct err *e);

/* The zones of a kepler-model-db file of weights; those that it lacks stay without features. */
int kepler_read(const char *data, size_t len, struct regressor ret[ZONE_COUNT], struct err *e);

#endif
