/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXCHANGE_ONNX_VALUE_H
#define EXCHANGE_ONNX_VALUE_H

/*
 * Reading an ONNX graph is running it once on symbols: every tensor's name stands for what is known
 * of it as a function of the features. Only src/exchange includes this.
 *
 *   COLUMNS   n of the features, each (x - offset) scale in float: what trees can be asked about;
 *             x is the feature or, of a normed column, what the graph's Normalizer made of it
 *   DENSE     n weighted sums of the features, or of the units of at most two hidden layers
 *   TREES     one sum over trees of the features
 *   CONSTANT  a tensor of rows x n
 *
 * All memory is the reader's arena and goes with it.
 */

#include "exchange/onnx.pb-c.h"
#include "exchange/regressor.h"

enum value_kind { VALUE_COLUMNS, VALUE_DENSE, VALUE_TREES, VALUE_CONSTANT };

struct column {
	size_t feature;
	float offset, scale;
	bool plain; /* itself: offset 0, scale 1 */
	bool normed;
};

/* weights: n rows of `width` weights and a bias. */
struct layer {
	size_t n, width;
	double *weights;
};

struct value {
	const char *name;
	enum value_kind kind;
	size_t n;
	struct column *columns;
	struct layer sums;
	size_t n_hidden;
	struct layer hidden[MLP_LAYERS_MAX];
	enum activation activation;
	struct trees *trees; /* owned by the reader */
	double times, plus;  /* of their sum */
	size_t rows;
	double *data;
};

#define ONNX_VALUES_MAX 1024
#define ONNX_TREES_MAX	64

struct onnx_reader {
	size_t n_features;
	size_t n_values, n_blocks, n_forests;
	struct value values[ONNX_VALUES_MAX];
	void **blocks;
	size_t bytes;
	struct trees forests[ONNX_TREES_MAX];
	struct row_norm norm; /* inputs[i].used is a feature number; in the arena */
	bool asked[REGRESSOR_FEATURES_MAX][2]; /* whether any family sees it as it is, normed */
	struct err *e;
};

/* Zeroed memory that goes with the reader; NULL, with the reason told, when it is too much. */
void *onnx_take(struct onnx_reader *r, size_t n, size_t size);

const Onnxfile__Attribute *onnx_attribute(const Onnxfile__Node *node, const char *name);
int64_t onnx_integer(const Onnxfile__Node *node, const char *name, int64_t otherwise);
double onnx_float(const Onnxfile__Node *node, const char *name, double otherwise);
bool onnx_is(const ProtobufCBinaryData *s, const char *text);

/* The i-th input of a node that is known; NULL with the reason told. */
const struct value *onnx_input(struct onnx_reader *r, const Onnxfile__Node *node, size_t i);

/* ERR_DATA, naming the operator and why. */
int onnx_unsupported(struct onnx_reader *r, const Onnxfile__Node *node, const char *why);

/* One operator: what its first output is. */
typedef int onnx_operator(struct onnx_reader *r, const Onnxfile__Node *node, struct value *ret);

onnx_operator onnx_same, onnx_concat, onnx_pick, onnx_scaler, onnx_imputer, onnx_normalizer,
	onnx_matmul, onnx_gemm, onnx_arithmetic, onnx_activation, onnx_linear_regressor,
	onnx_tree_ensemble;

/* The row norm that the graph's answer is behind into *ret, whose inputs the caller frees. */
int onnx_norm(struct onnx_reader *r, struct row_norm *ret);

/* Columns as sums of features. */
int onnx_dense(struct onnx_reader *r, const struct value *v, struct value *ret);

#endif
