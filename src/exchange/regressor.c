// SPDX-License-Identifier: Apache-2.0
/* Regressors and the trees in them: see regressor.h. */
#include "exchange/regressor.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define TREES_MAX     4096  /* as model/blend.c takes */
#define NODES_MAX     65534 /* positions in a tree are 16 bits */
#define ALL_NODES_MAX (4u << 20)

int regressor_features(struct regressor *r, size_t n, struct err *e)
{
	if (!n || n > REGRESSOR_FEATURES_MAX)
		return err_set(e, -ERR_DATA, "%zu features: 1 to %d are possible", n,
			       REGRESSOR_FEATURES_MAX);
	r->names = calloc(n, sizeof(*r->names));
	if (!r->names)
		return err_nomem(e);
	r->n_features = n;
	return 0;
}

void regressor_release(struct regressor *r)
{
	free(r->names);
	free(r->weights);
	trees_release(&r->trees);
	mlp_release(&r->network);
	norm_release(&r->norm);
	*r = (struct regressor){.kind = REGRESSOR_LINEAR};
}

int plain_tree_init(struct plain_tree *t, size_t n, struct err *e)
{
	*t = (struct plain_tree){.n = n};
	if (!n || n > NODES_MAX)
		return err_set(e, -ERR_DATA, "a tree of %zu nodes: 1 to %d are possible", n,
			       NODES_MAX);
	t->feature = calloc(n, sizeof(*t->feature));
	t->yes = calloc(n, sizeof(*t->yes));
	t->no = calloc(n, sizeof(*t->no));
	t->threshold = calloc(n, sizeof(*t->threshold));
	t->leaf = calloc(n, sizeof(*t->leaf));
	if (t->feature && t->yes && t->no && t->threshold && t->leaf)
		return 0;
	plain_tree_release(t);
	return err_nomem(e);
}

void plain_tree_release(struct plain_tree *t)
{
	free(t->feature);
	free(t->yes);
	free(t->no);
	free(t->threshold);
	free(t->leaf);
	*t = (struct plain_tree){.n = 0};
}

float threshold_at_most(double limit)
{
	float t = (float)fmin(fmax(limit, -FLT_MAX), FLT_MAX);

	if ((double)t > limit)
		t = nextafterf(t, -INFINITY);
	return fminf(nextafterf(t, INFINITY), FLT_MAX);
}

static bool split_in_range(const struct plain_tree *t, size_t i, size_t n_features)
{
	return t->feature[i] >= 0 && (size_t)t->feature[i] < n_features && t->yes[i] > 0 &&
	       (size_t)t->yes[i] < t->n && t->no[i] > 0 && (size_t)t->no[i] < t->n &&
	       isfinite(t->threshold[i]);
}

/* Breadth first, children side by side; at[k] is where node k of ours was. Nodes used, or -1. */
static long lay_out(const struct plain_tree *t, size_t n_features, struct tree_node *nodes, int *at)
{
	size_t used = 1;

	at[0] = 0;
	for (size_t k = 0; k < used; k++) {
		size_t i = (size_t)at[k];

		if (t->yes[i] < 0) {
			nodes[k] = (struct tree_node){t->leaf[i], TREE_LEAF, 0};
			if (!isfinite(t->leaf[i]))
				return -1;
			continue;
		}
		/* A node that is reached twice would make more nodes than there are. */
		if (!split_in_range(t, i, n_features) || used + 2 > t->n)
			return -1;
		nodes[k] = (struct tree_node){t->threshold[i], (uint16_t)t->feature[i],
					      (uint16_t)used};
		at[used++] = t->yes[i];
		at[used++] = t->no[i];
	}
	return (long)used;
}

int trees_append(struct trees *all, const struct plain_tree *t, size_t n_features, struct err *e)
{
	autofree int *at = calloc(t->n, sizeof(*at));
	struct tree_node *nodes;
	uint32_t *first;
	long used;

	if (!at)
		return err_nomem(e);
	if (all->n >= TREES_MAX || all->n_nodes + t->n > ALL_NODES_MAX)
		return err_set(e, -ERR_DATA, "more than %d trees or %u nodes: train fewer",
			       TREES_MAX, ALL_NODES_MAX);
	nodes = reallocarray(all->nodes, all->n_nodes + t->n, sizeof(*nodes));
	if (!nodes)
		return err_nomem(e);
	all->nodes = nodes;
	first = reallocarray(all->first, all->n + 1, sizeof(*first));
	if (!first)
		return err_nomem(e);
	all->first = first;
	used = lay_out(t, n_features, nodes + all->n_nodes, at);
	if (used < 0)
		return err_set(e, -ERR_FORMAT,
			       "tree %zu: a child, feature or number is out of range", all->n);
	first[all->n++] = (uint32_t)all->n_nodes;
	all->n_nodes += (size_t)used;
	return 0;
}
