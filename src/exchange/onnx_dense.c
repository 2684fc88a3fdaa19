// SPDX-License-Identifier: Apache-2.0
/* The operators on columns and weighted sums: see onnx_value.h. */
#include <math.h>
#include <string.h>

#include "exchange/onnx_value.h"

#define WIDTH_MAX 4096 /* of any tensor of ours: 4096 x 257 sums fit the arena */

/* What changes the shape only; one column stays one. */
int onnx_same(struct onnx_reader *r, const Onnxfile__Node *node, struct value *ret)
{
	const struct value *v = onnx_input(r, node, 0);
	bool cast = !strcmp(node->op_type, "Cast");
	int64_t to = onnx_integer(node, "to", 1);

	if (!v)
		return r->e->code;
	if (cast && to != 1 && to != 11 && v->kind != VALUE_CONSTANT)
		return onnx_unsupported(r, node, "only casts to float and double are");
	if (!cast && strcmp(node->op_type, "Identity") != 0 && v->n != 1 &&
	    v->kind != VALUE_CONSTANT)
		return onnx_unsupported(r, node, "it may only reshape what has one column");
	*ret = *v;
	return 0;
}

int onnx_concat(struct onnx_reader *r, const Onnxfile__Node *node, struct value *ret)
{
	size_t n = 0;

	if (!strcmp(node->op_type, "Concat") && onnx_integer(node, "axis", 1) != 1 &&
	    onnx_integer(node, "axis", 1) != -1)
		return onnx_unsupported(r, node, "only columns can be put side by side");
	for (size_t i = 0; i < node->n_input; i++) {
		const struct value *v = onnx_input(r, node, i);

		if (!v)
			return r->e->code;
		if (v->kind != VALUE_COLUMNS)
			return onnx_unsupported(r, node, "only features can be put side by side");
		n += v->n;
	}
	if (n > WIDTH_MAX)
		return onnx_unsupported(r, node, "too many columns");
	*ret = (struct value){.kind = VALUE_COLUMNS, .n = n};
	ret->columns = onnx_take(r, n, sizeof(*ret->columns));
	if (!ret->columns)
		return r->e->code;
	n = 0;
	for (size_t i = 0; i < node->n_input; i++) {
		const struct value *v = onnx_input(r, node, i);

		memcpy(ret->columns + n, v->columns, v->n * sizeof(*v->columns));
		n += v->n;
	}
	return 0;
}

int onnx_pick(struct onnx_reader *r, const Onnxfile__Node *node, struct value *ret)
{
	const struct value *v = onnx_input(r, node, 0);
	const struct value *which = v ? onnx_input(r, node, 1) : NULL;

	if (!which)
		return r->e->code;
	if (v->kind != VALUE_COLUMNS || which->kind != VALUE_CONSTANT)
		return onnx_unsupported(r, node, "it may only choose among features");
	if (which->rows != 1)
		return onnx_unsupported(r, node, "it chooses by one row of numbers");
	*ret = (struct value){.kind = VALUE_COLUMNS, .n = which->n};
	ret->columns = onnx_take(r, which->n, sizeof(*ret->columns));
	for (size_t i = 0; ret->columns && i < which->n; i++) {
		double at = which->data[i];

		if (!(at >= 0 && at < (double)v->n))
			return err_set(r->e, -ERR_FORMAT, "ArrayFeatureExtractor: no column %g",
				       at);
		ret->columns[i] = v->columns[(size_t)at];
	}
	return ret->columns ? 0 : r->e->code;
}

/* (column - offset) x scale, on what may be scaled already. */
static int scale_column(struct onnx_reader *r, struct column *c, double offset, double scale)
{
	double before = (double)c->scale;

	/* ((x - o) s - offset) scale = (x - (o + offset / s)) s scale */
	*c = (struct column){c->feature, (float)((double)c->offset + offset / before),
			     (float)(before * scale), false, c->normed};
	if (!isfinite(c->offset) || !isfinite(c->scale) || c->scale == 0)
		return err_set(r->e, -ERR_DATA, "a feature is scaled by 0 or out of range");
	return 0;
}

static struct value copy_columns(struct onnx_reader *r, const struct value *v)
{
	struct value copy = *v;

	copy.columns = onnx_take(r, v->n, sizeof(*v->columns));
	if (copy.columns)
		memcpy(copy.columns, v->columns, v->n * sizeof(*v->columns));
	return copy;
}

