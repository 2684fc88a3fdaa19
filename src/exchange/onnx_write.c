// SPDX-License-Identifier: Apache-2.0
/* ONNX graphs as bytes: see onnx_write.h. */
#include "exchange/onnx_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IR_VERSION 7
#define OPSET	   13
#define OPSET_ML   1

enum element { ELEMENT_FLOAT = 1, ELEMENT_INT64 = 7, ELEMENT_DOUBLE = 11 };
enum attribute_type {
	IS_INTEGER = 2,
	IS_STRING = 3,
	IS_FLOATS = 6,
	IS_INTEGERS = 7,
	IS_STRINGS = 8
};

static void *take(struct onnx_writer *w, size_t n, size_t size)
{
	void **more;

	if (w->n_blocks == w->n_room) {
		more = reallocarray(w->blocks, w->n_room * 2 + 64, sizeof(*more));
		if (!more) {
			w->failed = true;
			return NULL;
		}
		w->blocks = more;
		w->n_room = w->n_room * 2 + 64;
	}
	w->blocks[w->n_blocks] = calloc(n + 1, size);
	w->failed |= !w->blocks[w->n_blocks];
	return w->blocks[w->n_blocks] ? w->blocks[w->n_blocks++] : NULL;
}

static char *take_text(struct onnx_writer *w, const char *s)
{
	char *copy = take(w, strlen(s) + 1, 1);

	return copy ? strcpy(copy, s) : NULL;
}

/* Room for one more in a list of pointers that the message has; lists grow by doubling. */
static void *append(struct onnx_writer *w, void *list, size_t *n, void *item)
{
	void **old = *(void ***)list, **at = old;

	if ((*n & (*n - 1)) == 0) { /* 0, 1, 2, 4, ... are full */
		at = take(w, *n ? 2 * *n : 1, sizeof(void *));
		if (!at)
			return NULL;
		if (*n)
			memcpy(at, old, *n * sizeof(void *));
		*(void ***)list = at;
	}
	if (item)
		at[(*n)++] = item;
	return item;
}

void onnx_begin(struct onnx_writer *w)
{
	*w = (struct onnx_writer){.n_names = 0};
	onnxfile__graph__init(&w->graph);
	onnxfile__model__init(&w->model);
	w->graph.name = "vmwatts";
	w->model.graph = &w->graph;
}

static Onnxfile__ValueInfo *column(struct onnx_writer *w, const char *name, const char *doc)
{
	Onnxfile__ValueInfo *v = take(w, 1, sizeof(*v));
	Onnxfile__Type *type = take(w, 1, sizeof(*type));
	Onnxfile__TensorType *tensor = take(w, 1, sizeof(*tensor));
	Onnxfile__Shape *shape = take(w, 1, sizeof(*shape));
	Onnxfile__Dimension *rows = take(w, 1, sizeof(*rows)), *one = take(w, 1, sizeof(*one));

	if (!v || !type || !tensor || !shape || !rows || !one)
		return NULL;
	onnxfile__value_info__init(v);
	onnxfile__type__init(type);
	onnxfile__tensor_type__init(tensor);
	onnxfile__shape__init(shape);
	onnxfile__dimension__init(rows);
	onnxfile__dimension__init(one);
	v->name = take_text(w, name);
	v->doc = doc ? take_text(w, doc) : NULL;
	v->type = type;
	type->tensor = tensor;
	tensor->has_element = true;
	tensor->element = ELEMENT_DOUBLE;
	tensor->shape = shape;
	rows->symbol = "rows";
	one->has_size = true;
	one->size = 1;
	append(w, &shape->dim, &shape->n_dim, rows);
	append(w, &shape->dim, &shape->n_dim, one);
	return v;
}

const char *onnx_new_input(struct onnx_writer *w, const char *name, const char *doc)
{
	Onnxfile__ValueInfo *v = column(w, name, doc);

	return append(w, &w->graph.input, &w->graph.n_input, v) ? v->name : NULL;
}

