/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXCHANGE_ONNX_WRITE_H
#define EXCHANGE_ONNX_WRITE_H

/*
 * An ONNX graph, node by node. A tensor is known by its name, which the functions return; NULL
 * once memory ran out, and NULL is taken everywhere, so only the end needs a check. Numbers are
 * double unless said; rows come first.
 */

#include "base/bytes.h"
#include "base/err.h"
#include "exchange/onnx.pb-c.h"
#include "model/model.h"

struct onnx_writer {
	Onnxfile__Graph graph;
	Onnxfile__Model model;
	void **blocks;
	size_t n_blocks, n_room, n_names;
	bool failed;
};

void onnx_begin(struct onnx_writer *w);

/* A column of numbers from outside. */
const char *onnx_new_input(struct onnx_writer *w, const char *name, const char *doc);
void onnx_metadata(struct onnx_writer *w, const char *key, const char *value);

const char *onnx_number(struct onnx_writer *w, double value);
const char *onnx_numbers(struct onnx_writer *w, const double *at, size_t rows, size_t n);
const char *onnx_floats(struct onnx_writer *w, const float *at, size_t rows, size_t n);
const char *onnx_integers(struct onnx_writer *w, const int64_t *at, size_t n);

/* One operator and its result. Attributes go to the last one made. */
const char *onnx_op1(struct onnx_writer *w, const char *op, const char *a);
const char *onnx_op2(struct onnx_writer *w, const char *op, const char *a, const char *b);
const char *onnx_op(struct onnx_writer *w, const char *op, const char *const *in, size_t n);
/* A second result of the last operator, which nobody reads. */
void onnx_second_output(struct onnx_writer *w);
void onnx_set_integer(struct onnx_writer *w, const char *name, int64_t value);
/* `value` must outlive the writer. The operator is then one of ai.onnx.ml. */
void onnx_set_word(struct onnx_writer *w, const char *name, const char *value);
void onnx_of_ml(struct onnx_writer *w);

/* a op number */
const char *onnx_with(struct onnx_writer *w, const char *op, const char *a, double number);
const char *onnx_clip(struct onnx_writer *w, const char *a, double low, double high);
const char *onnx_cast(struct onnx_writer *w, const char *a, bool to_float);
const char *onnx_beside(struct onnx_writer *w, const char *const *in, size_t n);

/* Trees on float columns: x < t, sums in float. */
const char *onnx_write_trees(struct onnx_writer *w, const struct trees *t, const char *columns);

/* `result` is the output "watts"; then the file's bytes into `to`. Releases the writer. */
int onnx_end(struct onnx_writer *w, const char *result, struct byte_writer *to, struct err *e);

#endif
