// SPDX-License-Identifier: Apache-2.0
/*
 * ai.onnx.ml TreeEnsembleRegressor: every node of every tree in arrays (tree, number in the tree,
 * feature, mode, value, children), the leaves' values in arrays of their own. Ours knows `x < t`
 * alone, so other modes become it: exactly, for trees compare floats.
 */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "exchange/onnx_value.h"

struct ensemble {
	size_t n;
	const Onnxfile__Attribute *tree, *node, *feature, *mode, *yes, *no, *value;
	const Onnxfile__Attribute *leaf_tree, *leaf_node, *leaf_value, *target;
};

static int read_attributes(struct onnx_reader *r, const Onnxfile__Node *node, struct ensemble *s)
{
	struct {
		const char *name;
		const Onnxfile__Attribute **at;
	} wanted[] = {
		{"nodes_treeids", &s->tree},	   {"nodes_nodeids", &s->node},
		{"nodes_featureids", &s->feature}, {"nodes_modes", &s->mode},
		{"nodes_truenodeids", &s->yes},	   {"nodes_falsenodeids", &s->no},
		{"nodes_values", &s->value},	   {"target_treeids", &s->leaf_tree},
		{"target_nodeids", &s->leaf_node}, {"target_weights", &s->leaf_value},
		{"target_ids", &s->target},
	};

	for (size_t i = 0; i < array_size(wanted); i++) {
		*wanted[i].at = onnx_attribute(node, wanted[i].name);
		if (!*wanted[i].at)
			return err_set(r->e, -ERR_DATA,
				       "TreeEnsembleRegressor has no %s as floats: convert the "
				       "model with float inputs",
				       wanted[i].name);
	}
	s->n = s->tree->n_ints;
	if (!s->n || s->node->n_ints != s->n || s->feature->n_ints != s->n ||
	    s->mode->n_strings != s->n || s->yes->n_ints != s->n || s->no->n_ints != s->n ||
	    s->value->n_floats != s->n || s->leaf_node->n_ints != s->leaf_tree->n_ints ||
	    s->leaf_value->n_floats != s->leaf_tree->n_ints ||
	    s->target->n_ints != s->leaf_tree->n_ints)
		return err_set(r->e, -ERR_FORMAT, "TreeEnsembleRegressor: lists of unequal length");
	return 0;
}

static int check_kind(struct onnx_reader *r, const Onnxfile__Node *node, bool *ret_average)
{
	const Onnxfile__Attribute *sum = onnx_attribute(node, "aggregate_function");
	const Onnxfile__Attribute *post = onnx_attribute(node, "post_transform");

	*ret_average = sum && onnx_is(&sum->s, "AVERAGE");
	if (onnx_integer(node, "n_targets", 1) != 1)
		return onnx_unsupported(r, node, "it has several targets: train a model per zone");
	if (post && !onnx_is(&post->s, "NONE"))
		return onnx_unsupported(r, node, "its post_transform is not NONE");
	if (sum && !*ret_average && !onnx_is(&sum->s, "SUM"))
		return onnx_unsupported(r, node, "its trees are neither summed nor averaged");
	return 0;
}

/* ---- thresholds ---- */

/* The column's value of x, as the graph computes it. */
static float column_at(const struct column *c, float x)
{
	return c->plain ? x : (x - c->offset) * c->scale;
}

/* Floats in order as integers, and back. */
static int32_t order_of(float x)
{
	int32_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits < 0 ? INT32_MIN - bits : bits;
}

static float at_order(int32_t order)
{
	int32_t bits = order < 0 ? INT32_MIN - order : order;
	float x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

/*
 * The t with `x < t` exactly where `column < limit` for a column that rises with x (where it
 * falls: exactly where not): the first float from which on it holds no more, by bisection.
 */
static float feature_threshold(const struct column *c, float limit)
{
	int64_t low = order_of(-FLT_MAX), high = order_of(FLT_MAX);
	bool rises = c->scale > 0;

	if (c->plain)
		return limit;
	while (low < high) {
		int64_t middle = (low + high) >> 1;
		float v = column_at(c, at_order((int32_t)middle));

		if (rises ? v < limit : !(v < limit))
			low = middle + 1;
		else
			high = middle;
	}
	return at_order((int32_t)low);
}

/* One split: its mode and column, as `x < threshold`, the children in order. */
static int read_split(struct onnx_reader *r, const Onnxfile__Node *node, const struct ensemble *s,
		      size_t i, const struct value *in, struct plain_tree *t, size_t at)
{
	const ProtobufCBinaryData *mode = &s->mode->strings[i];
	bool equal_goes_yes = onnx_is(mode, "BRANCH_LEQ"), less = onnx_is(mode, "BRANCH_LT");
	bool more = onnx_is(mode, "BRANCH_GTE"), above = onnx_is(mode, "BRANCH_GT");
	int64_t k = s->feature->ints[i];
	float limit = s->value->floats[i];
	int swap;

	if (!equal_goes_yes && !less && !more && !above)
		return onnx_unsupported(r, node, "a split asks neither for less nor for more");
	if (k < 0 || (uint64_t)k >= in->n || isnan(limit))
		return err_set(r->e, -ERR_FORMAT,
			       "TreeEnsembleRegressor: a feature is out of range");
	if (equal_goes_yes || above)
		limit = threshold_at_most((double)limit);
	limit = fminf(fmaxf(limit, -FLT_MAX), FLT_MAX);
	t->threshold[at] = feature_threshold(&in->columns[k], limit);
	t->feature[at] = (int)in->columns[k].feature;
	r->asked[in->columns[k].feature][in->columns[k].normed] = true;
	if ((more || above) != (in->columns[k].scale < 0)) {
		swap = t->yes[at];
		t->yes[at] = t->no[at];
		t->no[at] = swap;
	}
	return 0;
}

/* ---- trees ---- */

/* A node's place: (tree, number) -> index, sorted. */
struct place {
	int64_t tree, node;
	size_t at;
};

static int place_compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->tree != y->tree)
		return x->tree < y->tree ? -1 : 1;
	return x->node == y->node ? 0 : x->node < y->node ? -1 : 1;
}

