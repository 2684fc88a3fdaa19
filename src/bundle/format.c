// SPDX-License-Identifier: Apache-2.0
/*
 * A model set as bytes and back. docs/formats/bundle.md is the specification;
 * in short, all little-endian:
 *
 *   8 bytes  "VMWATTS\x01"
 *   u32      number of sections (at most 64)
 *   section table: { u32 type, u32 flags, u32 offset, u32 length } each
 *   sections, back to back in the order of the table, to the end of the file
 *
 * A reader skips a section type it does not know unless flag bit 0 (required)
 * is set. Every count is bounded by the bytes that are left before anything is
 * allocated for it, and the result must pass model_set_check().
 */
#include "bundle/bundle.h"
#include "bundle/format.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static const uint8_t magic[8] = {'V', 'M', 'W', 'A', 'T', 'T', 'S', 1};

#define SECTIONS_MAX 64
#define CARD_MAX     (256u << 10)
#define REQUIRED     1u

enum section {
	SECTION_META = 1,
	SECTION_INPUTS = 2,
	SECTION_ZONE = 3,
	SECTION_CARD = 4,
	SECTION_SIZES = 5,
	SECTION_PROFILE = 6,
	SECTION_NORMS = 7,
	SECTION_TAILS = 8,
};

/* ---- write ---- */

static void write_meta(struct byte_writer *w, const struct model_set *s)
{
	const struct applicability *a = &s->trained_on;

	put_text(w, s->name);
	put_text(w, s->version);
	put_u64(w, (uint64_t)s->sequence);
	put_u64(w, (uint64_t)s->created_s);
	put_u64(w, (uint64_t)s->expires_s);
	put_u8(w, (uint8_t)s->scope);
	put_f64(w, s->interval_s);
	put_f64(w, s->window_s);
	put_text(w, a->cpu_vendor);
	put_text(w, a->cpu_model);
	put_u32(w, a->cpu_family);
	put_u32(w, a->cpu_model_number);
	put_u32(w, a->vcpus_min);
	put_u32(w, a->vcpus_max);
}

static void write_inputs(struct byte_writer *w, const struct model_set *s)
{
	put_u16(w, (uint16_t)s->n_inputs);
	for (size_t i = 0; i < s->n_inputs; i++) {
		/* By name: the catalogue may be reordered and grow. */
		put_text(w, feature_info(s->inputs[i].feature)->name);
		put_u8(w, (uint8_t)s->inputs[i].op);
		put_f64(w, s->inputs[i].seconds);
	}
}

static void write_linear(struct byte_writer *w, const struct linear *l)
{
	put_f64(w, l->bias_w);
	put_u32(w, (uint32_t)l->n);
	for (size_t i = 0; i < l->n; i++) {
		put_u16(w, l->terms[i].used);
		put_f64(w, l->terms[i].mean);
		put_f64(w, l->terms[i].scale);
		put_f64(w, l->terms[i].weight);
	}
}

void format_write_physics(struct byte_writer *w, const struct physics *p)
{
	put_f64(w, p->floor_w);
	put_u32(w, (uint32_t)p->n);
	for (size_t i = 0; i < p->n; i++) {
		const struct physics_term *t = &p->terms[i];

		put_u8(w, (uint8_t)t->kind);
		put_u16(w, t->a);
		put_u16(w, t->b);
		put_f64(w, t->knot);
		put_f64(w, t->cap);
		put_f64(w, t->coefficient_w);
	}
}

static void write_model(struct byte_writer *w, const struct model *m)
{
	put_u8(w, (uint8_t)m->family);
	put_u8(w, (uint8_t)m->tier);
	put_u8(w, m->history);
	put_u16(w, (uint16_t)m->n_used);
	for (size_t i = 0; i < m->n_used; i++) {
		put_u16(w, m->used[i].input);
		put_f64(w, m->used[i].low);
		put_f64(w, m->used[i].high);
	}
	put_u8(w, (uint8_t)m->interval.n_bands);
	put_u8(w, m->interval.by_distance);
	for (unsigned i = 0; i < m->interval.n_bands; i++) {
		put_f64(w, m->interval.upto[i]);
		put_f64(w, m->interval.quantile[i]);
	}
	put_f64(w, m->interval.scale_w);
	put_f64(w, m->gain);
	put_f64(w, m->offset_w);
	put_f64(w, m->max_w);
	put_f64(w, m->idle_w);
	put_u64(w, m->rows);
	put_u32(w, m->groups);
	put_f64(w, m->mae_w);
	put_f64(w, m->wmape);
	put_f64(w, m->coverage_90);
	if (m->family == FAMILY_LINEAR)
		write_linear(w, &m->linear);
	else if (m->family == FAMILY_PHYSICS)
		format_write_physics(w, &m->physics);
	else if (m->family == FAMILY_MLP)
		format_write_mlp(w, &m->mlp);
	else
		format_write_blend(w, &m->blend);
}

