// SPDX-License-Identifier: Apache-2.0
/*
 * ONNX files as skl2onnx and onnxmltools write them, into a regressor. The graph's nodes come in
 * the order of their use; each is run once on symbols (onnx_value.h). An operator that is not in
 * the table below ends it with its name.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "exchange/onnx_value.h"

#define ARENA_MAX  ((size_t)128 << 20)
#define BLOCKS_MAX 16384

enum element { ELEMENT_FLOAT = 1, ELEMENT_INT64 = 7, ELEMENT_DOUBLE = 11 };

static const struct {
	const char *name;
	onnx_operator *run;
} operators[] = {
	{"Identity", onnx_same},
	{"Cast", onnx_same},
	{"Reshape", onnx_same},
	{"Flatten", onnx_same},
	{"Squeeze", onnx_same},
	{"Unsqueeze", onnx_same},
	{"Concat", onnx_concat},
	{"FeatureVectorizer", onnx_concat},
	{"ArrayFeatureExtractor", onnx_pick},
	{"Scaler", onnx_scaler},
	{"Imputer", onnx_imputer},
	{"Normalizer", onnx_normalizer},
	{"MatMul", onnx_matmul},
	{"Gemm", onnx_gemm},
	{"Add", onnx_arithmetic},
	{"Sub", onnx_arithmetic},
	{"Mul", onnx_arithmetic},
	{"Div", onnx_arithmetic},
	{"Relu", onnx_activation},
	{"Tanh", onnx_activation},
	{"Sigmoid", onnx_activation},
	{"LinearRegressor", onnx_linear_regressor},
	{"TreeEnsembleRegressor", onnx_tree_ensemble},
};

void *onnx_take(struct onnx_reader *r, size_t n, size_t size)
{
	void *p;

	if (r->n_blocks >= BLOCKS_MAX || n > ARENA_MAX / size ||
	    (r->bytes += n * size) > ARENA_MAX) {
		err_set(r->e, -ERR_DATA, "the graph needs more than %zu MiB", ARENA_MAX >> 20);
		return NULL;
	}
	p = calloc(n + 1, size);
	if (!p) {
		err_nomem(r->e);
		return NULL;
	}
	r->blocks[r->n_blocks++] = p;
	return p;
}

const Onnxfile__Attribute *onnx_attribute(const Onnxfile__Node *node, const char *name)
{
	for (size_t i = 0; i < node->n_attribute; i++) {
		if (node->attribute[i]->name && !strcmp(node->attribute[i]->name, name))
			return node->attribute[i];
	}
	return NULL;
}

int64_t onnx_integer(const Onnxfile__Node *node, const char *name, int64_t otherwise)
{
	const Onnxfile__Attribute *a = onnx_attribute(node, name);

	return a && a->has_i ? a->i : otherwise;
}

double onnx_float(const Onnxfile__Node *node, const char *name, double otherwise)
{
	const Onnxfile__Attribute *a = onnx_attribute(node, name);

	return a && a->has_f ? (double)a->f : otherwise;
}

bool onnx_is(const ProtobufCBinaryData *s, const char *text)
{
	return s->len == strlen(text) && !memcmp(s->data, text, s->len);
}

int onnx_unsupported(struct onnx_reader *r, const Onnxfile__Node *node, const char *why)
{
	return err_set(r->e, -ERR_DATA, "operator %.60s%s%.60s is not supported: %s",
		       node->op_type ? node->op_type : "without a name",
		       node->name && node->name[0] ? " " : "", node->name ? node->name : "", why);
}

static const struct value *find(const struct onnx_reader *r, const char *name)
{
	for (size_t i = r->n_values; i-- > 0;) {
		if (!strcmp(r->values[i].name, name))
			return &r->values[i];
	}
	return NULL;
}

const struct value *onnx_input(struct onnx_reader *r, const Onnxfile__Node *node, size_t i)
{
	const struct value *v = i < node->n_input ? find(r, node->input[i]) : NULL;

	if (!v)
		err_set(r->e, -ERR_FORMAT, "operator %.60s: input %zu is not known",
			node->op_type ? node->op_type : "?", i);
	return v;
}

static int keep(struct onnx_reader *r, const struct value *v)
{
	if (r->n_values == ONNX_VALUES_MAX)
		return err_set(r->e, -ERR_DATA, "more than %d tensors", ONNX_VALUES_MAX);
	r->values[r->n_values++] = *v;
	return 0;
}

/* ---- constants ---- */