void onnx_metadata(struct onnx_writer *w, const char *key, const char *value)
{
	Onnxfile__Pair *p = take(w, 1, sizeof(*p));

	if (!p)
		return;
	onnxfile__pair__init(p);
	p->key = take_text(w, key);
	p->value = take_text(w, value);
	append(w, &w->model.metadata, &w->model.n_metadata, p);
}

static char *new_name(struct onnx_writer *w)
{
	char name[32];

	snprintf(name, sizeof(name), "t%zu", w->n_names++);
	return take_text(w, name);
}

/* ---- constants ---- */

static const char *tensor(struct onnx_writer *w, enum element element, const void *at, size_t size,
			  const int64_t *dims, size_t n_dims)
{
	Onnxfile__Tensor *t = take(w, 1, sizeof(*t));
	size_t n = 1;

	for (size_t i = 0; i < n_dims; i++)
		n *= (size_t)dims[i];
	if (!t)
		return NULL;
	onnxfile__tensor__init(t);
	t->name = new_name(w);
	t->has_element = true;
	t->element = (int32_t)element;
	t->dims = take(w, n_dims, sizeof(*dims));
	t->raw_data.data = take(w, n, size);
	if (!t->dims || !t->raw_data.data)
		return NULL;
	if (n_dims)
		memcpy(t->dims, dims, n_dims * sizeof(*dims));
	t->n_dims = n_dims;
	memcpy(t->raw_data.data, at, n * size);
	t->raw_data.len = n * size;
	t->has_raw_data = true;
	return append(w, &w->graph.initializer, &w->graph.n_initializer, t) ? t->name : NULL;
}

const char *onnx_number(struct onnx_writer *w, double value)
{
	return tensor(w, ELEMENT_DOUBLE, &value, sizeof(value), NULL, 0);
}

const char *onnx_numbers(struct onnx_writer *w, const double *at, size_t rows, size_t n)
{
	const int64_t dims[] = {(int64_t)rows, (int64_t)n};

	return tensor(w, ELEMENT_DOUBLE, at, sizeof(*at), dims, 2);
}

const char *onnx_floats(struct onnx_writer *w, const float *at, size_t rows, size_t n)
{
	const int64_t dims[] = {(int64_t)rows, (int64_t)n};

	return tensor(w, ELEMENT_FLOAT, at, sizeof(*at), dims, 2);
}

const char *onnx_integers(struct onnx_writer *w, const int64_t *at, size_t n)
{
	const int64_t dims[] = {(int64_t)n};

	return tensor(w, ELEMENT_INT64, at, sizeof(*at), dims, 1);
}

/* ---- operators ---- */

const char *onnx_op(struct onnx_writer *w, const char *op, const char *const *in, size_t n)
{
	Onnxfile__Node *node = take(w, 1, sizeof(*node));
	char *out = new_name(w);

	if (!node || !out)
		return NULL;
	onnxfile__node__init(node);
	node->op_type = take_text(w, op);
	for (size_t i = 0; i < n; i++) {
		w->failed |= !in[i];
		append(w, &node->input, &node->n_input, (void *)in[i]);
	}
	append(w, &node->output, &node->n_output, out);
	return append(w, &w->graph.node, &w->graph.n_node, node) ? out : NULL;
}

const char *onnx_op1(struct onnx_writer *w, const char *op, const char *a)
{
	return onnx_op(w, op, &a, 1);
}

const char *onnx_op2(struct onnx_writer *w, const char *op, const char *a, const char *b)
{
	const char *const in[] = {a, b};

	return onnx_op(w, op, in, 2);
}

/* A new attribute of the last node; NULL without memory. */
static Onnxfile__Attribute *attribute(struct onnx_writer *w, const char *name,
				      enum attribute_type type)
{
	Onnxfile__Attribute *a = take(w, 1, sizeof(*a));
	Onnxfile__Node *node;

	if (!a || !w->graph.n_node)
		return NULL;
	node = w->graph.node[w->graph.n_node - 1];
	onnxfile__attribute__init(a);
	a->name = take_text(w, name);
	a->has_type = true;
	a->type = (int32_t)type;
	return append(w, &node->attribute, &node->n_attribute, a);
}

