// SPDX-License-Identifier: Apache-2.0
/*
 * The NORMS section: which models divide a row by its norm, and how. A section of its own, and
 * required, so that sets without are as they always were and readers of before refuse those with.
 * See docs/formats/bundle.md; ranges are model_set_check's business.
 */
#include "bundle/format.h"

size_t format_count_norms(const struct model_set *s)
{
	size_t n = 0;

	zone_foreach (z) {
		for (size_t i = 0; i < s->zones[z].n; i++)
			n += s->zones[z].models[i].norm.n > 0;
	}
	return n;
}

void format_write_norms(struct byte_writer *w, const struct model_set *s)
{
	put_u16(w, (uint16_t)format_count_norms(s));
	zone_foreach (z) {
		for (size_t i = 0; i < s->zones[z].n; i++) {
			const struct row_norm *norm = &s->zones[z].models[i].norm;

			if (!norm->n)
				continue;
			put_text(w, zone_name(z));
			put_u16(w, (uint16_t)i);
			put_u8(w, (uint8_t)norm->kind);
			put_u16(w, (uint16_t)norm->n);
			for (size_t k = 0; k < norm->n; k++) {
				put_u16(w, norm->inputs[k].used);
				put_f32(w, norm->inputs[k].offset);
				put_f32(w, norm->inputs[k].scale);
			}
		}
	}
}

static void read_norm(struct byte_reader *r, struct row_norm *norm)
{
	size_t n;

	norm->kind = (enum norm_kind)get_u8(r);
	n = get_u16(r);
	norm->inputs = format_array(r, n, 2 + 2 * 4, sizeof(*norm->inputs));
	for (size_t i = 0; i < n && !r->failed; i++) {
		norm->inputs[i].used = get_u16(r);
		norm->inputs[i].offset = get_f32(r);
		norm->inputs[i].scale = get_f32(r);
	}
	norm->n = r->failed ? 0 : n;
	r->failed |= !norm->n;
}

/* Behind the zones. A model that is named twice, or that is not there, is refused. */
void format_read_norms(struct byte_reader *r, struct model_set *s)
{
	size_t n = get_u16(r);

	r->failed |= !n;
	for (size_t k = 0; k < n && !r->failed; k++) {
		struct model *m = format_read_model_place(r, s);

		if (!m || m->norm.inputs)
			r->failed = true;
		else
			read_norm(r, &m->norm);
	}
}
