// SPDX-License-Identifier: Apache-2.0
/*
 * ai.onnx.ml Normalizer: a row of features, scaled at most, divided by its norm. What it gives are
 * columns again, marked as normed; the native model has one row norm in front of all it computes
 * (model.h), so there is one Normalizer, and no feature is used both behind it and as it is.
 */
#include <stdlib.h>
#include <string.h>

#include "exchange/onnx_value.h"

static enum norm_kind kind_of(const Onnxfile__Node *node)
{
	const Onnxfile__Attribute *a = onnx_attribute(node, "norm");

	if (!a)
		return NORM_MAX; /* the operator's default */
	for (int k = NORM_MAX; k < NORM_KIND_COUNT; k++) {
		if (onnx_is(&a->s, norm_name((enum norm_kind)k)))
			return (enum norm_kind)k;
	}
	return NORM_NONE;
}

/* The columns are features, each once. */
static int check_columns(struct onnx_reader *r, const Onnxfile__Node *node, const struct value *v)
{
	bool seen[REGRESSOR_FEATURES_MAX] = {false};

	if (v->kind != VALUE_COLUMNS)
		return onnx_unsupported(r, node, "it may only divide features, scaled at most");
	for (size_t i = 0; i < v->n; i++) {
		const struct column *c = &v->columns[i];

		if (c->normed || r->norm.n)
			return onnx_unsupported(r, node, "a native model has one row norm");
		if (seen[c->feature])
			return onnx_unsupported(r, node, "a feature is in the row twice");
		seen[c->feature] = true;
	}
	return 0;
}

int onnx_normalizer(struct onnx_reader *r, const Onnxfile__Node *node, struct value *ret)
{
	const struct value *v = onnx_input(r, node, 0);
	enum norm_kind kind = kind_of(node);

	if (!v || check_columns(r, node, v) < 0)
		return r->e->code;
	if (kind == NORM_NONE)
		return onnx_unsupported(r, node, "its norm is none of MAX, L1 and L2");
	*ret = (struct value){.kind = VALUE_COLUMNS, .n = v->n};
	ret->columns = onnx_take(r, v->n, sizeof(*ret->columns));
	r->norm.inputs = onnx_take(r, v->n, sizeof(*r->norm.inputs));
	if (!ret->columns || !r->norm.inputs)
		return r->e->code;
	r->norm.kind = kind;
	r->norm.n = v->n;
	for (size_t i = 0; i < v->n; i++) {
		const struct column *c = &v->columns[i];

		ret->columns[i] = (struct column){c->feature, 0, 1, true, true};
		r->norm.inputs[i] = (struct norm_input){(uint16_t)c->feature, c->offset, c->scale};
	}
	return 0;
}

int onnx_norm(struct onnx_reader *r, struct row_norm *ret)
{
	bool any = false, both = false;

	for (size_t i = 0; i < r->norm.n; i++) {
		const bool *asked = r->asked[r->norm.inputs[i].used];

		any |= asked[true];
		both |= asked[false];
	}
	if (!any)
		return 0;
	if (both)
		return err_set(r->e, -ERR_DATA,
			       "operator Normalizer is not supported: a feature that it divides is "
			       "also used as it is");
	*ret = r->norm;
	ret->inputs = calloc(r->norm.n, sizeof(*ret->inputs));
	if (!ret->inputs)
		return err_nomem(r->e);
	memcpy(ret->inputs, r->norm.inputs, r->norm.n * sizeof(*ret->inputs));
	return 0;
}