int onnx_scaler(struct onnx_reader *r, const Onnxfile__Node *node, struct value *ret)
{
	const struct value *v = onnx_input(r, node, 0);
	const Onnxfile__Attribute *offset = onnx_attribute(node, "offset");
	const Onnxfile__Attribute *scale = onnx_attribute(node, "scale");

	if (!v)
		return r->e->code;
	if (v->kind != VALUE_COLUMNS)
		return onnx_unsupported(r, node, "it may only scale features");
	*ret = copy_columns(r, v);
	for (size_t i = 0; ret->columns && i < v->n; i++) {
		size_t o = offset && offset->n_floats == 1 ? 0 : i;
		size_t s = scale && scale->n_floats == 1 ? 0 : i;

		if ((offset && o >= offset->n_floats) || (scale && s >= scale->n_floats))
			return err_set(r->e, -ERR_FORMAT, "Scaler: not one number a column");
		if (scale_column(r, &ret->columns[i], offset ? (double)offset->floats[o] : 0,
				 scale ? (double)scale->floats[s] : 1) < 0)
			return r->e->code;
	}
	return ret->columns ? 0 : r->e->code;
}

/* Our models answer only where every input is present, so what replaces NaN never shows. */
int onnx_imputer(struct onnx_reader *r, const Onnxfile__Node *node, struct value *ret)
{
	const struct value *v = onnx_input(r, node, 0);

	if (!isnan(onnx_float(node, "replaced_value_float", 0)))
		return onnx_unsupported(r, node, "it replaces a number; only NaN is missing here");
	if (!v)
		return r->e->code;
	*ret = *v;
	return 0;
}

/* ---- sums ---- */

static int take_layer(struct onnx_reader *r, struct layer *l, size_t n, size_t width)
{
	if (n > WIDTH_MAX || width > WIDTH_MAX)
		return err_set(r->e, -ERR_DATA, "a layer of %zu x %zu: too large", n, width);
	*l = (struct layer){n, width, onnx_take(r, n * (width + 1), sizeof(double))};
	return l->weights ? 0 : r->e->code;
}

int onnx_dense(struct onnx_reader *r, const struct value *v, struct value *ret)
{
	*ret = *v;
	if (v->kind == VALUE_DENSE)
		return 0;
	if (v->kind != VALUE_COLUMNS)
		return err_set(r->e, -ERR_DATA, "what follows trees or constants is not supported");
	ret->kind = VALUE_DENSE;
	ret->n_hidden = 0;
	if (take_layer(r, &ret->sums, v->n, r->n_features) < 0)
		return r->e->code;
	for (size_t k = 0; k < v->n; k++) {
		const struct column *c = &v->columns[k];
		double *row = ret->sums.weights + k * (r->n_features + 1);

		r->asked[c->feature][c->normed] = true;
		row[c->feature] = (double)c->scale;
		row[r->n_features] = -(double)c->offset * (double)c->scale;
	}
	return 0;
}

/* *ret = alpha W v, where W's row k is data[k x row + i x step]. */
static int multiply(struct onnx_reader *r, const struct value *v, const double *data, size_t m,
		    size_t row, size_t step, double alpha, struct value *ret)
{
	struct value in;

	if (onnx_dense(r, v, &in) < 0)
		return r->e->code;
	*ret = in;
	ret->n = m;
	if (take_layer(r, &ret->sums, m, in.sums.width) < 0)
		return r->e->code;
	for (size_t k = 0; k < m; k++) {
		double *to = ret->sums.weights + k * (in.sums.width + 1);

		for (size_t i = 0; i < in.n; i++) {
			const double *from = in.sums.weights + i * (in.sums.width + 1);
			double w = alpha * data[k * row + i * step];

			for (size_t j = 0; j <= in.sums.width && w != 0; j++)
				to[j] += w * from[j];
		}
	}
	return 0;
}

int onnx_matmul(struct onnx_reader *r, const Onnxfile__Node *node, struct value *ret)
{
	const struct value *v = onnx_input(r, node, 0);
	const struct value *w = v ? onnx_input(r, node, 1) : NULL;

	if (!w)
		return r->e->code;
	if (v->kind == VALUE_CONSTANT || w->kind != VALUE_CONSTANT || w->rows != v->n)
		return onnx_unsupported(r, node, "it must multiply features by a constant matrix");
	return multiply(r, v, w->data, w->n, 1, w->n, 1, ret);
}