/* Element i of n that the file has in one of four places; false when it is not there. */
static bool element(const Onnxfile__Tensor *t, size_t i, double *ret)
{
	size_t size = t->element == ELEMENT_FLOAT ? 4 : 8;
	int64_t integer;
	float f;

	if (t->has_raw_data) { /* little-endian, as our machines are */
		const uint8_t *at = t->raw_data.data + i * size;

		if (t->raw_data.len / size <= i)
			return false;
		if (t->element == ELEMENT_FLOAT) {
			memcpy(&f, at, sizeof(f));
			*ret = (double)f;
		} else if (t->element == ELEMENT_DOUBLE) {
			memcpy(ret, at, sizeof(*ret));
		} else {
			memcpy(&integer, at, sizeof(integer));
			*ret = (double)integer;
		}
		return true;
	}
	if (t->element == ELEMENT_FLOAT && i < t->n_float_data)
		*ret = (double)t->float_data[i];
	else if (t->element == ELEMENT_DOUBLE && i < t->n_double_data)
		*ret = t->double_data[i];
	else if (t->element == ELEMENT_INT64 && i < t->n_int64_data)
		*ret = (double)t->int64_data[i];
	else
		return false;
	return true;
}

static int read_tensor(struct onnx_reader *r, const Onnxfile__Tensor *t, const char *name)
{
	struct value v = {.name = name, .kind = VALUE_CONSTANT, .rows = 1, .n = 1};

	if (t->element != ELEMENT_FLOAT && t->element != ELEMENT_DOUBLE &&
	    t->element != ELEMENT_INT64)
		return 0; /* whoever uses it says that it is not known */
	if (t->n_dims > 2 || t->has_data_location)
		return 0;
	for (size_t k = 0; k < t->n_dims; k++) {
		if (t->dims[k] < 0 || t->dims[k] > 1 << 20)
			return err_set(r->e, -ERR_FORMAT, "tensor %.60s has no size", name);
	}
	if (t->n_dims)
		v.n = (size_t)t->dims[t->n_dims - 1];
	if (t->n_dims == 2)
		v.rows = (size_t)t->dims[0];
	v.data = onnx_take(r, v.rows * v.n, sizeof(*v.data));
	for (size_t i = 0; v.data && i < v.rows * v.n; i++) {
		if (!element(t, i, &v.data[i]))
			return err_set(r->e, -ERR_FORMAT, "tensor %.60s is cut", name);
	}
	return v.data ? keep(r, &v) : r->e->code;
}

/* ---- inputs ---- */

static size_t input_width(const Onnxfile__ValueInfo *in, size_t n_hint)
{
	const Onnxfile__Shape *s = in->type && in->type->tensor ? in->type->tensor->shape : NULL;
	int64_t size =
		s && s->n_dim && s->dim[s->n_dim - 1]->has_size ? s->dim[s->n_dim - 1]->size : 0;

	if (s && s->n_dim == 1)
		return 1;
	return size > 0 && size <= REGRESSOR_FEATURES_MAX ? (size_t)size : n_hint;
}

static int read_input(struct onnx_reader *r, const Onnxfile__ValueInfo *in, size_t width,
		      size_t from)
{
	struct value v = {.name = in->name, .kind = VALUE_COLUMNS, .n = width};

	v.columns = onnx_take(r, width, sizeof(*v.columns));
	for (size_t i = 0; v.columns && i < width; i++)
		v.columns[i] = (struct column){from + i, 0, 1, true, false};
	return v.columns ? keep(r, &v) : r->e->code;
}

/* Inputs in order make the features; those of one column name them. */
static int read_inputs(struct onnx_reader *r, const Onnxfile__Graph *g, size_t n_hint,
		       struct regressor *ret)
{
	size_t n = 0, at = 0;
	int status;