void onnx_set_integer(struct onnx_writer *w, const char *name, int64_t value)
{
	Onnxfile__Attribute *a = attribute(w, name, IS_INTEGER);

	if (!a)
		return;
	a->has_i = true;
	a->i = value;
}

static ProtobufCBinaryData bytes_of(const char *s)
{
	return (ProtobufCBinaryData){strlen(s), (uint8_t *)s};
}

void onnx_set_word(struct onnx_writer *w, const char *name, const char *value)
{
	Onnxfile__Attribute *a = attribute(w, name, IS_STRING);

	if (!a)
		return;
	a->has_s = true;
	a->s = bytes_of(value);
}

void onnx_of_ml(struct onnx_writer *w)
{
	if (w->graph.n_node)
		w->graph.node[w->graph.n_node - 1]->domain = "ai.onnx.ml";
}

void onnx_second_output(struct onnx_writer *w)
{
	Onnxfile__Node *node = w->graph.n_node ? w->graph.node[w->graph.n_node - 1] : NULL;

	if (node)
		append(w, &node->output, &node->n_output, new_name(w));
}

const char *onnx_with(struct onnx_writer *w, const char *op, const char *a, double number)
{
	return onnx_op2(w, op, a, onnx_number(w, number));
}

const char *onnx_clip(struct onnx_writer *w, const char *a, double low, double high)
{
	return onnx_with(w, "Min", onnx_with(w, "Max", a, low), high);
}

const char *onnx_cast(struct onnx_writer *w, const char *a, bool to_float)
{
	const char *out = onnx_op1(w, "Cast", a);

	onnx_set_integer(w, "to", to_float ? ELEMENT_FLOAT : ELEMENT_DOUBLE);
	return out;
}

const char *onnx_beside(struct onnx_writer *w, const char *const *in, size_t n)
{
	const char *out = onnx_op(w, "Concat", in, n);

	onnx_set_integer(w, "axis", 1);
	return out;
}

/* ---- trees ---- */

static int64_t *integers(struct onnx_writer *w, const char *name, size_t n)
{
	Onnxfile__Attribute *a = attribute(w, name, IS_INTEGERS);

	if (!a)
		return NULL;
	a->ints = take(w, n, sizeof(*a->ints));
	a->n_ints = a->ints ? n : 0;
	return a->ints;
}

static float *floats(struct onnx_writer *w, const char *name, size_t n)
{
	Onnxfile__Attribute *a = attribute(w, name, IS_FLOATS);

	if (!a)
		return NULL;
	a->floats = take(w, n, sizeof(*a->floats));
	a->n_floats = a->floats ? n : 0;
	return a->floats;
}

static ProtobufCBinaryData *strings(struct onnx_writer *w, const char *name, size_t n)
{
	Onnxfile__Attribute *a = attribute(w, name, IS_STRINGS);

	if (!a)
		return NULL;
	a->strings = take(w, n, sizeof(*a->strings));
	a->n_strings = a->strings ? n : 0;
	return a->strings;
}

struct lists {
	int64_t *tree, *node, *feature, *yes, *no, *leaf_tree, *leaf_node;
	ProtobufCBinaryData *mode;
	float *value, *leaf;
	size_t n, n_leaves;
};

static void write_leaf(struct lists *l, size_t tree, size_t k, float value)
{
	l->leaf_tree[l->n_leaves] = (int64_t)tree;
	l->leaf_node[l->n_leaves] = (int64_t)k;
	l->leaf[l->n_leaves++] = value;
}

static void write_node(struct lists *l, size_t tree, size_t k, const struct tree_node *node)
{
	bool leaf = node->column == TREE_LEAF;

	l->tree[l->n] = (int64_t)tree;
	l->node[l->n] = (int64_t)k;
	l->feature[l->n] = leaf ? 0 : node->column;
	l->mode[l->n] = bytes_of(leaf ? "LEAF" : "BRANCH_LT");
	l->value[l->n] = leaf ? 0 : node->value;
	l->yes[l->n] = leaf ? 0 : node->left;
	l->no[l->n++] = leaf ? 0 : node->left + 1;
	if (leaf)
		write_leaf(l, tree, k, node->value);
}

