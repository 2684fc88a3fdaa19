/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SETS_H
#define SETS_H

/*
 * Small but complete model sets for tests: some_set() has two zones, linear and
 * physics, history; blend_set() has a blend, whose numbers
 * tests/golden/blend.py works out apart.
 */
#include <stdlib.h>
#include <string.h>

#include "model/model.h"

#define SET_INPUTS 4

static inline struct used_input *used_of(size_t n, const uint16_t *inputs, double high)
{
	struct used_input *used = calloc(n, sizeof(*used));

	for (size_t i = 0; i < n; i++)
		used[i] = (struct used_input){.input = inputs[i], .high = high};
	return used;
}

static inline struct interval some_interval(void)
{
	return (struct interval){
		.n_bands = 2, .upto = {10, 40}, .quantile = {0.3, 0.1}, .scale_w = 4};
}

/* watts = 2 + 3 u + 0.5 (min(u, 4) - min(u 3 s ago, 4)) */
static inline struct model history_model(void)
{
	static const uint16_t inputs[] = {0, 2};
	struct model m = {.family = FAMILY_PHYSICS, .tier = TIER_OS, .history = true, .n_used = 2};

	m.used = used_of(2, inputs, 8);
	m.physics.floor_w = 0.1;
	m.physics.n = 3;
	m.physics.terms = calloc(3, sizeof(*m.physics.terms));
	m.physics.terms[0] = (struct physics_term){TERM_CONST, 0, 0, 0, 2, 2};
	m.physics.terms[1] = (struct physics_term){TERM_LINEAR, 0, 0, 0, 16, 3};
	m.physics.terms[2] = (struct physics_term){TERM_DELTA, 0, 2, 4, 8, 0.5};
	m.interval = some_interval();
	m.gain = 1;
	m.max_w = 60;
	m.rows = 100;
	m.groups = 5;
	m.mae_w = 0.5;
	m.wmape = 0.05;
	m.coverage_90 = 0.91;
	return m;
}

/* watts = 10 + 4 (u - 3) / 2 + 1 (context switches - 100) / 50 */
static inline struct model linear_model(void)
{
	static const uint16_t inputs[] = {0, 3};
	struct model m = {.family = FAMILY_LINEAR, .tier = TIER_OS, .n_used = 2};

	m.used = used_of(2, inputs, 8);
	m.used[1].high = 200;
	m.linear.bias_w = 10;
	m.linear.n = 2;
	m.linear.terms = calloc(2, sizeof(*m.linear.terms));
	m.linear.terms[0] = (struct linear_term){0, 3, 2, 4};
	m.linear.terms[1] = (struct linear_term){1, 100, 50, 1};
	m.interval = some_interval();
	m.gain = 1;
	m.max_w = 60;
	m.rows = 100;
	m.mae_w = m.wmape = m.coverage_90 = 0.5;
	return m;
}

/* watts = 1 + 30 utilization, on cpu_utilization alone */
static inline struct model last_model(void)
{
	static const uint16_t inputs[] = {1};
	struct model m = {.family = FAMILY_PHYSICS, .tier = TIER_OS, .n_used = 1};

	m.used = used_of(1, inputs, 1);
	m.physics.n = 2;
	m.physics.terms = calloc(2, sizeof(*m.physics.terms));
	m.physics.terms[0] = (struct physics_term){TERM_CONST, 0, 0, 0, 2, 1};
	m.physics.terms[1] = (struct physics_term){TERM_LINEAR, 1, 0, 0, 2, 30};
	m.interval = some_interval();
	m.gain = 1;
	m.max_w = 60;
	m.rows = 100;
	m.mae_w = m.wmape = m.coverage_90 = 0.5;
	return m;
}

