// SPDX-License-Identifier: Apache-2.0
/*
 * XGBoost's own model files (save_model, 1.7 and later): JSON, or the same as UBJSON.
 *
 *   learner.learner_model_param  base_score, num_feature, num_target, as text
 *   learner.objective.name       what is done to the sum of leaves
 *   learner.gradient_booster     gbtree (trees), dart (trees with weights) or gblinear
 *   learner.feature_names        may be empty
 *
 * A tree is arrays by node; a leaf has left child -1 and its value where others have the threshold.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "exchange/json.h"
#include "exchange/regressor.h"

/* Objectives whose prediction is the sum itself. */
static const char *const plain_objectives[] = {
	"reg:squarederror",  "reg:linear",	     "reg:squaredlogerror",
	"reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror",
};

/* XGBoost writes its parameters as text; of late a single number may stand in brackets. */
static int parameter(const json_t *params, const char *key, double *ret, struct err *e)
{
	const char *s = json_string_value(json_object_get(params, key));
	size_t n;

	if (s && s[0] == '[')
		s++;
	n = s ? strcspn(s, "]") : 0;
	if (!s || parse_double_n(s, n, ret) < 0)
		return err_set(e, -ERR_FORMAT, "%s is not one number", key);
	return 0;
}

static int check_objective(const json_t *learner, struct err *e)
{
	const char *name =
		json_string_value(json_object_get(json_object_get(learner, "objective"), "name"));

	if (!name)
		return err_set(e, -ERR_FORMAT, "no objective: not a model of XGBoost");
	for (size_t i = 0; i < array_size(plain_objectives); i++) {
		if (!strcmp(name, plain_objectives[i]))
			return 0;
	}
	return err_set(e, -ERR_DATA,
		       "objective %.60s is not supported: train with reg:squarederror", name);
}

static int read_names(const json_t *learner, struct regressor *r, struct err *e)
{
	const json_t *names = json_object_get(learner, "feature_names");
	size_t n = json_array_size(names);

	if (!n)
		return 0;
	if (n != r->n_features)
		return err_set(e, -ERR_FORMAT, "%zu feature names for %zu features", n,
			       r->n_features);
	for (size_t i = 0; i < n; i++) {
		const char *s = json_string_value(json_array_get(names, i));

		if (!s || strlen(s) >= REGRESSOR_NAME)
			return err_set(e, -ERR_FORMAT, "feature name %zu is none", i);
		strcpy(r->names[i], s);
	}
	r->named = true;
	return 0;
}

static bool integer_at(const json_t *array, size_t i, int *ret)
{
	const json_t *v = json_array_get(array, i);

	if (!json_is_integer(v) || json_integer_value(v) < -1 || json_integer_value(v) > INT32_MAX)
		return false;
	*ret = (int)json_integer_value(v);
	return true;
}

static bool float_at(const json_t *array, size_t i, float *ret)
{
	const json_t *v = json_array_get(array, i);

	*ret = (float)json_number_value(v);
	return json_is_number(v);
}

static int read_tree(const json_t *tree, float weight, struct regressor *r, struct err *e)
{
	const json_t *left = json_object_get(tree, "left_children");
	const json_t *right = json_object_get(tree, "right_children");
	const json_t *feature = json_object_get(tree, "split_indices");
	const json_t *at = json_object_get(tree, "split_conditions");
	struct plain_tree t;
	int status;

	if (json_array_size(json_object_get(tree, "categories_nodes")))
		return err_set(e, -ERR_DATA,
			       "categorical splits are not supported: no feature is a category");
	status = plain_tree_init(&t, json_array_size(left), e);
	for (size_t i = 0; status == 0 && i < t.n; i++) {
		if (!integer_at(left, i, &t.yes[i]) || !integer_at(right, i, &t.no[i]) ||
		    !integer_at(feature, i, &t.feature[i]) || !float_at(at, i, &t.threshold[i]))
			status = err_set(e, -ERR_FORMAT, "node %zu of a tree is malformed", i);
		t.leaf[i] = weight * t.threshold[i];
	}
	if (status == 0)
		status = trees_append(&r->trees, &t, r->n_features, e);
	plain_tree_release(&t);
	return status;
}