static void write_zone(struct byte_writer *w, enum zone z, const struct zone_models *models)
{
	put_text(w, zone_name(z));
	put_text(w, models->definition);
	put_u16(w, (uint16_t)models->n);
	for (size_t i = 0; i < models->n; i++)
		write_model(w, &models->models[i]);
}

static size_t count_sized(const struct model_set *s)
{
	size_t n = 0;

	zone_foreach (z) {
		for (size_t i = 0; i < s->zones[z].n; i++)
			n += s->zones[z].models[i].size_vcpus > 0;
	}
	return n;
}

/* A section of its own, so that sets without a sized model are as they always were. */
static void write_sizes(struct byte_writer *w, const struct model_set *s)
{
	put_u16(w, (uint16_t)count_sized(s));
	zone_foreach (z) {
		for (size_t i = 0; i < s->zones[z].n; i++) {
			const struct model *m = &s->zones[z].models[i];

			if (!(m->size_vcpus > 0))
				continue;
			put_text(w, zone_name(z));
			put_u16(w, (uint16_t)i);
			put_f64(w, m->size_vcpus);
			put_u16(w, m->size_input);
			for (size_t k = 0; k < m->n_used; k++)
				put_u8(w, m->used[k].extensive);
		}
	}
}

struct part {
	uint32_t type, flags;
	size_t begin, len;
};

static void end_part(struct part *parts, size_t *n, const struct byte_writer *body, uint32_t type,
		     uint32_t flags)
{
	size_t begin = *n ? parts[*n - 1].begin + parts[*n - 1].len : 0;

	parts[(*n)++] = (struct part){type, flags, begin, body->len - begin};
}

/* What is written must load again, wherever it goes. */
static int read_back(const struct byte_writer *w, struct err *e)
{
	struct model_set *s = NULL;
	int r = bundle_parse(w->data, w->len, &s, e);

	model_set_free(s);
	return r < 0 ? err_prefix(e, "what was just written does not load") : 0;
}

int bundle_write(const struct model_set *s, struct byte_writer *w, struct err *e)
{
	struct byte_writer body = {0};
	struct part parts[7 + ZONE_COUNT];
	size_t n = 0, header;

	if (model_set_check(s, e) < 0)
		return e ? e->code : -ERR_FORMAT;
	write_meta(&body, s);
	end_part(parts, &n, &body, SECTION_META, REQUIRED);
	write_inputs(&body, s);
	end_part(parts, &n, &body, SECTION_INPUTS, REQUIRED);
	zone_foreach (z) {
		if (!s->zones[z].n)
			continue;
		write_zone(&body, z, &s->zones[z]);
		end_part(parts, &n, &body, SECTION_ZONE, REQUIRED);
	}
	if (count_sized(s)) {
		write_sizes(&body, s);
		end_part(parts, &n, &body, SECTION_SIZES, REQUIRED);
	}
	if (format_count_norms(s)) {
		format_write_norms(&body, s);
		end_part(parts, &n, &body, SECTION_NORMS, REQUIRED);
	}
	if (format_count_tails(s)) {
		format_write_tails(&body, s);
		end_part(parts, &n, &body, SECTION_TAILS, REQUIRED);
	}
	if (s->n_profiles) {
		format_write_profiles(&body, s);
		end_part(parts, &n, &body, SECTION_PROFILE, 0);
	}
	if (s->card) {
		put_bytes(&body, s->card, strnlen(s->card, CARD_MAX));
		end_part(parts, &n, &body, SECTION_CARD, 0);
	}
	header = sizeof(magic) + 4 + 16 * n;
	put_bytes(w, magic, sizeof(magic));
	put_u32(w, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		put_u32(w, parts[i].type);
		put_u32(w, parts[i].flags);
		put_u32(w, (uint32_t)(header + parts[i].begin));
		put_u32(w, (uint32_t)parts[i].len);
	}
	put_bytes(w, body.data, body.len);
	if (body.failed)
		w->failed = true;
	byte_writer_release(&body);
	return w->failed ? err_nomem(e) : read_back(w, e);
}

/* ---- read ---- */

/* `n` items of at least `item` bytes each; NULL also when they cannot all be there. */
void *format_array(struct byte_reader *r, size_t n, size_t item_bytes, size_t item_size)
{
	void *p;

	if (r->failed || n > bytes_left(r) / item_bytes) {
		r->failed = true;
		return NULL;
	}
	p = calloc(n + 1, item_size);
	if (!p)
		r->failed = true;
	return p;
}

