// SPDX-License-Identifier: Apache-2.0
/*
 * A blend as bytes and back, and the TAILS section: the upper ends' scales of blends whose
 * intervals have two. A section of its own, and required, so that sets without are as they always
 * were and readers of before refuse those with. See docs/formats/bundle.md; ranges are
 * model_set_check's business.
 */
#include "bundle/format.h"

#include <stdlib.h>

static void write_points(struct byte_writer *w, const struct points *p)
{
	put_u8(w, (uint8_t)p->n_dims);
	put_u32(w, (uint32_t)p->n);
	for (size_t k = 0; k < p->n_dims; k++) {
		put_u16(w, p->dims[k].column);
		put_f64(w, p->dims[k].mean);
		put_f64(w, p->dims[k].sd);
		put_f64(w, p->dims[k].weight);
	}
	for (size_t i = 0; i < p->n; i++) {
		for (size_t k = 0; k < p->n_dims; k++)
			put_f32(w, p->at[k * p->n + i]);
	}
}

static void write_trees(struct byte_writer *w, const struct trees *t)
{
	put_f32(w, t->base);
	put_u32(w, (uint32_t)t->n);
	put_u32(w, (uint32_t)t->n_nodes);
	for (size_t k = 0; k < t->n; k++)
		put_u32(w, t->first[k]);
	for (size_t i = 0; i < t->n_nodes; i++) {
		put_f32(w, t->nodes[i].value);
		put_u16(w, t->nodes[i].column);
		put_u16(w, t->nodes[i].left);
	}
}

void format_write_blend(struct byte_writer *w, const struct blend *b)
{
	put_u16(w, (uint16_t)b->n_columns);
	for (size_t j = 0; j < b->n_columns; j++) {
		put_u16(w, b->columns[j].a);
		put_u16(w, b->columns[j].b);
		put_u8(w, b->columns[j].ratio);
		put_f64(w, b->columns[j].soft);
	}
	format_write_physics(w, &b->physics);
	put_f64(w, b->log_low);
	put_f64(w, b->log_high);
	write_points(w, &b->centres);
	for (size_t i = 0; i < b->centres.n; i++)
		put_f64(w, b->alpha[i]);
	put_f64(w, b->length);
	write_points(w, &b->reference);
	put_f64(w, b->median);
	write_trees(w, &b->boosted);
	write_trees(w, &b->forest);
	write_trees(w, &b->gbdt);
	write_trees(w, &b->spread);
	for (int k = 0; k < EXPERT_COUNT; k++)
		put_f64(w, b->share[k]);
	put_f64(w, b->z_near);
	put_f64(w, b->z_far);
	put_f64(w, b->z_edge);
	put_f64(w, b->trust);
	put_f64(w, b->physics_share);
	put_f64(w, b->caution);
}

static void read_columns(struct byte_reader *r, struct blend *b)
{
	size_t n = get_u16(r);

	b->columns = format_array(r, n, 2 + 2 + 1 + 8, sizeof(*b->columns));
	for (size_t j = 0; j < n && !r->failed; j++) {
		struct blend_column *c = &b->columns[j];
		uint8_t ratio;

		c->a = get_u16(r);
		c->b = get_u16(r);
		ratio = get_u8(r);
		c->ratio = ratio;
		c->soft = get_f64(r);
		r->failed |= ratio > 1;
	}
	b->n_columns = b->columns ? n : 0;
}

static void read_points(struct byte_reader *r, struct points *p)
{
	size_t n_dims = get_u8(r), n = get_u32(r);

	p->dims = format_array(r, n_dims, 2 + 3 * 8, sizeof(*p->dims));
	for (size_t k = 0; k < n_dims && !r->failed; k++) {
		p->dims[k].column = get_u16(r);
		p->dims[k].mean = get_f64(r);
		p->dims[k].sd = get_f64(r);
		p->dims[k].weight = get_f64(r);
	}
	p->n_dims = p->dims ? n_dims : 0;
	p->at = format_array(r, n, 4 * n_dims + !n_dims, sizeof(*p->at) * (n_dims + !n_dims));
	for (size_t i = 0; i < n && !r->failed; i++) {
		for (size_t k = 0; k < n_dims; k++)
			p->at[k * n + i] = get_f32(r);
	}
	p->n = p->at ? n : 0;
}