	for (size_t i = 0; i < g->n_input; i++) {
		size_t width = input_width(g->input[i], g->n_input == 1 ? n_hint : 0);

		if (!g->input[i]->name || find(r, g->input[i]->name))
			continue; /* old files list constants among the inputs */
		if (!width)
			return err_set(r->e, -ERR_DATA,
				       "input %.60s has no fixed width: name its columns with "
				       "--features",
				       g->input[i]->name);
		if (read_input(r, g->input[i], width, n) < 0)
			return r->e->code;
		n += width;
	}
	status = regressor_features(ret, n, r->e);
	if (status < 0)
		return status;
	r->n_features = n;
	ret->named = true;
	for (size_t i = 0; i < r->n_values; i++) {
		const struct value *v = &r->values[i];

		if (v->kind != VALUE_COLUMNS)
			continue;
		ret->named &= v->n == 1 && strlen(v->name) < REGRESSOR_NAME;
		for (size_t k = 0; k < v->n; k++)
			strncpy(ret->names[at++], v->name, REGRESSOR_NAME - 1);
	}
	return 0;
}

/* ---- nodes ---- */

static int run_node(struct onnx_reader *r, const Onnxfile__Node *node)
{
	struct value v = {.n = 0};
	int status;

	if (!node->op_type || !node->n_output || !node->output[0])
		return err_set(r->e, -ERR_FORMAT, "a node has no operator or output");
	if (!strcmp(node->op_type, "Constant")) {
		const Onnxfile__Attribute *a = onnx_attribute(node, "value");

		return a && a->t ? read_tensor(r, a->t, node->output[0])
				 : onnx_unsupported(r, node, "only tensors are constants");
	}
	for (size_t i = 0; i < array_size(operators); i++) {
		if (strcmp(node->op_type, operators[i].name) != 0)
			continue;
		status = operators[i].run(r, node, &v);
		v.name = node->output[0];
		return status < 0 ? status : keep(r, &v);
	}
	return onnx_unsupported(r, node, "no native model has it");
}

/* ---- the answer ---- */

static int to_linear(const struct value *v, struct regressor *ret, struct err *e)
{
	ret->kind = REGRESSOR_LINEAR;
	ret->bias = v->sums.weights[v->sums.width];
	ret->weights = calloc(ret->n_features, sizeof(*ret->weights));
	if (!ret->weights)
		return err_nomem(e);
	memcpy(ret->weights, v->sums.weights, ret->n_features * sizeof(*ret->weights));
	return 0;
}

/* A power of two by which input i may be divided: its weights stay below a tenth of the limit. */
static double input_scale(const struct layer *first, size_t i)
{
	double largest = 0;

	for (size_t k = 0; k < first->n; k++)
		largest = fmax(largest, fabs(first->weights[k * (first->width + 1) + i]));
	return largest > 1e-25 && largest < 1e25 ? exp2(floor(log2(MLP_WEIGHT_MAX / 10 / largest)))
						 : 1;
}

/*
 * Our networks hold inputs within MLP_CLAMP_MAX deviations; the file knows no such limit, so a
 * deviation is made so large that only inputs which add 1e7 to a unit are held.
 */
static int to_network(const struct value *v, struct regressor *ret, struct err *e)
{
	struct mlp *m = &ret->network;
	double *at;

	ret->kind = REGRESSOR_NETWORK;
	*m = (struct mlp){.activation = v->activation,
			  .n_inputs = ret->n_features,
			  .n_layers = v->n_hidden,
			  .clamp_sd = MLP_CLAMP_MAX,
			  .scale_w = 1};
	for (size_t l = 0; l < v->n_hidden; l++) {
		m->units[l] = v->hidden[l].n;
		if (m->units[l] > MLP_UNITS_MAX)
			return err_set(e, -ERR_DATA, "a layer of %zu units: %d are possible",
				       m->units[l], MLP_UNITS_MAX);
	}
	m->inputs = calloc(m->n_inputs, sizeof(*m->inputs));
	m->weights = at = calloc(mlp_weights(m), sizeof(*m->weights));
	if (!m->inputs || !at)
		return err_nomem(e);
	for (size_t i = 0; i < m->n_inputs; i++)
		m->inputs[i] = (struct mlp_input){(uint16_t)i, 0, input_scale(&v->hidden[0], i)};
	for (size_t l = 0; l <= v->n_hidden; l++) {
		const struct layer *layer = l < v->n_hidden ? &v->hidden[l] : &v->sums;

		for (size_t k = 0; k < layer->n * (layer->width + 1); k++) {
			size_t i = k % (layer->width + 1);

			*at++ = layer->weights[k] *
				(l == 0 && i < layer->width ? m->inputs[i].sd : 1);
		}
	}
	return 0;
}