static void read_meta(struct byte_reader *r, struct model_set *s)
{
	struct applicability *a = &s->trained_on;

	get_text(r, s->name, sizeof(s->name));
	get_text(r, s->version, sizeof(s->version));
	s->sequence = (int64_t)get_u64(r);
	s->created_s = (int64_t)get_u64(r);
	s->expires_s = (int64_t)get_u64(r);
	s->scope = (enum scope)get_u8(r);
	s->interval_s = get_f64(r);
	s->window_s = get_f64(r);
	get_text(r, a->cpu_vendor, sizeof(a->cpu_vendor));
	get_text(r, a->cpu_model, sizeof(a->cpu_model));
	a->cpu_family = get_u32(r);
	a->cpu_model_number = get_u32(r);
	a->vcpus_min = get_u32(r);
	a->vcpus_max = get_u32(r);
}

static void read_inputs(struct byte_reader *r, struct model_set *s)
{
	size_t n = get_u16(r);

	if (s->inputs) {
		r->failed = true;
		return;
	}
	s->inputs = format_array(r, n, 2 + 1 + 8, sizeof(*s->inputs));
	for (size_t i = 0; i < n && !r->failed; i++) {
		char name[64];
		int f;

		get_text(r, name, sizeof(name));
		f = feature_find(name);
		if (f < 0)
			r->failed = true;
		s->inputs[i].feature = (enum feature)f;
		s->inputs[i].op = (enum input_op)get_u8(r);
		s->inputs[i].seconds = get_f64(r);
	}
	s->n_inputs = r->failed ? 0 : n;
}

static void read_linear(struct byte_reader *r, struct linear *l)
{
	size_t n;

	l->bias_w = get_f64(r);
	n = get_u32(r);
	l->terms = format_array(r, n, 2 + 3 * 8, sizeof(*l->terms));
	for (size_t i = 0; i < n && !r->failed; i++) {
		l->terms[i].used = get_u16(r);
		l->terms[i].mean = get_f64(r);
		l->terms[i].scale = get_f64(r);
		l->terms[i].weight = get_f64(r);
	}
	l->n = l->terms ? n : 0;
}

void format_read_physics(struct byte_reader *r, struct physics *p)
{
	size_t n;

	p->floor_w = get_f64(r);
	n = get_u32(r);
	p->terms = format_array(r, n, 1 + 2 * 2 + 3 * 8, sizeof(*p->terms));
	for (size_t i = 0; i < n && !r->failed; i++) {
		struct physics_term *t = &p->terms[i];

		t->kind = (enum term_kind)get_u8(r);
		t->a = get_u16(r);
		t->b = get_u16(r);
		t->knot = get_f64(r);
		t->cap = get_f64(r);
		t->coefficient_w = get_f64(r);
	}
	p->n = p->terms ? n : 0;
}

static void read_model(struct byte_reader *r, struct model *m)
{
	size_t n_used;
	uint8_t history, by_distance;

	m->family = (enum family)get_u8(r);
	m->tier = (enum tier)get_u8(r);
	history = get_u8(r);
	n_used = get_u16(r);
	if (m->family >= FAMILY_COUNT || history > 1) {
		m->family = FAMILY_LINEAR;
		r->failed = true;
		return;
	}
	m->history = history;
	m->used = format_array(r, n_used, 2 + 2 * 8, sizeof(*m->used));
	for (size_t i = 0; i < n_used && !r->failed; i++) {
		m->used[i].input = get_u16(r);
		m->used[i].low = get_f64(r);
		m->used[i].high = get_f64(r);
	}
	m->n_used = m->used ? n_used : 0;
	m->interval.n_bands = get_u8(r);
	by_distance = get_u8(r);
	if (m->interval.n_bands > INTERVAL_BANDS_MAX || by_distance > 1)
		r->failed = true;
	m->interval.by_distance = by_distance;
	for (unsigned i = 0; i < m->interval.n_bands && !r->failed; i++) {
		m->interval.upto[i] = get_f64(r);
		m->interval.quantile[i] = get_f64(r);
	}
	m->interval.scale_w = get_f64(r);
	m->gain = get_f64(r);
	m->offset_w = get_f64(r);
	m->max_w = get_f64(r);
	m->idle_w = get_f64(r);
	m->rows = get_u64(r);
	m->groups = get_u32(r);
	m->mae_w = get_f64(r);
	m->wmape = get_f64(r);
	m->coverage_90 = get_f64(r);
	if (m->family == FAMILY_LINEAR)
		read_linear(r, &m->linear);
	else if (m->family == FAMILY_PHYSICS)
		format_read_physics(r, &m->physics);
	else if (m->family == FAMILY_MLP)
		format_read_mlp(r, &m->mlp);
	else
		format_read_blend(r, &m->blend);
}

