// SPDX-License-Identifier: Apache-2.0
/* XGBoost in, struct trees out: see boost.h. */
#include "train/boost.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xgboost/c_api.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/text.h"

#define NODES_MAX 65535 /* of one tree */
#define NODE_LINE 256

static int failed(struct err *e)
{
	return err_set(e, -ERR_DATA, "xgboost: %.300s", XGBGetLastError());
}

static int set_number(BoosterHandle b, const char *name, double value)
{
	char text[NUMBER_TEXT];

	return XGBoosterSetParam(b, name, format_double_digits(text, value, 9));
}

static float mean_label(const struct boost_data *d)
{
	double sum = 0, weights = 0;

	for (size_t i = 0; i < d->n; i++) {
		double w = d->weight ? d->weight[i] : 1;

		sum += w * d->y[i];
		weights += w;
	}
	return (float)(weights > 0 ? sum / weights : 0);
}

/* "(1,0,...)": 1 for a column that the answer never falls with. */
static int set_rising(BoosterHandle b, const bool *rising, size_t q)
{
	struct text t = {0};
	int bad;

	if (!rising)
		return 0;
	for (size_t k = 0; k < q; k++)
		text_printf(&t, "%c%d", k ? ',' : '(', rising[k]);
	text_add(&t, ")");
	bad = t.failed || XGBoosterSetParam(b, "monotone_constraints", t.s) != 0;
	text_release(&t);
	return bad;
}

static int set_parameters(BoosterHandle b, const struct boost_options *o, float base)
{
	return XGBoosterSetParam(b, "tree_method", "hist") |
	       XGBoosterSetParam(b, "verbosity", "0") |
	       XGBoosterSetParam(b, "objective", "reg:squarederror") | set_number(b, "nthread", 1) |
	       set_number(b, "max_bin", o->bins) | set_number(b, "max_depth", o->depth) |
	       set_number(b, "eta", o->forest ? 1 : o->rate) | set_number(b, "lambda", o->lambda) |
	       set_number(b, "seed", o->seed) |
	       set_number(b, "min_child_weight", o->min_child_weight) |
	       set_number(b, "subsample", o->row_share) |
	       set_number(b, o->forest ? "colsample_bynode" : "colsample_bytree", o->column_share) |
	       set_number(b, "num_parallel_tree", o->forest ? o->n_trees : 1) |
	       set_number(b, "base_score", base);
}

/* ---- a tree from XGBoost's text: "3:[f7<0.25] yes=7,no=8,missing=7,gain=1.5,..." ---- */

struct parsed {
	float value;
	long column, yes, no; /* column -1: a leaf; -2: not seen */
};

static bool number_behind(const char *line, const char *word, double *ret)
{
	const char *at = strstr(line, word);
	size_t n;

	if (!at)
		return false;
	at += strlen(word);
	n = strcspn(at, ",]\n");
	return parse_double_n(at, n, ret) == 0;
}

/* One line into nodes[]; false when it is not what XGBoost prints. */
static bool parse_node(const char *line, struct parsed *nodes, long *n, double *gain)
{
	double column, value, yes, no, total;
	char *end;
	long id = strtol(line + strspn(line, "\t "), &end, 10);

	if (*end != ':' || id < 0 || id >= NODES_MAX)
		return false;
	for (; *n <= id; (*n)++)
		nodes[*n].column = -2;
	if (number_behind(end, "leaf=", &value)) {
		nodes[id] = (struct parsed){(float)value, -1, 0, 0};
		return true;
	}
	column = strncmp(end, ":[f", 3) ? -1 : strtod(end + 3, NULL);
	if (column < 0 || !number_behind(end, "<", &value) || !number_behind(end, "yes=", &yes) ||
	    !number_behind(end, "no=", &no))
		return false;
	nodes[id] = (struct parsed){(float)value, (long)column, (long)yes, (long)no};
	if (gain && number_behind(end, "gain=", &total))
		gain[(long)column] += total;
	return true;
}