static size_t count_leaves(const struct trees *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_nodes; i++)
		n += t->nodes[i].column == TREE_LEAF;
	return n;
}

static bool take_lists(struct onnx_writer *w, struct lists *l, size_t n, size_t n_leaves)
{
	l->tree = integers(w, "nodes_treeids", n);
	l->node = integers(w, "nodes_nodeids", n);
	l->feature = integers(w, "nodes_featureids", n);
	l->mode = strings(w, "nodes_modes", n);
	l->value = floats(w, "nodes_values", n);
	l->yes = integers(w, "nodes_truenodeids", n);
	l->no = integers(w, "nodes_falsenodeids", n);
	l->leaf_tree = integers(w, "target_treeids", n_leaves);
	l->leaf_node = integers(w, "target_nodeids", n_leaves);
	l->leaf = floats(w, "target_weights", n_leaves);
	integers(w, "target_ids", n_leaves); /* all 0 */
	return l->tree && l->node && l->feature && l->mode && l->value && l->yes && l->no &&
	       l->leaf_tree && l->leaf_node && l->leaf;
}

const char *onnx_write_trees(struct onnx_writer *w, const struct trees *t, const char *columns)
{
	const char *out = onnx_op1(w, "TreeEnsembleRegressor", onnx_cast(w, columns, true));
	const struct tree_node base = {t->base, TREE_LEAF, 0};
	struct lists l = {.n = 0};

	if (!out || !take_lists(w, &l, t->n_nodes + 1, count_leaves(t) + 1))
		return NULL;
	onnx_of_ml(w);
	onnx_set_integer(w, "n_targets", 1);
	/* The base is a tree of one leaf: base_values would be added last, and round otherwise. */
	write_node(&l, 0, 0, &base);
	for (size_t k = 0; k < t->n; k++) {
		size_t end = k + 1 < t->n ? t->first[k + 1] : t->n_nodes;

		for (size_t i = t->first[k]; i < end; i++)
			write_node(&l, k + 1, i - t->first[k], &t->nodes[i]);
	}
	return onnx_cast(w, out, false);
}

/* ---- the end ---- */

static void opset(struct onnx_writer *w, const char *domain, int64_t version)
{
	Onnxfile__Opset *o = take(w, 1, sizeof(*o));

	if (!o)
		return;
	onnxfile__opset__init(o);
	o->domain = take_text(w, domain);
	o->has_version = true;
	o->version = version;
	append(w, &w->model.opset, &w->model.n_opset, o);
}

int onnx_end(struct onnx_writer *w, const char *result, struct byte_writer *to, struct err *e)
{
	Onnxfile__ValueInfo *out = column(w, "watts", "estimated power in watts");
	Onnxfile__Node *last = w->graph.n_node ? w->graph.node[w->graph.n_node - 1] : NULL;
	uint8_t *bytes = NULL;
	size_t len;

	opset(w, "", OPSET);
	opset(w, "ai.onnx.ml", OPSET_ML);
	w->model.has_ir_version = true;
	w->model.ir_version = IR_VERSION;
	w->model.producer_name = "vmwatts";
	w->model.producer_version = VMWATTS_VERSION;
	append(w, &w->graph.output, &w->graph.n_output, out);
	if (!w->failed && last && result == last->output[0]) {
		last->output[0] = "watts";
		len = onnxfile__model__get_packed_size(&w->model);
		bytes = malloc(len + 1);
		if (bytes)
			put_bytes(to, bytes, onnxfile__model__pack(&w->model, bytes));
	}
	to->failed |= !bytes;
	free(bytes);
	for (size_t i = 0; i < w->n_blocks; i++)
		free(w->blocks[i]);
	free(w->blocks);
	return to->failed ? err_nomem(e) : 0;
}