/* Add row `c` (one number or one a sum), times beta; `times` multiplies the sums before. */
static int shift(struct onnx_reader *r, const Onnxfile__Node *node, struct value *v, double times,
		 const struct value *c, double beta)
{
	size_t width = v->sums.width;
	struct layer sums;

	if (c && c->rows * c->n != 1 && c->rows * c->n != v->n)
		return onnx_unsupported(r, node, "its constant has not one number a column");
	if (take_layer(r, &sums, v->n, width) < 0)
		return r->e->code;
	for (size_t k = 0; k < v->n; k++) {
		double *to = sums.weights + k * (width + 1);

		for (size_t j = 0; j <= width; j++)
			to[j] = times * v->sums.weights[k * (width + 1) + j];
		if (c)
			to[width] += beta * c->data[c->rows * c->n == 1 ? 0 : k];
	}
	v->sums = sums;
	return 0;
}

int onnx_gemm(struct onnx_reader *r, const Onnxfile__Node *node, struct value *ret)
{
	const struct value *v = onnx_input(r, node, 0);
	const struct value *w = v ? onnx_input(r, node, 1) : NULL;
	const struct value *c = node->n_input > 2 && w ? onnx_input(r, node, 2) : NULL;
	bool turned = onnx_integer(node, "transB", 0) != 0;
	size_t in, out;

	if (!w || (node->n_input > 2 && !c))
		return r->e->code;
	in = turned ? w->n : w->rows;
	out = turned ? w->rows : w->n;
	if (onnx_integer(node, "transA", 0) || v->kind == VALUE_CONSTANT ||
	    w->kind != VALUE_CONSTANT || in != v->n || (c && c->kind != VALUE_CONSTANT))
		return onnx_unsupported(r, node, "it must multiply features by a constant matrix");
	if (multiply(r, v, w->data, out, turned ? in : 1, turned ? 1 : out,
		     onnx_float(node, "alpha", 1), ret) < 0)
		return r->e->code;
	return c ? shift(r, node, ret, 1, c, onnx_float(node, "beta", 1)) : 0;
}

/* Multiply or divide every sum by its own number: a diagonal matrix, without the matrix. */
static int stretch(struct onnx_reader *r, const Onnxfile__Node *node, struct value *v,
		   const struct value *c, bool divide)
{
	size_t width = v->sums.width, n = c->rows * c->n;
	struct layer sums;

	if (n != 1 && n != v->n)
		return onnx_unsupported(r, node, "its constant has not one number a column");
	if (take_layer(r, &sums, v->n, width) < 0)
		return r->e->code;
	for (size_t k = 0; k < v->n * (width + 1); k++) {
		double by = c->data[n == 1 ? 0 : k / (width + 1)];

		sums.weights[k] = divide ? v->sums.weights[k] / by : v->sums.weights[k] * by;
	}
	v->sums = sums;
	return 0;
}

/* Kept beside the trees, which others may use as they are. */
static int trees_arithmetic(struct onnx_reader *r, const Onnxfile__Node *node, struct value *v,
			    double c)
{
	const char *op = node->op_type;
	double times = !strcmp(op, "Mul") ? c : !strcmp(op, "Div") ? 1 / c : 1;
	double plus = !strcmp(op, "Add") ? c : !strcmp(op, "Sub") ? -c : 0;

	if (!isfinite(times))
		return onnx_unsupported(r, node, "it divides by 0");
	v->times *= times;
	v->plus = v->plus * times + plus;
	return 0;
}

/* Subtracting from or scaling features keeps them columns, which trees can be asked about. */
static int columns_arithmetic(struct onnx_reader *r, const Onnxfile__Node *node,
			      const struct value *v, const struct value *c, struct value *ret)
{
	const char *op = node->op_type;
	size_t n = c->rows * c->n;

	if (n != 1 && n != v->n)
		return onnx_unsupported(r, node, "its constant has not one number a column");
	*ret = copy_columns(r, v);
	for (size_t i = 0; ret->columns && i < v->n; i++) {
		double k = c->data[n == 1 ? 0 : i];
		double offset = !strcmp(op, "Sub") ? k : !strcmp(op, "Add") ? -k : 0;
		double scale = !strcmp(op, "Mul") ? k : !strcmp(op, "Div") ? 1 / k : 1;

		if (scale_column(r, &ret->columns[i], offset, scale) < 0)
			return r->e->code;
	}
	return ret->columns ? 0 : r->e->code;
}

