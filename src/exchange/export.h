/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXCHANGE_EXPORT_H
#define EXCHANGE_EXPORT_H

/*
 * A model of a set as an ONNX graph (opset 13, ai.onnx.ml 1): one input a feature, double, a
 * column each, named as input_name() says; one output "watts". It computes what model_watts()
 * computes after model_resize(); intervals stay in the bundle. Who feeds it computes lags and
 * means of the past itself.
 */

#include "base/bytes.h"
#include "base/err.h"
#include "model/model.h"

/* Append the file's bytes to `to`. */
int onnx_export(const struct model_set *s, enum zone z, const struct model *m,
		struct byte_writer *to, struct err *e);

#endif
