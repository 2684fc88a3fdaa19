// SPDX-License-Identifier: Apache-2.0
/* A blend as a model: see blend_model.h. */
#include "train/blend_model.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "train/physics.h"

#define MAX_FACTOR 2.0

/* Note that the model needs input j. */
static void use_input(struct model *m, const struct design *d, uint16_t j)
{
	for (size_t k = 0; k < m->n_used; k++) {
		if (m->used[k].input == j)
			return;
	}
	m->used[m->n_used++] = (struct used_input){
		.input = j, .extensive = feature_is_extensive(d->inputs[j].feature)};
}

/* Kinds of CPU time that the blend was offered. */
static void use_kinds(struct model *m, const struct design *d, const struct blend *b)
{
	for (size_t j = 0; j < b->n_columns; j++) {
		if (!b->columns[j].ratio && physics_is_kind(&d->inputs[b->columns[j].a]))
			use_input(m, d, b->columns[j].a);
	}
}

static void use_terms(struct model *m, const struct design *d, const struct physics *p)
{
	for (size_t k = 0; k < p->n; k++) {
		if (p->terms[k].kind != TERM_CONST)
			use_input(m, d, p->terms[k].a);
		if (term_has_two(p->terms[k].kind))
			use_input(m, d, p->terms[k].b);
	}
}

static void mark_trees(const struct trees *t, bool *needed)
{
	for (size_t i = 0; i < t->n_nodes; i++) {
		if (t->nodes[i].column != TREE_LEAF)
			needed[t->nodes[i].column] = true;
	}
}

static void mark_points(const struct points *p, bool *needed)
{
	for (size_t k = 0; k < p->n_dims; k++)
		needed[p->dims[k].column] = true;
}

static void move_trees(struct trees *t, const uint16_t *at)
{
	for (size_t i = 0; i < t->n_nodes; i++) {
		if (t->nodes[i].column != TREE_LEAF)
			t->nodes[i].column = at[t->nodes[i].column];
	}
}

static void move_points(struct points *p, const uint16_t *at)
{
	for (size_t k = 0; k < p->n_dims; k++)
		p->dims[k].column = at[p->dims[k].column];
}

/* Keep only columns that an expert looks at: every other input would be needed for nothing. */
static void drop_columns(struct blend *b)
{
	bool needed[BLEND_COLUMNS_MAX + SPREAD_MORE] = {false};
	uint16_t at[BLEND_COLUMNS_MAX + SPREAD_MORE] = {0};
	size_t kept = 0, before = b->n_columns;

	mark_trees(&b->boosted, needed);
	mark_trees(&b->forest, needed);
	mark_trees(&b->gbdt, needed);
	mark_trees(&b->spread, needed);
	mark_points(&b->centres, needed);
	mark_points(&b->reference, needed);
	for (size_t j = 0; j < b->n_columns; j++) {
		at[j] = (uint16_t)kept;
		if (needed[j])
			b->columns[kept++] = b->columns[j];
	}
	b->n_columns = kept;
	for (size_t k = 0; k < SPREAD_MORE; k++)
		at[before + k] = (uint16_t)(kept + k);
	move_trees(&b->boosted, at);
	move_trees(&b->forest, at);
	move_trees(&b->gbdt, at);
	move_trees(&b->spread, at);
	move_points(&b->centres, at);
	move_points(&b->reference, at);
}

int blend_inputs(const struct pool *p, const size_t *rows, size_t n, struct blend *b,
		 struct model *m, struct err *e)
{
	const struct design *d = p->d;
	autofree double *values = calloc(n + 1, sizeof(*values));

	if (!values)
		return err_nomem(e);
	m->used = calloc(d->p + 1, sizeof(*m->used));
	if (!m->used)
		return err_nomem(e);
	use_kinds(m, d, b);
	drop_columns(b);
	for (size_t j = 0; j < b->n_columns; j++) {
		use_input(m, d, b->columns[j].a);
		if (b->columns[j].ratio)
			use_input(m, d, b->columns[j].b);
	}
	use_terms(m, d, &b->physics);
	if (p->size_vcpus > 0) {
		m->size_vcpus = p->size_vcpus;
		m->size_input = (uint16_t)design_find(d, FEATURE_VCPUS, INPUT_NOW, 0);
		use_input(m, d, m->size_input);
	}
	for (size_t k = 0; k < m->n_used; k++) {
		struct range r = design_range_of_rows(d, m->used[k].input, rows, n, values);

		m->used[k].low = r.low;
		m->used[k].high = r.high;
	}
	return 0;
}

int blend_to_model(const struct pool *p, const size_t *rows, size_t n, struct blend *b,
		   struct model *m, struct err *e)
{
	const struct design *d = p->d;
	double y_max = 0;
	int r = blend_inputs(p, rows, n, b, m, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		y_max = fmax(y_max, p->y[rows[i]]);
	m->family = FAMILY_BLEND;
	for (size_t i = 0; i < m->n_used; i++) {
		enum tier tier = feature_info(d->inputs[m->used[i].input].feature)->tier;

		m->tier = tier > m->tier ? tier : m->tier;
	}
	m->blend = *b;
	m->gain = 1;
	m->max_w = fmax(MAX_FACTOR * y_max, 1e-3);
	m->rows = n;
	return 0;
}