int onnx_arithmetic(struct onnx_reader *r, const Onnxfile__Node *node, struct value *ret)
{
	const struct value *a = onnx_input(r, node, 0);
	const struct value *b = a ? onnx_input(r, node, 1) : NULL;
	const char *op = node->op_type;

	if (!b)
		return r->e->code;
	if (a->kind == VALUE_CONSTANT && (!strcmp(op, "Add") || !strcmp(op, "Mul"))) {
		const struct value *swap = a;

		a = b;
		b = swap;
	}
	if (a->kind == VALUE_CONSTANT || b->kind != VALUE_CONSTANT)
		return onnx_unsupported(r, node, "one of its inputs must be constant");
	*ret = *a;
	if (a->kind == VALUE_TREES)
		return b->rows * b->n == 1 ? trees_arithmetic(r, node, ret, b->data[0])
					   : onnx_unsupported(r, node, "a sum has one column");
	if (a->kind == VALUE_COLUMNS)
		return columns_arithmetic(r, node, a, b, ret);
	if (!strcmp(op, "Add") || !strcmp(op, "Sub"))
		return shift(r, node, ret, 1, b, op[0] == 'A' ? 1 : -1);
	return stretch(r, node, ret, b, !strcmp(op, "Div"));
}

/* A hidden layer is full; a sigmoid is half a tanh of half its sum, and a half. */
int onnx_activation(struct onnx_reader *r, const Onnxfile__Node *node, struct value *ret)
{
	const struct value *v = onnx_input(r, node, 0);
	bool sigmoid = !strcmp(node->op_type, "Sigmoid");
	enum activation kind = !strcmp(node->op_type, "Relu") ? ACTIVATION_RELU : ACTIVATION_TANH;
	struct value in;

	if (!v || onnx_dense(r, v, &in) < 0)
		return r->e->code;
	if (in.n_hidden == MLP_LAYERS_MAX)
		return onnx_unsupported(r, node, "a native network has at most two hidden layers");
	if (in.n > MLP_UNITS_MAX)
		return onnx_unsupported(r, node, "a native layer has at most 128 units");
	if (in.n_hidden && in.activation != kind)
		return onnx_unsupported(r, node, "a native network has one kind of activation");
	if (sigmoid && shift(r, node, &in, 0.5, NULL, 0) < 0)
		return r->e->code;
	*ret = in;
	ret->activation = kind;
	ret->hidden[ret->n_hidden++] = in.sums;
	if (take_layer(r, &ret->sums, in.n, in.n) < 0)
		return r->e->code;
	for (size_t k = 0; k < in.n; k++) {
		ret->sums.weights[k * (in.n + 1) + k] = sigmoid ? 0.5 : 1;
		ret->sums.weights[k * (in.n + 1) + in.n] = sigmoid ? 0.5 : 0;
	}
	return 0;
}

int onnx_linear_regressor(struct onnx_reader *r, const Onnxfile__Node *node, struct value *ret)
{
	const struct value *v = onnx_input(r, node, 0);
	const Onnxfile__Attribute *w = onnx_attribute(node, "coefficients");
	const Onnxfile__Attribute *c = onnx_attribute(node, "intercepts");
	const Onnxfile__Attribute *post = onnx_attribute(node, "post_transform");
	struct value shifts = {.kind = VALUE_CONSTANT, .rows = 1, .n = 1};
	double *data;

	if (!v)
		return r->e->code;
	if (v->kind == VALUE_CONSTANT || onnx_integer(node, "targets", 1) != 1 ||
	    (post && !onnx_is(&post->s, "NONE")))
		return onnx_unsupported(r, node, "only one target as it is");
	if (!w || w->n_floats != v->n || (c && c->n_floats > 1))
		return err_set(r->e, -ERR_FORMAT, "LinearRegressor: not one coefficient a column");
	data = onnx_take(r, v->n + 1, sizeof(*data));
	if (!data)
		return r->e->code;
	for (size_t i = 0; i < v->n; i++)
		data[i] = (double)w->floats[i];
	data[v->n] = c && c->n_floats ? (double)c->floats[0] : 0;
	shifts.data = data + v->n;
	if (multiply(r, v, data, 1, 0, 1, 1, ret) < 0)
		return r->e->code;
	return shift(r, node, ret, 1, &shifts, 1);
}