static void read_trees(struct byte_reader *r, struct trees *t)
{
	size_t n, n_nodes;

	t->base = get_f32(r);
	n = get_u32(r);
	n_nodes = get_u32(r);
	t->first = format_array(r, n, 4, sizeof(*t->first));
	for (size_t k = 0; k < n && !r->failed; k++)
		t->first[k] = get_u32(r);
	t->nodes = format_array(r, n_nodes, 8, sizeof(*t->nodes));
	for (size_t i = 0; i < n_nodes && !r->failed; i++) {
		t->nodes[i].value = get_f32(r);
		t->nodes[i].column = get_u16(r);
		t->nodes[i].left = get_u16(r);
	}
	t->n = t->first ? n : 0;
	t->n_nodes = t->nodes ? n_nodes : 0;
}

void format_read_blend(struct byte_reader *r, struct blend *b)
{
	read_columns(r, b);
	format_read_physics(r, &b->physics);
	b->log_low = get_f64(r);
	b->log_high = get_f64(r);
	read_points(r, &b->centres);
	b->alpha = format_array(r, b->centres.n, 8, sizeof(*b->alpha));
	for (size_t i = 0; i < b->centres.n && !r->failed; i++)
		b->alpha[i] = get_f64(r);
	b->length = get_f64(r);
	read_points(r, &b->reference);
	b->median = get_f64(r);
	read_trees(r, &b->boosted);
	read_trees(r, &b->forest);
	read_trees(r, &b->gbdt);
	read_trees(r, &b->spread);
	for (int k = 0; k < EXPERT_COUNT; k++)
		b->share[k] = get_f64(r);
	b->z_near = get_f64(r);
	b->z_far = get_f64(r);
	b->z_edge = get_f64(r);
	b->trust = get_f64(r);
	b->physics_share = get_f64(r);
	b->caution = get_f64(r);
}

static bool has_tail(const struct model *m)
{
	return m->family == FAMILY_BLEND && m->blend.spread_up;
}

size_t format_count_tails(const struct model_set *s)
{
	size_t n = 0;

	zone_foreach (z) {
		for (size_t i = 0; i < s->zones[z].n; i++)
			n += has_tail(&s->zones[z].models[i]);
	}
	return n;
}

static void write_tail(struct byte_writer *w, const struct blend *b)
{
	for (size_t i = 0; i < b->spread.n_nodes; i++) {
		if (b->spread.nodes[i].column == TREE_LEAF)
			put_f32(w, b->spread_up[i]);
	}
}

void format_write_tails(struct byte_writer *w, const struct model_set *s)
{
	put_u16(w, (uint16_t)format_count_tails(s));
	zone_foreach (z) {
		for (size_t i = 0; i < s->zones[z].n; i++) {
			const struct model *m = &s->zones[z].models[i];

			if (!has_tail(m))
				continue;
			put_text(w, zone_name(z));
			put_u16(w, (uint16_t)i);
			write_tail(w, &m->blend);
		}
	}
}

static void read_tail(struct byte_reader *r, struct blend *b)
{
	b->spread_up = calloc(b->spread.n_nodes, sizeof(*b->spread_up));
	r->failed |= !b->spread_up;
	for (size_t i = 0; i < b->spread.n_nodes && !r->failed; i++) {
		if (b->spread.nodes[i].column == TREE_LEAF)
			b->spread_up[i] = get_f32(r);
	}
}

/* Behind the zones. A model named twice, that is not there or that has no local scale is refused.
 */
void format_read_tails(struct byte_reader *r, struct model_set *s)
{
	size_t n = get_u16(r);

	r->failed |= !n;
	for (size_t k = 0; k < n && !r->failed; k++) {
		struct model *m = format_read_model_place(r, s);

		if (!m || m->family != FAMILY_BLEND || !m->blend.spread.n || has_tail(m))
			r->failed = true;
		else
			read_tail(r, &m->blend);
	}
}