static inline struct model_set *some_set(void)
{
	static const struct input inputs[SET_INPUTS] = {
		{FEATURE_CPU_BUSY_VCPUS, INPUT_NOW, 0},
		{FEATURE_CPU_UTILIZATION, INPUT_NOW, 0},
		{FEATURE_CPU_BUSY_VCPUS, INPUT_LAG, 3},
		{FEATURE_CONTEXT_SWITCH_RATE, INPUT_NOW, 0},
	};
	struct model_set *s = calloc(1, sizeof(*s));

	strcpy(s->name, "test");
	strcpy(s->version, "1.2.3");
	s->sequence = 7;
	s->created_s = 1700000000;
	s->scope = SCOPE_VM_ACTIVE;
	s->interval_s = 3;
	s->window_s = 3;
	s->trained_on.vcpus_min = s->trained_on.vcpus_max = 8;
	s->n_inputs = SET_INPUTS;
	s->inputs = calloc(SET_INPUTS, sizeof(*s->inputs));
	memcpy(s->inputs, inputs, sizeof(inputs));
	s->zones[ZONE_PACKAGE].models = calloc(3, sizeof(struct model));
	s->zones[ZONE_PACKAGE].n = 3;
	s->zones[ZONE_PACKAGE].models[0] = history_model();
	s->zones[ZONE_PACKAGE].models[1] = linear_model();
	s->zones[ZONE_PACKAGE].models[2] = last_model();
	s->zones[ZONE_CORE].models = calloc(1, sizeof(struct model));
	s->zones[ZONE_CORE].n = 1;
	s->zones[ZONE_CORE].models[0] = last_model();
	s->card = calloc(1, 32);
	strcpy(s->card, "{\"data\":{\"rows\":100}}");
	return s;
}

#define BLEND_POINTS 12

/* BLEND_POINTS points of 2 coordinates, from small whole numbers. */
static inline struct points some_points(unsigned salt)
{
	static const struct space_dim dims[] = {{0, 1.5, 0.75, 0.9}, {1, 3, 2, 0.4}};
	struct points p = {.n = BLEND_POINTS, .n_dims = 2};

	p.dims = calloc(2, sizeof(*p.dims));
	memcpy(p.dims, dims, sizeof(dims));
	p.at = calloc(p.n * 2, sizeof(*p.at));
	for (unsigned i = 0; i < 2 * BLEND_POINTS; i++)
		p.at[i % 2 * p.n + i / 2] = (float)((i * 7 + salt) % 13) / 4 - 1.5f;
	return p;
}

/* Two trees on columns 0 and 2, leaves scaled by `scale`. */
static inline struct trees some_trees(float base, float scale)
{
	const struct tree_node nodes[] = {
		{2.5f, 0, 1},
		{-1.25f * scale, TREE_LEAF, 0},
		{4.5f, 2, 3},
		{0.5f * scale, TREE_LEAF, 0},
		{2.25f * scale, TREE_LEAF, 0},
		{3, 2, 1},
		{-0.125f * scale, TREE_LEAF, 0},
		{1.0f / 3 * scale, TREE_LEAF, 0},
	};
	struct trees t = {.base = base, .n = 2, .n_nodes = 8};

	t.first = calloc(2, sizeof(*t.first));
	t.first[1] = 5;
	t.nodes = calloc(8, sizeof(*t.nodes));
	memcpy(t.nodes, nodes, sizeof(nodes));
	return t;
}

/* Columns: busy vCPUs, context switches per busy vCPU, busy vCPUs 3 s ago. */
static inline struct model blend_model(void)
{
	static const uint16_t inputs[] = {0, 2, 3};
	static const struct blend_column columns[] = {
		{0, 0, false, 1}, {3, 0, true, 0.5}, {2, 0, false, 1}};
	static const double share[EXPERT_COUNT] = {0.1, 0.2, 0.3, 0.25, 0.15};
	struct model m = history_model();
	struct blend b = {.n_columns = 3, .physics = m.physics};

	free(m.used);
	m.family = FAMILY_BLEND;
	m.n_used = 3;
	m.used = used_of(3, inputs, 8);
	m.used[2].high = 200;
	b.columns = calloc(3, sizeof(*b.columns));
	memcpy(b.columns, columns, sizeof(columns));
	b.log_low = -0.3;
	b.log_high = 0.4;
	b.centres = some_points(0);
	b.alpha = calloc(BLEND_POINTS, sizeof(*b.alpha));
	for (int i = 0; i < BLEND_POINTS; i++)
		b.alpha[i] = (i * 5 % 9 - 4) / 10.0;
	b.length = 0.8;
	b.reference = some_points(3);
	b.median = 1.1;
	b.boosted = some_trees(0.05f, 0.1f);
	b.forest = some_trees(12, 4);
	b.gbdt = some_trees(11, 5);
	b.spread = some_trees(-0.1f, 0.2f);
	memcpy(b.share, share, sizeof(share));
	b.z_near = -2;
	b.z_far = 0.5;
	b.z_edge = 0.5;
	b.trust = 0.25;
	b.physics_share = 0.6;
	m.blend = b;
	m.interval.by_distance = true;
	m.interval.upto[0] = -1;
	m.interval.upto[1] = 1;
	return m;
}