static int read_trees(const json_t *model, const json_t *weights, struct regressor *r,
		      struct err *e)
{
	const json_t *trees = json_object_get(model, "trees");
	size_t n = json_array_size(trees);

	if (!n || (weights && json_array_size(weights) != n))
		return err_set(e, -ERR_FORMAT, "no trees, or not one weight for each");
	r->kind = REGRESSOR_TREES;
	for (size_t i = 0; i < n; i++) {
		float weight = 1;

		if ((weights && !float_at(weights, i, &weight)) ||
		    read_tree(json_array_get(trees, i), weight, r, e) < 0)
			return e && e->code ? e->code
					    : err_set(e, -ERR_FORMAT, "weight %zu is none", i);
	}
	return 0;
}

static int read_weights(const json_t *model, double base, struct regressor *r, struct err *e)
{
	const json_t *weights = json_object_get(model, "weights");

	if (json_array_size(weights) != r->n_features + 1)
		return err_set(e, -ERR_FORMAT, "gblinear has not one weight a feature");
	r->weights = calloc(r->n_features, sizeof(*r->weights));
	if (!r->weights)
		return err_nomem(e);
	for (size_t i = 0; i < r->n_features; i++)
		r->weights[i] = json_number_value(json_array_get(weights, i));
	r->bias = base + json_number_value(json_array_get(weights, r->n_features));
	r->kind = REGRESSOR_LINEAR;
	return 0;
}

static int read_booster(const json_t *learner, double base, struct regressor *r, struct err *e)
{
	const json_t *booster = json_object_get(learner, "gradient_booster");
	const char *name = json_string_value(json_object_get(booster, "name"));

	if (!name)
		return err_set(e, -ERR_FORMAT, "no gradient_booster");
	r->trees.base = (float)base;
	if (!strcmp(name, "gbtree"))
		return read_trees(json_object_get(booster, "model"), NULL, r, e);
	if (!strcmp(name, "dart"))
		return read_trees(json_object_get(json_object_get(booster, "gbtree"), "model"),
				  json_object_get(booster, "weight_drop"), r, e);
	if (!strcmp(name, "gblinear"))
		return read_weights(json_object_get(booster, "model"), base, r, e);
	return err_set(e, -ERR_DATA, "booster %.40s is not supported", name);
}

static int read_learner(const json_t *top, struct regressor *r, struct err *e)
{
	const json_t *learner = json_object_get(top, "learner");
	const json_t *params = json_object_get(learner, "learner_model_param");
	double base = 0, features = 0, targets = 1;
	int status = check_objective(learner, e);

	if (status == 0)
		status = parameter(params, "base_score", &base, e);
	if (status == 0)
		status = parameter(params, "num_feature", &features, e);
	if (status == 0 && json_object_get(params, "num_target"))
		status = parameter(params, "num_target", &targets, e);
	if (status == 0 && targets > 1)
		status = err_set(e, -ERR_DATA,
				 "%g targets are not supported: train a model per zone", targets);
	if (status == 0)
		status = regressor_features(
			r, features > 0 && features < 1e6 ? (size_t)features : 0, e);
	if (status == 0)
		status = read_names(learner, r, e);
	return status == 0 ? read_booster(learner, base, r, e) : status;
}

int xgboost_read(const char *data, size_t len, struct regressor *ret, struct err *e)
{
	struct regressor r = {.kind = REGRESSOR_LINEAR};
	autojson json_t *top = NULL;
	json_error_t why;
	size_t i = 1;
	int status;

	if (len >= 4 && !memcmp(data, "binf", 4))
		return err_set(e, -ERR_DATA,
			       "XGBoost's old binary format: save the model as .json or .ubj");
	/* Both begin with a brace; text goes on with a quote, binary with the type of a length. */
	while (i < len && strchr(" \t\r\n", data[i]) && data[i])
		i++;
	if (i < len && data[0] == '{' && data[i] == '"') {
		top = json_loadb(data, len, 0, &why);
		if (!top)
			return err_set(e, -ERR_FORMAT, "line %d: %.200s", why.line, why.text);
	} else {
		top = ubjson_read(data, len);
		if (!top)
			return err_set(e, -ERR_FORMAT, "neither JSON nor UBJSON");
	}
	status = read_learner(top, &r, e);
	if (status < 0) {
		regressor_release(&r);
		return status;
	}
	*ret = r;
	return 0;
}
