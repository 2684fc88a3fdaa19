// SPDX-License-Identifier: Apache-2.0
/* Models as ONNX graphs: each function below says in nodes what its namesake in src/model says in
 * C. */
#include "exchange/export.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "exchange/export_parts.h"
#include "exchange/import.h"

/* [rows, 1] of one number. */
const char *export_constant(struct exporter *x, double value)
{
	return onnx_with(&x->w, "Add", onnx_with(&x->w, "Mul", x->any, 0), value);
}

const char *export_sum(struct exporter *x, const char *const *terms, const double *by, size_t n)
{
	return onnx_op2(&x->w, "MatMul", onnx_beside(&x->w, terms, n),
			onnx_numbers(&x->w, by, n, 1));
}

/* ---- linear ---- */

static const char *linear(struct exporter *x, const struct model *m)
{
	const struct linear *l = &m->linear;
	autofree const char **terms = calloc(l->n + 1, sizeof(*terms));
	autofree double *by = calloc(l->n + 1, sizeof(*by));

	if (!terms || !by)
		return NULL;
	for (size_t i = 0; i < l->n; i++) {
		const struct linear_term *t = &l->terms[i];
		const struct used_input *u = &m->used[t->used];
		double width = u->high - u->low;
		const char *v = x->at[u->input];

		if (!m->norm.n)
			v = onnx_clip(&x->w, v, u->low - width, u->high + width);
		terms[i] = onnx_with(&x->w, "Div", onnx_with(&x->w, "Sub", v, t->mean), t->scale);
		by[i] = t->weight;
	}
	if (!l->n)
		return export_constant(x, l->bias_w);
	return onnx_with(&x->w, "Add", export_sum(x, terms, by, l->n), l->bias_w);
}

/* ---- physics ---- */

static const char *at_least_0(struct exporter *x, uint16_t input)
{
	return onnx_with(&x->w, "Max", x->at[input], 0);
}

static const char *times(struct exporter *x, const char *a, const char *b)
{
	return onnx_op2(&x->w, "Mul", a, b);
}

static const char *term(struct exporter *x, const struct physics_term *t)
{
	struct onnx_writer *w = &x->w;
	const char *a = t->kind == TERM_CONST ? NULL : at_least_0(x, t->a);
	const char *b = term_has_two(t->kind) ? at_least_0(x, t->b) : NULL, *v;

	switch (t->kind) {
	case TERM_CONST:
		return export_constant(x, 1);
	case TERM_LINEAR:
		return a;
	case TERM_SQRT:
		return onnx_op1(w, "Sqrt", a);
	case TERM_SQUARE:
		return times(x, a, a);
	case TERM_CUBE:
		return times(x, times(x, a, a), a);
	case TERM_HINGE:
		return onnx_with(w, "Min", a, t->knot);
	case TERM_PRODUCT:
		return times(x, a, b);
	case TERM_DELTA:
		return onnx_op2(w, "Sub", onnx_with(w, "Min", a, t->knot),
				onnx_with(w, "Min", b, t->knot));
	case TERM_PRODUCT2:
		return times(x, times(x, a, b), b);
	case TERM_OVER:
		v = onnx_op2(w, "Div", a, onnx_with(w, "Max", x->at[t->b], t->knot));
		return times(x, times(x, v, v), b);
	case TERM_KIND_COUNT:
		break;
	}
	return NULL;
}

const char *export_physics(struct exporter *x, const struct physics *p)
{
	autofree const char **terms = calloc(p->n + 1, sizeof(*terms));
	autofree double *by = calloc(p->n + 1, sizeof(*by));

	if (!terms || !by)
		return NULL;
	if (!p->n)
		return export_constant(x, p->floor_w);
	for (size_t i = 0; i < p->n; i++) {
		const struct physics_term *t = &p->terms[i];

		terms[i] = onnx_clip(&x->w, term(x, t), -t->cap, t->cap);
		by[i] = t->coefficient_w;
	}
	return onnx_with(&x->w, "Max", export_sum(x, terms, by, p->n), p->floor_w);
}

/* ---- mlp ---- */

/* `n` sums of `width` columns: weights as struct mlp has them, which ONNX wants turned. */
static const char *dense(struct exporter *x, const char *in, const double *weights, size_t n,
			 size_t width)
{
	autofree double *turned = calloc(n * width, sizeof(*turned));
	autofree double *bias = calloc(n, sizeof(*bias));

	if (!turned || !bias)
		return NULL;
	for (size_t k = 0; k < n; k++) {
		for (size_t i = 0; i < width; i++)
			turned[i * n + k] = weights[k * (width + 1) + i];
		bias[k] = weights[k * (width + 1) + width];
	}
	return onnx_op2(&x->w, "Add",
			onnx_op2(&x->w, "MatMul", in, onnx_numbers(&x->w, turned, width, n)),
			onnx_numbers(&x->w, bias, 1, n));
}