static void read_zone(struct byte_reader *r, struct model_set *s)
{
	struct zone_models *models;
	char name[16];
	size_t n;
	int z;

	get_text(r, name, sizeof(name));
	z = zone_find(name);
	if (r->failed || z < 0 || s->zones[z].models) {
		r->failed = true;
		return;
	}
	models = &s->zones[z];
	get_text(r, models->definition, sizeof(models->definition));
	n = get_u16(r);
	models->models = format_array(r, n, 64, sizeof(*models->models));
	for (; models->n < n && !r->failed; models->n++)
		read_model(r, &models->models[models->n]);
}

struct model *format_read_model_place(struct byte_reader *r, struct model_set *s)
{
	char name[16];
	size_t i;
	int z;

	get_text(r, name, sizeof(name));
	z = zone_find(name);
	i = get_u16(r);
	if (!r->failed && z >= 0 && i < s->zones[z].n)
		return &s->zones[z].models[i];
	r->failed = true;
	return NULL;
}

/* Behind the zones. A model that is named twice, or that is not there, is refused. */
static void read_sizes(struct byte_reader *r, struct model_set *s)
{
	size_t n = get_u16(r);

	for (size_t k = 0; k < n && !r->failed; k++) {
		struct model *m = format_read_model_place(r, s);

		if (!m || m->size_vcpus > 0) {
			r->failed = true;
			return;
		}
		m->size_vcpus = get_f64(r);
		m->size_input = get_u16(r);
		r->failed |= !(m->size_vcpus > 0);
		for (size_t j = 0; j < m->n_used && !r->failed; j++) {
			uint8_t extensive = get_u8(r);

			m->used[j].extensive = extensive;
			r->failed |= extensive > 1;
		}
	}
}

static void read_card(struct byte_reader *r, struct model_set *s)
{
	size_t n = bytes_left(r);

	if (s->card || n > CARD_MAX || memchr(r->at, 0, n)) {
		r->failed = true;
		return;
	}
	s->card = malloc(n + 1);
	if (!s->card) {
		r->failed = true;
		return;
	}
	memcpy(s->card, r->at, n);
	s->card[n] = 0;
	r->at += n;
}

static int read_section(uint32_t type, uint32_t flags, struct byte_reader *r, struct model_set *s,
			struct err *e)
{
	switch (type) {
	case SECTION_META:
		read_meta(r, s);
		break;
	case SECTION_INPUTS:
		read_inputs(r, s);
		break;
	case SECTION_ZONE:
		read_zone(r, s);
		break;
	case SECTION_CARD:
		read_card(r, s);
		break;
	case SECTION_SIZES:
		read_sizes(r, s);
		break;
	case SECTION_PROFILE:
		format_read_profiles(r, s);
		break;
	case SECTION_NORMS:
		format_read_norms(r, s);
		break;
	case SECTION_TAILS:
		format_read_tails(r, s);
		break;
	default:
		if (flags & REQUIRED)
			return err_set(e, -ERR_FORMAT,
				       "section type %u is required and not known: upgrade vmwatts",
				       type);
		return 0;
	}
	if (r->failed || bytes_left(r))
		return err_set(e, -ERR_FORMAT, "section type %u is malformed", type);
	return 0;
}

static int read_sections(const uint8_t *data, size_t len, struct model_set *s, struct err *e)
{
	struct byte_reader r = byte_reader(data, len);
	uint32_t n, expected;

	if (len < sizeof(magic) + 4 || memcmp(data, magic, sizeof(magic)) != 0)
		return err_set(e, -ERR_FORMAT, "not a vmwatts bundle of format 1");
	r.at += sizeof(magic);
	n = get_u32(&r);
	if (n > SECTIONS_MAX || bytes_left(&r) < 16 * (size_t)n)
		return err_set(e, -ERR_FORMAT, "section table is malformed");
	expected = (uint32_t)(sizeof(magic) + 4 + 16 * n);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t type = get_u32(&r), flags = get_u32(&r);
		uint32_t offset = get_u32(&r), length = get_u32(&r);
		struct byte_reader body;

		if (offset != expected || length > len - offset)
			return err_set(e, -ERR_FORMAT, "section table is malformed");
		expected = offset + length;
		body = byte_reader(data + offset, length);
		if (read_section(type, flags, &body, s, e) < 0)
			return -ERR_FORMAT;
	}
	if (expected != len)
		return err_set(e, -ERR_FORMAT, "bytes behind the last section");
	return 0;
}

int bundle_parse(const void *data, size_t len, struct model_set **ret, struct err *e)
{
	struct model_set *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_nomem(e);
	r = read_sections(data, len, s, e);
	if (r == 0)
		r = model_set_check(s, e);
	if (r < 0) {
		model_set_free(s);
		return r;
	}
	*ret = s;
	return 0;
}
