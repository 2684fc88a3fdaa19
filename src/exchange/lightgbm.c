// SPDX-License-Identifier: Apache-2.0
/*
 * LightGBM's text format (save_model): lines of key=value; a header, then a block from `Tree=k`
 * for each tree up to `end of trees`. Splits are numbered 0..num_leaves-2, leaves -1, -2, ...;
 * x <= threshold goes left. Lines are cut in a copy, in place.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "exchange/regressor.h"

#define CATEGORICAL  1
#define MISSING_ZERO 1 /* bits 2 and 3 of decision_type */

enum key { LEAVES, FEATURE, THRESHOLD, DECISION, LEFT, RIGHT, VALUE, KEYS };

static const char *const keys[KEYS] = {"num_leaves", "split_feature", "threshold", "decision_type",
				       "left_child", "right_child",   "leaf_value"};

/* Objectives whose prediction is the sum itself. */
static const char *const plain_objectives[] = {
	"regression", "regression_l1", "huber", "fair", "quantile", "mape",
};

/* The value of `line` when it is NAME=value; NULL otherwise. */
static char *value_of(char *line, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(line, name, n) && line[n] == '=' ? line + n + 1 : NULL;
}

/* Cut the next line; NULL at the end. */
static char *next_line(char **at)
{
	char *line = *at, *end = line ? strchr(line, '\n') : NULL;

	if (!line || !*line)
		return NULL;
	*at = end ? end + 1 : line + strlen(line);
	if (end)
		*end = 0;
	if (end && end > line && end[-1] == '\r')
		end[-1] = 0;
	return line;
}

/* The next number of a list, which it leaves behind; false when there is none. */
static bool next_number(char **at, double *ret)
{
	size_t n;

	*at += strspn(*at, " ");
	n = strcspn(*at, " ");
	if (parse_double_n(*at, n, ret) < 0)
		return false;
	*at += n;
	return true;
}

static bool next_integer(char **at, int *ret)
{
	double v;

	if (!next_number(at, &v) || v != floor(v) || fabs(v) > 1e9)
		return false;
	*ret = (int)v;
	return true;
}

static int check_objective(const char *value, struct err *e)
{
	for (size_t i = 0; i < array_size(plain_objectives); i++) {
		size_t n = strlen(plain_objectives[i]);

		if (!strncmp(value, plain_objectives[i], n) && (!value[n] || value[n] == ' ') &&
		    !strstr(value, " sqrt"))
			return 0;
	}
	return err_set(e, -ERR_DATA, "objective %.60s is not supported: train with regression",
		       value);
}

static size_t count_words(const char *s)
{
	size_t n = 0;

	for (s += strspn(s, " "); *s; n++) {
		s += strcspn(s, " ");
		s += strspn(s, " ");
	}
	return n;
}

static int read_names(char *value, struct regressor *r, struct err *e)
{
	int status = r->names ? err_set(e, -ERR_FORMAT, "feature_names twice")
			      : regressor_features(r, count_words(value), e);
	char *save = NULL, *name = strtok_r(value, " ", &save);

	for (size_t i = 0; status == 0 && i < r->n_features && name; i++) {
		if (strlen(name) >= REGRESSOR_NAME)
			return err_set(e, -ERR_FORMAT, "a feature name is too long");
		strcpy(r->names[i], name);
		/* Column_0 and so on: what LightGBM says when it was told no names. */
		r->named |= strncmp(name, "Column_", 7) != 0;
		name = strtok_r(NULL, " ", &save);
	}
	return status;
}

struct state {
	struct regressor *r;
	char *value[KEYS]; /* of the tree being read */
	bool in_tree, average, has_objective;
};

static int read_split(struct state *s, struct plain_tree *t, size_t i, int splits, struct err *e)
{
	double threshold;
	int decision, child[2];
	char **v = s->value;

	if (!next_integer(&v[FEATURE], &t->feature[i]) || !next_number(&v[THRESHOLD], &threshold) ||
	    !next_integer(&v[DECISION], &decision) || !next_integer(&v[LEFT], &child[0]) ||
	    !next_integer(&v[RIGHT], &child[1]))
		return err_set(e, -ERR_FORMAT, "split %zu of a tree is malformed", i);
	if (decision & CATEGORICAL)
		return err_set(e, -ERR_DATA,
			       "categorical splits are not supported: no feature is a category");
	if ((decision >> 2 & 3) == MISSING_ZERO)
		return err_set(e, -ERR_DATA,
			       "zero_as_missing is not supported: a counter at 0 is a value");
	for (int k = 0; k < 2; k++) {
		if (child[k] < -(splits + 1) || child[k] >= splits)
			return err_set(e, -ERR_FORMAT, "split %zu has no such child", i);
	}
	t->threshold[i] = threshold_at_most(threshold);
	t->yes[i] = child[0] >= 0 ? child[0] : splits - 1 - child[0];
	t->no[i] = child[1] >= 0 ? child[1] : splits - 1 - child[1];
	return 0;
}

