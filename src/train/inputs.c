// SPDX-License-Identifier: Apache-2.0
/* From the design's inputs to a set's: see inputs.h. */
#include "train/inputs.h"

#include <stdlib.h>

static void move_terms(struct physics *p, const uint16_t *at)
{
	for (size_t k = 0; k < p->n; k++) {
		struct physics_term *term = &p->terms[k];

		term->a = term->kind == TERM_CONST ? 0 : at[term->a];
		term->b = term_has_two(term->kind) ? at[term->b] : 0;
	}
}

static void move_blend(struct blend *b, const uint16_t *at)
{
	move_terms(&b->physics, at);
	for (size_t j = 0; j < b->n_columns; j++) {
		b->columns[j].a = at[b->columns[j].a];
		b->columns[j].b = b->columns[j].ratio ? at[b->columns[j].b] : 0;
	}
}

static void model_move(struct model *m, const uint16_t *at)
{
	for (size_t k = 0; k < m->n_used; k++)
		m->used[k].input = at[m->used[k].input];
	if (m->size_vcpus > 0)
		m->size_input = at[m->size_input];
	if (m->family == FAMILY_PHYSICS)
		move_terms(&m->physics, at);
	if (m->family == FAMILY_BLEND)
		move_blend(&m->blend, at);
}

int set_inputs(struct model_set *s, const struct design *d, struct err *e)
{
	uint16_t at[INPUT_MAX];
	bool needed[INPUT_MAX] = {false};

	zone_foreach (z) {
		for (size_t i = 0; i < s->zones[z].n; i++) {
			const struct model *m = &s->zones[z].models[i];

			for (size_t k = 0; k < m->n_used; k++)
				needed[m->used[k].input] = true;
		}
	}
	s->inputs = calloc(d->p + 1, sizeof(*s->inputs));
	if (!s->inputs)
		return err_nomem(e);
	for (size_t j = 0; j < d->p; j++) {
		at[j] = (uint16_t)s->n_inputs;
		if (needed[j])
			s->inputs[s->n_inputs++] = d->inputs[j];
	}
	zone_foreach (z) {
		for (size_t i = 0; i < s->zones[z].n; i++)
			model_move(&s->zones[z].models[i], at);
	}
	return 0;
}

static bool same_input(const struct input *a, const struct input *b)
{
	return a->feature == b->feature && a->op == b->op && a->seconds == b->seconds;
}

int set_add_model(struct model_set *s, enum zone z, const struct design *d, struct model *m,
		  struct err *e)
{
	struct zone_models *models = &s->zones[z];
	struct model *grown = calloc(models->n + 1, sizeof(*grown));
	struct input *inputs = calloc(INPUT_MAX, sizeof(*inputs));
	uint16_t at[INPUT_MAX] = {0};
	size_t n = s->n_inputs;

	if (!grown || !inputs) {
		free(grown);
		free(inputs);
		return err_nomem(e);
	}
	for (size_t i = 0; i < n; i++)
		inputs[i] = s->inputs[i];
	for (size_t k = 0; k < m->n_used; k++) {
		const struct input *in = &d->inputs[m->used[k].input];
		size_t i = 0;

		while (i < n && !same_input(&inputs[i], in))
			i++;
		if (i == n && n < INPUT_MAX)
			inputs[n++] = *in;
		at[m->used[k].input] = (uint16_t)i;
	}
	model_move(m, at);
	grown[0] = *m;
	for (size_t i = 0; i < models->n; i++)
		grown[i + 1] = models->models[i];
	free(models->models);
	free(s->inputs);
	models->models = grown;
	models->n++;
	s->inputs = inputs;
	s->n_inputs = n;
	return 0;
}