static inline struct model_set *blend_set(void)
{
	struct model_set *s = some_set();

	model_release(&s->zones[ZONE_PACKAGE].models[1]);
	s->zones[ZONE_PACKAGE].models[1] = s->zones[ZONE_PACKAGE].models[0];
	s->zones[ZONE_PACKAGE].models[0] = blend_model();
	return s;
}

static inline void tail(struct blend *b)
{
	b->spread_up = calloc(b->spread.n_nodes, sizeof(*b->spread_up));
	for (size_t i = 0; i < b->spread.n_nodes; i++) {
		if (b->spread.nodes[i].column == TREE_LEAF)
			b->spread_up[i] = 0.5f * b->spread.nodes[i].value + 0.2f;
	}
}

/* blend_set, the upper end of its blend's interval with a scale of its own. */
static inline struct model_set *tailed_set(void)
{
	struct model_set *s = blend_set();

	tail(&s->zones[ZONE_PACKAGE].models[0].blend);
	return s;
}

/* blend_set, its blend that of a machine with 4 vCPUs (read where context switches are). */
static inline struct model_set *sized_set(void)
{
	struct model_set *s = blend_set();
	struct model *m = &s->zones[ZONE_PACKAGE].models[0];

	m->size_vcpus = 4;
	m->size_input = 3;
	m->used[0].extensive = m->used[1].extensive = true;
	return s;
}

/* `m` behind a row norm: busy vCPUs and context switches, moved and scaled, by `kind`. */
static inline struct model normed(struct model m, enum norm_kind kind)
{
	m.norm = (struct row_norm){kind, 2, calloc(2, sizeof(*m.norm.inputs))};
	m.norm.inputs[0] = (struct norm_input){0, 1, 2};
	m.norm.inputs[1] = (struct norm_input){1, 100, -0.5f};
	return m;
}

/* A network of two inputs (busy vCPUs, context switches) and layers of 3 and 2 units. */
static inline struct model network_model(void)
{
	static const uint16_t inputs[] = {0, 3};
	static const double weights[] = {1,    0.5, 0.1, -0.5, 0.2, 0,	  0.3, -1, 0.2, 0.7,
					 -0.4, 0.6, 0.1, 0.2,  0.8, -0.3, 0,   1,  0.5, 0.2};
	struct model m = linear_model();

	free(m.used);
	free(m.linear.terms);
	m.family = FAMILY_MLP;
	m.used = used_of(2, inputs, 8);
	m.mlp = (struct mlp){.activation = ACTIVATION_TANH,
			     .n_inputs = 2,
			     .n_layers = 2,
			     .units = {3, 2},
			     .clamp_sd = 4,
			     .mean_w = 12,
			     .scale_w = 5};
	m.mlp.inputs = calloc(2, sizeof(*m.mlp.inputs));
	m.mlp.inputs[0] = (struct mlp_input){0, 3, 2};
	m.mlp.inputs[1] = (struct mlp_input){1, 100, 50};
	m.mlp.weights = calloc(mlp_weights(&m.mlp), sizeof(double));
	memcpy(m.mlp.weights, weights, sizeof(weights));
	return m;
}

/* some_set and, in zone dram, a network: what the bundle's format has to carry. */
static inline struct model_set *full_set(void)
{
	struct model_set *s = some_set();

	s->zones[ZONE_DRAM].models = calloc(1, sizeof(struct model));
	s->zones[ZONE_DRAM].n = 1;
	s->zones[ZONE_DRAM].models[0] = network_model();
	return s;
}

/* full_set, three of its models behind row norms. */
static inline struct model_set *normed_set(void)
{
	struct model_set *s = full_set();
	struct zone_models *package = &s->zones[ZONE_PACKAGE];

	package->models[0] = normed(package->models[0], NORM_L1);
	package->models[1] = normed(package->models[1], NORM_MAX);
	s->zones[ZONE_DRAM].models[0] = normed(s->zones[ZONE_DRAM].models[0], NORM_L2);
	return s;
}

#endif