static const struct place *place_find(const struct place *places, size_t n, int64_t tree,
				      int64_t node)
{
	const struct place wanted = {.tree = tree, .node = node};

	return n ? bsearch(&wanted, places, n, sizeof(*places), place_compare) : NULL;
}

/* The children of node i, whose tree's nodes are places[0..n). */
static bool read_children(const struct ensemble *s, const struct place *places, size_t n, size_t i,
			  struct plain_tree *t, size_t at)
{
	const struct place *yes = place_find(places, n, places->tree, s->yes->ints[i]);
	const struct place *no = place_find(places, n, places->tree, s->no->ints[i]);

	if (!yes || !no)
		return false;
	t->yes[at] = (int)(yes - places);
	t->no[at] = (int)(no - places);
	return true;
}

static int read_tree(struct onnx_reader *r, const Onnxfile__Node *node, const struct ensemble *s,
		     const struct place *places, size_t n, const double *leaves,
		     const struct value *in, struct trees *trees)
{
	struct plain_tree t;
	int status = plain_tree_init(&t, n, r->e);

	for (size_t at = 0; status == 0 && at < n; at++) {
		size_t i = places[at].at;

		if (at && places[at].node == places[at - 1].node)
			status = err_set(r->e, -ERR_FORMAT,
					 "TreeEnsembleRegressor: a node is there twice");
		t.yes[at] = -1;
		t.leaf[at] = (float)leaves[i];
		if (status < 0 || onnx_is(&s->mode->strings[i], "LEAF"))
			continue;
		if (!read_children(s, places, n, i, &t, at))
			status = err_set(r->e, -ERR_FORMAT,
					 "TreeEnsembleRegressor: a child is not there");
		else
			status = read_split(r, node, s, i, in, &t, at);
	}
	if (status == 0)
		status = trees_append(trees, &t, r->n_features, r->e);
	plain_tree_release(&t);
	return status;
}

static int read_leaves(struct onnx_reader *r, const struct ensemble *s, const struct place *places,
		       double *leaves)
{
	for (size_t i = 0; i < s->leaf_tree->n_ints; i++) {
		const struct place *p =
			place_find(places, s->n, s->leaf_tree->ints[i], s->leaf_node->ints[i]);

		if (!p || s->target->ints[i] != 0)
			return err_set(r->e, -ERR_FORMAT,
				       "TreeEnsembleRegressor: a value is of no leaf");
		leaves[p->at] += (double)s->leaf_value->floats[i];
	}
	return 0;
}

static int read_ensemble(struct onnx_reader *r, const Onnxfile__Node *node,
			 const struct ensemble *s, const struct value *in, bool average,
			 struct trees *trees)
{
	autofree struct place *places = calloc(s->n, sizeof(*places));
	autofree double *leaves = calloc(s->n, sizeof(*leaves));
	size_t end, n_trees = 1;

	if (!places || !leaves)
		return err_nomem(r->e);
	for (size_t i = 0; i < s->n; i++)
		places[i] = (struct place){s->tree->ints[i], s->node->ints[i], i};
	qsort(places, s->n, sizeof(*places), place_compare);
	if (read_leaves(r, s, places, leaves) < 0)
		return r->e->code;
	for (size_t i = 1; i < s->n; i++)
		n_trees += places[i].tree != places[i - 1].tree;
	for (size_t i = 0; average && i < s->n; i++)
		leaves[i] /= (double)n_trees;
	for (size_t at = 0; at < s->n; at = end) {
		for (end = at; end < s->n && places[end].tree == places[at].tree;)
			end++;
		if (read_tree(r, node, s, places + at, end - at, leaves, in, trees) < 0)
			return r->e->code;
	}
	return 0;
}

int onnx_tree_ensemble(struct onnx_reader *r, const Onnxfile__Node *node, struct value *ret)
{
	const struct value *in = onnx_input(r, node, 0);
	const Onnxfile__Attribute *base = onnx_attribute(node, "base_values");
	struct ensemble s;
	struct trees *trees;
	bool average;

	if (!in || check_kind(r, node, &average) < 0 || read_attributes(r, node, &s) < 0)
		return r->e->code;
	if (in->kind != VALUE_COLUMNS)
		return onnx_unsupported(r, node, "its inputs must be features, scaled at most");
	if (r->n_forests == ONNX_TREES_MAX)
		return onnx_unsupported(r, node, "there are too many of it");
	trees = &r->forests[r->n_forests++];
	if (read_ensemble(r, node, &s, in, average, trees) < 0)
		return r->e->code;
	if (base && base->n_floats)
		trees->base = base->floats[0];
	*ret = (struct value){.kind = VALUE_TREES, .n = 1, .trees = trees, .times = 1};
	return 0;
}
