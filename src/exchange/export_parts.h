/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXCHANGE_EXPORT_PARTS_H
#define EXCHANGE_EXPORT_PARTS_H

/* What export.c and export_blend.c share; all return the name of a tensor of [rows, 1]. */

#include "exchange/onnx_write.h"

struct exporter {
	struct onnx_writer w;
	const char *at[INPUT_MAX]; /* the set's inputs that the model uses */
	const char *any;	   /* one of them: what gives a constant its rows */
};

const char *export_constant(struct exporter *x, double value);

/* Sum of n terms, each by a number. */
const char *export_sum(struct exporter *x, const char *const *terms, const double *by, size_t n);
const char *export_physics(struct exporter *x, const struct physics *p);
const char *export_blend(struct exporter *x, const struct blend *b);

#endif