/* The block just ended: splits first, leaves behind them. */
static int end_tree(struct state *s, struct err *e)
{
	struct plain_tree t;
	int leaves = 0, status;

	if (!s->in_tree)
		return 0;
	s->in_tree = false;
	for (int k = 0; k < KEYS; k++) {
		bool splits = k != LEAVES && k != VALUE;

		if (!s->value[k] && !(splits && leaves == 1))
			return err_set(e, -ERR_FORMAT, "tree %zu has no %s", s->r->trees.n,
				       keys[k]);
		if (k == LEAVES && (!next_integer(&s->value[k], &leaves) || leaves < 1))
			return err_set(e, -ERR_FORMAT, "num_leaves is none");
	}
	status = plain_tree_init(&t, 2 * (size_t)leaves - 1, e);
	for (int i = 0; status == 0 && i < leaves - 1; i++)
		status = read_split(s, &t, (size_t)i, leaves - 1, e);
	for (size_t i = (size_t)leaves - 1; status == 0 && i < t.n; i++) {
		double leaf;

		if (!next_number(&s->value[VALUE], &leaf))
			status = err_set(e, -ERR_FORMAT, "a leaf has no value");
		else
			t.leaf[i] = (float)leaf;
		t.yes[i] = -1;
	}
	if (status == 0)
		status = trees_append(&s->r->trees, &t, s->r->n_features, e);
	plain_tree_release(&t);
	return status;
}

static int read_header(struct state *s, char *line, struct err *e)
{
	char *v;

	if ((v = value_of(line, "feature_names")))
		return read_names(v, s->r, e);
	if ((v = value_of(line, "objective"))) {
		s->has_objective = true;
		return check_objective(v, e);
	}
	if ((v = value_of(line, "num_tree_per_iteration")) && strcmp(v, "1") != 0)
		return err_set(e, -ERR_DATA,
			       "%.20s trees an iteration are not supported: train a model per zone",
			       v);
	if (!strcmp(line, "average_output"))
		s->average = true;
	return 0;
}

static int read_line(struct state *s, char *line, struct err *e)
{
	char *v;

	if (value_of(line, "Tree")) {
		int status = end_tree(s, e);

		if (status == 0 && !s->r->names)
			status = err_set(e, -ERR_FORMAT, "no feature_names before the first tree");
		*s = (struct state){.r = s->r,
				    .in_tree = true,
				    .average = s->average,
				    .has_objective = s->has_objective};
		return status;
	}
	if (!s->in_tree)
		return read_header(s, line, e);
	if ((v = value_of(line, "is_linear")) && strcmp(v, "0") != 0)
		return err_set(e, -ERR_DATA, "linear_tree is not supported: train without it");
	for (int k = 0; k < KEYS; k++) {
		if ((v = value_of(line, keys[k])))
			s->value[k] = v;
	}
	return 0;
}

int lightgbm_read(const char *data, size_t len, struct regressor *ret, struct err *e)
{
	struct regressor r = {.kind = REGRESSOR_TREES};
	struct state s = {.r = &r};
	autofree char *copy = strndup(data, len);
	char *at = copy, *line;
	int status = 0;

	if (!copy)
		return err_nomem(e);
	if (strncmp(copy, "tree\n", 5) != 0 && strncmp(copy, "tree\r", 5) != 0)
		return err_set(e, -ERR_FORMAT, "not a text model of LightGBM");
	while (status == 0 && (line = next_line(&at)) && strcmp(line, "end of trees") != 0)
		status = read_line(&s, line, e);
	if (status == 0)
		status = end_tree(&s, e);
	if (status == 0 && (!r.trees.n || !s.has_objective))
		status = err_set(e, -ERR_FORMAT, "no tree or no objective");
	for (size_t i = 0; status == 0 && s.average && i < r.trees.n_nodes; i++) {
		if (r.trees.nodes[i].column == TREE_LEAF)
			r.trees.nodes[i].value /= (float)r.trees.n;
	}
	if (status < 0) {
		regressor_release(&r);
		return status;
	}
	*ret = r;
	return 0;
}
