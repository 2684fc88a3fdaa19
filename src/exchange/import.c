// SPDX-License-Identifier: Apache-2.0
/* From a regressor to the model of a zone: see import.h. */
#include "exchange/import.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Half the width of the interval, relative to the answer: nobody could take it for a small one. */
#define UNKNOWN_RELATIVE 100.0
/* No input is unusual: the format's range is 1e30, and linear models reach a width beyond. */
#define UNKNOWN_RANGE 2.5e29
#define REFERENCES    5 /* as many as a blend's distance asks for */

bool regressor_needs(const struct regressor *r, size_t i)
{
	const struct mlp *m = &r->network;

	for (size_t k = 0; k < r->norm.n; k++) {
		if (r->norm.inputs[k].used == i)
			return true;
	}
	if (r->kind == REGRESSOR_LINEAR)
		return r->weights[i] != 0;
	if (r->kind == REGRESSOR_TREES) {
		for (size_t k = 0; k < r->trees.n_nodes; k++) {
			if (r->trees.nodes[k].column == i)
				return true;
		}
		return false;
	}
	for (size_t k = 0; k < m->units[0]; k++) {
		if (m->weights[k * (m->n_inputs + 1) + i] != 0)
			return true;
	}
	return false;
}

/* The set's input that is `in`, new when it has none; -1 when the table is full. */
static int find_input(struct model_set *s, const struct input *in)
{
	for (size_t i = 0; i < s->n_inputs; i++) {
		if (s->inputs[i].feature == in->feature && s->inputs[i].op == in->op &&
		    s->inputs[i].seconds == in->seconds)
			return (int)i;
	}
	if (s->n_inputs == INPUT_MAX)
		return -1;
	s->inputs[s->n_inputs] = *in;
	return (int)s->n_inputs++;
}

/* at[i] is where feature i is among the model's inputs, -1 where it is not looked at. */
static int use_features(struct model_set *s, struct model *m, const struct regressor *r,
			const struct feature_source *sources, int *at, struct err *e)
{
	bool any = false;

	m->used = calloc(r->n_features, sizeof(*m->used));
	if (!m->used)
		return err_nomem(e);
	for (size_t i = 0; i < r->n_features; i++)
		any |= regressor_needs(r, i);
	for (size_t i = 0; i < r->n_features; i++) {
		const struct feature_info *info;
		int input;

		at[i] = -1;
		if (any && !regressor_needs(r, i)) /* a constant keeps them all: a model has one */
			continue;
		input = find_input(s, &sources[i].input);
		if (input < 0)
			return err_set(e, -ERR_DATA, "more than %d inputs", INPUT_MAX);
		info = feature_info(sources[i].input.feature);
		at[i] = (int)m->n_used;
		m->used[m->n_used++] =
			(struct used_input){(uint16_t)input, -UNKNOWN_RANGE, UNKNOWN_RANGE, false};
		m->tier = info->tier > m->tier ? info->tier : m->tier;
		m->history |= sources[i].input.op != INPUT_NOW;
	}
	return 0;
}

static int set_linear(struct model *m, const struct regressor *r, const int *at,
		      const struct feature_source *sources, struct err *e)
{
	m->family = FAMILY_LINEAR;
	m->linear.bias_w = r->bias;
	m->linear.terms = calloc(m->n_used, sizeof(*m->linear.terms));
	if (!m->linear.terms)
		return err_nomem(e);
	for (size_t i = 0; i < r->n_features; i++) {
		if (at[i] >= 0)
			m->linear.terms[m->linear.n++] = (struct linear_term){
				(uint16_t)at[i], 0, 1, r->weights[i] * sources[i].factor};
	}
	m->max_w = WATTS_LIMIT;
	return 0;
}

/*
 * Trees as a blend of one expert that is trusted everywhere. Its reference points are all in one
 * place of no extent, so that nothing is far.
 */
static int set_trees(struct model *m, struct regressor *r, const int *at, struct err *e)
{
	struct blend *b = &m->blend;

	m->family = FAMILY_BLEND;
	b->columns = calloc(m->n_used, sizeof(*b->columns));
	b->reference.dims = calloc(1, sizeof(*b->reference.dims));
	b->reference.at = calloc(REFERENCES, sizeof(*b->reference.at));
	if (!b->columns || !b->reference.dims || !b->reference.at)
		return err_nomem(e);
	b->n_columns = m->n_used;
	for (size_t i = 0; i < m->n_used; i++)
		b->columns[i] = (struct blend_column){.a = m->used[i].input};
	b->reference.n = REFERENCES;
	b->reference.n_dims = 1;
	b->reference.dims[0] = (struct space_dim){.column = 0, .sd = 1};
	b->length = b->median = 1;
	b->z_far = b->trust = b->share[EXPERT_G] = 1;
	b->gbdt = r->trees;
	r->trees = (struct trees){.base = 0};
	for (size_t i = 0; i < b->gbdt.n_nodes; i++) {
		struct tree_node *node = &b->gbdt.nodes[i];

		if (node->column != TREE_LEAF)
			node->column = (uint16_t)at[node->column];
	}
	/* Not the most that they can say: the interval would end there, as if they were right. */
	m->max_w = WATTS_LIMIT;
	return 0;
}

