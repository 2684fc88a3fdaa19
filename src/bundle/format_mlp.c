// SPDX-License-Identifier: Apache-2.0
/* A network as bytes and back: see docs/formats. Ranges are model_set_check's business. */
#include "bundle/format.h"

#include <stdlib.h>

void format_write_mlp(struct byte_writer *w, const struct mlp *p)
{
	put_u8(w, (uint8_t)p->activation);
	put_u8(w, (uint8_t)p->n_layers);
	for (size_t l = 0; l < p->n_layers; l++)
		put_u16(w, (uint16_t)p->units[l]);
	put_f64(w, p->clamp_sd);
	put_f64(w, p->mean_w);
	put_f64(w, p->scale_w);
	put_u16(w, (uint16_t)p->n_inputs);
	for (size_t i = 0; i < p->n_inputs; i++) {
		put_u16(w, p->inputs[i].used);
		put_f64(w, p->inputs[i].mean);
		put_f64(w, p->inputs[i].sd);
	}
	for (size_t i = 0; i < mlp_weights(p); i++)
		put_f64(w, p->weights[i]);
}

/* The shape decides how many weights follow, so its bounds are checked before they are read. */
void format_read_mlp(struct byte_reader *r, struct mlp *p)
{
	size_t n;

	p->activation = (enum activation)get_u8(r);
	p->n_layers = get_u8(r);
	if (p->n_layers > MLP_LAYERS_MAX) {
		r->failed = true;
		p->n_layers = 0;
	}
	for (size_t l = 0; l < p->n_layers; l++)
		p->units[l] = get_u16(r);
	p->clamp_sd = get_f64(r);
	p->mean_w = get_f64(r);
	p->scale_w = get_f64(r);
	n = get_u16(r);
	p->inputs = format_array(r, n, 2 + 2 * 8, sizeof(*p->inputs));
	for (size_t i = 0; i < n && !r->failed; i++) {
		p->inputs[i].used = get_u16(r);
		p->inputs[i].mean = get_f64(r);
		p->inputs[i].sd = get_f64(r);
	}
	p->n_inputs = p->inputs ? n : 0;
	n = mlp_weights(p);
	p->weights = format_array(r, n, 8, sizeof(*p->weights));
	for (size_t i = 0; i < n && !r->failed; i++)
		p->weights[i] = get_f64(r);
}