static int to_trees(const struct value *v, struct regressor *ret)
{
	struct trees *t = &ret->trees;

	ret->kind = REGRESSOR_TREES;
	*t = *v->trees;
	*v->trees = (struct trees){.base = 0};
	for (size_t i = 0; v->times != 1 && i < t->n_nodes; i++) {
		if (t->nodes[i].column == TREE_LEAF)
			t->nodes[i].value = (float)((double)t->nodes[i].value * v->times);
	}
	if (v->times != 1 || v->plus != 0)
		t->base = (float)((double)t->base * v->times + v->plus);
	return 0;
}

static int answer(struct onnx_reader *r, const char *output, struct regressor *ret)
{
	const struct value *v = output ? find(r, output) : NULL;
	struct value dense;

	if (!v || v->kind == VALUE_CONSTANT)
		return err_set(r->e, -ERR_FORMAT, "the graph's output is not computed");
	if (v->n != 1)
		return err_set(r->e, -ERR_DATA,
			       "%zu outputs are not supported: train a model per zone", v->n);
	if (v->kind == VALUE_TREES)
		return to_trees(v, ret);
	if (onnx_dense(r, v, &dense) < 0)
		return r->e->code;
	return dense.n_hidden ? to_network(&dense, ret, r->e) : to_linear(&dense, ret, r->e);
}

static int read_graph(struct onnx_reader *r, const Onnxfile__Graph *g, size_t n_hint,
		      struct regressor *ret)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < g->n_initializer; i++)
		status = g->initializer[i]->name
				 ? read_tensor(r, g->initializer[i], g->initializer[i]->name)
				 : err_set(r->e, -ERR_FORMAT, "a tensor has no name");
	if (status == 0)
		status = read_inputs(r, g, n_hint, ret);
	for (size_t i = 0; status == 0 && i < g->n_node; i++)
		status = run_node(r, g->node[i]);
	if (status == 0)
		status = answer(r, g->n_output ? g->output[0]->name : NULL, ret);
	if (status == 0)
		status = onnx_norm(r, &ret->norm);
	return status;
}

int onnx_read(const void *data, size_t len, size_t n_hint, struct regressor *ret, struct err *e)
{
	Onnxfile__Model *model = onnxfile__model__unpack(NULL, len, data);
	struct onnx_reader *r = calloc(1, sizeof(*r));
	struct regressor out = {.kind = REGRESSOR_LINEAR};
	struct err own = ERR_INIT;
	int status;

	if (r)
		r->blocks = calloc(BLOCKS_MAX, sizeof(*r->blocks));
	if (!model || !model->graph) {
		status = err_set(e, -ERR_FORMAT, "not an ONNX file");
	} else if (!r || !r->blocks) {
		status = err_nomem(e);
	} else {
		r->e = e ? e : &own;
		status = read_graph(r, model->graph, n_hint, &out);
		if (status == -ERR_DATA && model->producer_name &&
		    !strcmp(model->producer_name, "vmwatts"))
			err_prefix(r->e, "vmwatts exported it from a bundle, which holds more than "
					 "ONNX can say: take the bundle itself");
	}
	if (r) {
		for (size_t i = 0; i < r->n_blocks; i++)
			free(r->blocks[i]);
		for (size_t i = 0; i < r->n_forests; i++)
			trees_release(&r->forests[i]);
		free(r->blocks);
	}
	free(r);
	if (model)
		onnxfile__model__free_unpacked(model, NULL);
	if (status < 0)
		regressor_release(&out);
	else
		*ret = out;
	return status;
}