static int parse_tree(const char *dump, struct parsed *nodes, long *ret_n, double *gain,
		      struct err *e)
{
	*ret_n = 0;
	for (const char *at = dump; *at; at += strspn(at, "\n")) {
		size_t n = strcspn(at, "\n");
		char line[NODE_LINE];

		snprintf(line, sizeof(line), "%.*s", (int)n, at);
		if (!parse_node(line, nodes, ret_n, gain))
			return err_set(e, -ERR_DATA, "xgboost: unexpected tree line '%.60s'", line);
		at += n;
	}
	return *ret_n ? 0 : err_set(e, -ERR_DATA, "xgboost: an empty tree");
}

/* Append one tree, breadth first, the two children of a node side by side. */
static int append_tree(struct trees *t, const struct parsed *nodes, long n, struct err *e)
{
	struct tree_node *grown = realloc(t->nodes, (t->n_nodes + (size_t)n) * sizeof(*t->nodes)),
			 *to;
	autofree long *queue = calloc((size_t)n + 2, sizeof(*queue));
	long head = 0, tail = 1;

	if (grown)
		t->nodes = grown;
	if (!grown || !queue)
		return err_nomem(e);
	to = t->nodes + t->n_nodes;
	t->first[t->n++] = (uint32_t)t->n_nodes;
	for (; head < tail; head++) {
		const struct parsed *from = &nodes[queue[head]];

		to[head] = (struct tree_node){from->value, TREE_LEAF, 0};
		if (from->column < 0)
			continue;
		if (from->yes >= n || from->no >= n || tail + 2 > n)
			return err_set(e, -ERR_DATA, "xgboost: a tree that is none");
		to[head].column = (uint16_t)from->column;
		to[head].left = (uint16_t)tail;
		queue[tail++] = from->yes;
		queue[tail++] = from->no;
	}
	t->n_nodes += (size_t)tail;
	return 0;
}

static int convert(BoosterHandle b, struct trees *t, double *gain, struct err *e)
{
	autofree struct parsed *nodes = calloc(NODES_MAX + 1, sizeof(*nodes));
	const char **dumps;
	bst_ulong n;
	int r = 0;

	if (XGBoosterDumpModelEx(b, "", 1, "text", &n, &dumps) != 0)
		return failed(e);
	t->first = calloc(n + 1, sizeof(*t->first));
	if (!nodes || !t->first)
		return err_nomem(e);
	for (bst_ulong k = 0; r == 0 && k < n; k++) {
		long n_nodes;

		r = parse_tree(dumps[k], nodes, &n_nodes, gain, e);
		if (r == 0)
			r = append_tree(t, nodes, n_nodes, e);
	}
	return r;
}

static int grow(BoosterHandle b, DMatrixHandle m, const struct boost_options *o)
{
	int rounds = o->forest ? 1 : (int)o->n_trees, bad = 0;

	for (int i = 0; !bad && i < rounds; i++)
		bad = XGBoosterUpdateOneIter(b, i, m);
	return bad;
}

int boost_fit(const struct boost_data *d, const struct boost_options *o, struct trees *ret,
	      double *gain, struct err *e)
{
	DMatrixHandle m = NULL;
	BoosterHandle b = NULL;
	struct trees t = {.base = mean_label(d)};
	int bad, r;

	bad = XGDMatrixCreateFromMat(d->x, d->n, d->q, NAN, &m) != 0 ||
	      XGDMatrixSetFloatInfo(m, "label", d->y, d->n) != 0 ||
	      (d->weight && XGDMatrixSetFloatInfo(m, "weight", d->weight, d->n) != 0) ||
	      XGBoosterCreate(&m, 1, &b) != 0 || set_parameters(b, o, t.base) != 0 ||
	      set_rising(b, o->rising, d->q) != 0 || grow(b, m, o) != 0;
	r = bad ? failed(e) : convert(b, &t, gain, e);
	if (b)
		XGBoosterFree(b);
	if (m)
		XGDMatrixFree(m);
	if (r < 0) {
		free(t.first);
		free(t.nodes);
		return r;
	}
	*ret = t;
	return 0;
}