static const char *network(struct exporter *x, const struct model *m)
{
	const struct mlp *p = &m->mlp;
	const double *weights = p->weights;
	const char *in[INPUT_MAX], *v;
	size_t width = p->n_inputs;

	for (size_t i = 0; i < p->n_inputs; i++) {
		const struct mlp_input *k = &p->inputs[i];

		v = onnx_with(&x->w, "Sub", x->at[m->used[k->used].input], k->mean);
		in[i] = onnx_with(&x->w, "Div", v, k->sd);
	}
	v = onnx_clip(&x->w, onnx_beside(&x->w, in, p->n_inputs), -p->clamp_sd, p->clamp_sd);
	for (size_t l = 0; l < p->n_layers; l++) {
		v = onnx_op1(&x->w, p->activation == ACTIVATION_TANH ? "Tanh" : "Relu",
			     dense(x, v, weights, p->units[l], width));
		weights += p->units[l] * (width + 1);
		width = p->units[l];
	}
	v = onnx_with(&x->w, "Mul", dense(x, v, weights, 1, width), p->scale_w);
	return onnx_with(&x->w, "Add", v, p->mean_w);
}

/* ---- a model ---- */

static const char *family(struct exporter *x, const struct model *m)
{
	switch (m->family) {
	case FAMILY_LINEAR:
		return linear(x, m);
	case FAMILY_PHYSICS:
		return export_physics(x, &m->physics);
	case FAMILY_BLEND:
		return export_blend(x, &m->blend);
	case FAMILY_MLP:
		return network(x, m);
	case FAMILY_COUNT:
		break;
	}
	return NULL;
}

/* As model_resize(): the inputs of a machine of the model's size; what watts are multiplied by. */
static const char *resize(struct exporter *x, const struct model *m)
{
	const char *size;

	if (!(m->size_vcpus > 0))
		return NULL;
	size = onnx_with(&x->w, "Div", x->at[m->size_input], m->size_vcpus);
	size = onnx_clip(&x->w, size, SIZE_LEAST, WATTS_LIMIT / m->max_w);
	for (size_t i = 0; i < m->n_used; i++) {
		uint16_t j = m->used[i].input;

		if (m->used[i].extensive)
			x->at[j] = onnx_op2(&x->w, "Div", x->at[j], size);
	}
	x->at[m->size_input] = export_constant(x, m->size_vcpus);
	return size;
}

/* As model_normalise(): in float, the columns side by side and apart again. */
static void normalise(struct exporter *x, const struct model *m)
{
	const struct row_norm *n = &m->norm;
	float offset[INPUT_MAX], scale[INPUT_MAX];
	const char *in[INPUT_MAX], *v;

	if (!n->n)
		return;
	for (size_t i = 0; i < n->n; i++) {
		in[i] = x->at[m->used[n->inputs[i].used].input];
		offset[i] = n->inputs[i].offset;
		scale[i] = n->inputs[i].scale;
	}
	v = onnx_cast(&x->w, onnx_beside(&x->w, in, n->n), true);
	v = onnx_op2(&x->w, "Sub", v, onnx_floats(&x->w, offset, 1, n->n));
	v = onnx_op2(&x->w, "Mul", v, onnx_floats(&x->w, scale, 1, n->n));
	v = onnx_op1(&x->w, "Normalizer", v);
	onnx_of_ml(&x->w);
	onnx_set_word(&x->w, "norm", norm_name(n->kind));
	v = onnx_cast(&x->w, v, false);
	for (size_t i = 0; i < n->n; i++) {
		const int64_t column = (int64_t)i;

		x->at[m->used[n->inputs[i].used].input] =
			onnx_op2(&x->w, "Gather", v, onnx_integers(&x->w, &column, 1));
		onnx_set_integer(&x->w, "axis", 1);
	}
}

static void describe(struct exporter *x, const struct model_set *s, enum zone z,
		     const struct model *m)
{
	char number[NUMBER_TEXT];

	onnx_metadata(&x->w, "vmwatts.name", s->name);
	onnx_metadata(&x->w, "vmwatts.version", s->version);
	onnx_metadata(&x->w, "vmwatts.zone", zone_name(z));
	onnx_metadata(&x->w, "vmwatts.definition", s->zones[z].definition);
	onnx_metadata(&x->w, "vmwatts.scope", scope_name(s->scope));
	onnx_metadata(&x->w, "vmwatts.family", model_family(m));
	onnx_metadata(&x->w, "vmwatts.tier", tier_name(m->tier));
	onnx_metadata(&x->w, "vmwatts.interval_s", format_double(number, s->interval_s));
	onnx_metadata(&x->w, "vmwatts.window_s", format_double(number, s->window_s));
	onnx_metadata(&x->w, "vmwatts.size_vcpus", format_double(number, m->size_vcpus));
}

int onnx_export(const struct model_set *s, enum zone z, const struct model *m,
		struct byte_writer *to, struct err *e)
{
	struct exporter x = {.any = NULL};
	const char *v, *size;

	onnx_begin(&x.w);
	for (size_t i = 0; i < m->n_used; i++) {
		const struct input *in = &s->inputs[m->used[i].input];
		const struct feature_info *info = feature_info(in->feature);
		char name[INPUT_NAME], doc[160];

		snprintf(doc, sizeof(doc), "%s, %s", info->meaning, info->unit);
		v = onnx_new_input(&x.w, input_name(in, name), doc);
		x.at[m->used[i].input] = v;
		x.any = x.any ? x.any : v;
	}
	describe(&x, s, z, m);
	size = resize(&x, m);
	normalise(&x, m);
	v = onnx_with(&x.w, "Add", onnx_with(&x.w, "Mul", family(&x, m), m->gain), m->offset_w);
	v = onnx_clip(&x.w, v, 0, m->max_w);
	if (size)
		v = onnx_op2(&x.w, "Mul", v, size);
	return onnx_end(&x.w, v, to, e);
}