/* Weights of inputs that are not looked at are left out. */
static int set_network(struct model *m, struct regressor *r, const int *at, struct err *e)
{
	struct mlp *p = &m->mlp;
	const double *from = r->network.weights;
	double *to;

	m->family = FAMILY_MLP;
	*p = r->network;
	p->n_inputs = 0;
	p->inputs = calloc(m->n_used, sizeof(*p->inputs));
	p->weights = to = calloc(mlp_weights(&r->network), sizeof(*p->weights));
	if (!p->inputs || !p->weights)
		return err_nomem(e);
	for (size_t i = 0; i < r->n_features; i++) {
		if (at[i] >= 0)
			p->inputs[p->n_inputs++] =
				(struct mlp_input){(uint16_t)at[i], r->network.inputs[i].mean,
						   r->network.inputs[i].sd};
	}
	for (size_t k = 0; k < p->units[0]; k++) {
		for (size_t i = 0; i <= r->n_features; i++, from++) {
			if (i == r->n_features || at[i] >= 0)
				*to++ = *from;
		}
	}
	memcpy(to, from,
	       (size_t)(r->network.weights + mlp_weights(&r->network) - from) * sizeof(*to));
	m->max_w = WATTS_LIMIT;
	return 0;
}

static int set_family(struct model *m, struct regressor *r, const int *at,
		      const struct feature_source *sources, struct err *e)
{
	if (r->kind == REGRESSOR_LINEAR)
		return set_linear(m, r, at, sources, e);
	for (size_t i = 0; i < r->n_features; i++) {
		if (at[i] >= 0 && sources[i].factor != 1)
			return err_set(e, -ERR_DATA, "only linear models may have Kepler's inputs");
	}
	return r->kind == REGRESSOR_TREES ? set_trees(m, r, at, e) : set_network(m, r, at, e);
}

/* The row norm, from features to the inputs used, which must differ: each is one in the row. */
static int set_norm(struct model *m, struct regressor *r, const int *at,
		    const struct feature_source *sources, struct err *e)
{
	bool seen[INPUT_MAX] = {false};

	m->norm = r->norm;
	r->norm = (struct row_norm){.kind = NORM_NONE};
	for (size_t i = 0; i < m->norm.n; i++) {
		size_t feature = m->norm.inputs[i].used;

		m->norm.inputs[i].used = (uint16_t)at[feature];
		if (sources[feature].factor != 1)
			return err_set(e, -ERR_DATA,
				       "no model with a Normalizer may have Kepler's inputs");
	}
	for (size_t i = 0; m->norm.n && i < m->n_used; i++) {
		if (seen[m->used[i].input])
			return err_set(e, -ERR_DATA,
				       "two features of a model with a Normalizer are the same "
				       "input");
		seen[m->used[i].input] = true;
	}
	return 0;
}

int import_zone(struct model_set *s, enum zone z, struct regressor *r,
		const struct feature_source *sources, struct err *e)
{
	autofree int *at = calloc(r->n_features, sizeof(*at));
	struct model *m = calloc(1, sizeof(*m));
	int status = 0;

	if (!s->inputs)
		s->inputs = calloc(INPUT_MAX, sizeof(*s->inputs));
	if (!at || !m || !s->inputs) {
		free(m);
		regressor_release(r);
		return err_nomem(e);
	}
	s->zones[z].models = m;
	s->zones[z].n = 1;
	*m = (struct model){.interval = {.n_bands = 1,
					 .upto = {WATTS_LIMIT},
					 .quantile = {UNKNOWN_RELATIVE},
					 .scale_w = 1},
			    .gain = 1,
			    .mae_w = NAN,
			    .wmape = NAN,
			    .coverage_90 = NAN};
	status = use_features(s, m, r, sources, at, e);
	if (status == 0)
		status = set_family(m, r, at, sources, e);
	if (status == 0)
		status = set_norm(m, r, at, sources, e);
	/* What a whole machine draws without load is not the VM's: it is split off as idle. */
	if (status == 0 && s->scope != SCOPE_VM_ACTIVE && r->kind == REGRESSOR_LINEAR)
		m->idle_w = fmin(fmax(r->bias, 0), m->max_w);
	if (z == ZONE_UNCORE)
		strcpy(s->zones[z].definition, "package_minus_core");
	regressor_release(r);
	return status;
}
