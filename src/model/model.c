// SPDX-License-Identifier: Apache-2.0
/*
 * Models as data: names, release, the check that makes a set safe to use, and
 * inference of every family. See model.h for the formulas.
 */
#include "model/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define NUMBER_LIMIT 1e30 /* no watt, counter rate or time is larger */

#define SIZE_VCPUS_MAX 65536.0

static const char *const scope_names[SCOPE_COUNT] = {"vm_active", "node_total", "platform"};
static const char *const family_names[FAMILY_COUNT] = {"linear", "physics", "blend", "mlp"};

static int find(const char *const *names, int n, const char *name)
{
	for (int i = 0; i < n; i++) {
		if (!strcmp(name, names[i]))
			return i;
	}
	return -1;
}

bool model_set_derives(const struct model_set *s, enum zone z)
{
	return z < ZONE_RAPL_COUNT && !s->zones[z].n && s->zones[ZONE_PACKAGE].n;
}

const char *scope_name(enum scope s)
{
	return scope_names[s];
}

int scope_find(const char *name)
{
	return find(scope_names, SCOPE_COUNT, name);
}

const char *family_name(enum family f)
{
	return family_names[f];
}

int family_find(const char *name)
{
	return find(family_names, FAMILY_COUNT, name);
}

const char *model_family(const struct model *m)
{
	enum blend_kind kind = m->family == FAMILY_BLEND ? blend_kind_of(&m->blend) : BLEND_OF_ALL;

	return kind == BLEND_OF_ALL ? family_name(m->family) : blend_kind_name(kind);
}

void model_release(struct model *m)
{
	free(m->used);
	norm_release(&m->norm);
	if (m->family == FAMILY_LINEAR)
		free(m->linear.terms);
	else if (m->family == FAMILY_PHYSICS)
		free(m->physics.terms);
	else if (m->family == FAMILY_MLP)
		mlp_release(&m->mlp);
	else
		blend_release(&m->blend);
	*m = (struct model){.family = FAMILY_LINEAR};
}

void model_set_release(struct model_set *s)
{
	zone_foreach (z) {
		for (size_t i = 0; i < s->zones[z].n; i++)
			model_release(&s->zones[z].models[i]);
		free(s->zones[z].models);
	}
	free(s->inputs);
	free(s->profiles);
	free(s->card);
	*s = (struct model_set){.name = ""};
}

void model_set_free(struct model_set *s)
{
	if (!s)
		return;
	model_set_release(s);
	free(s);
}

/* ---- inference ---- */

static double clamp(double x, double low, double high)
{
	return x < low ? low : x > high ? high : x;
}

static double linear_watts(const struct model *m, const double *x)
{
	bool held = !m->norm.n;
	double w = m->linear.bias_w;

	for (size_t i = 0; i < m->linear.n; i++) {
		const struct linear_term *t = &m->linear.terms[i];
		const struct used_input *u = &m->used[t->used];
		double width = u->high - u->low, v = x[u->input];

		if (held)
			v = clamp(v, u->low - width, u->high + width);
		w += t->weight * (v - t->mean) / t->scale;
	}
	return w;
}

double physics_term_value(const struct physics_term *t, const double *x)
{
	double a = t->kind == TERM_CONST ? 0 : fmax(x[t->a], 0), v = 0;

	switch (t->kind) {
	case TERM_CONST:
		v = 1;
		break;
	case TERM_LINEAR:
		v = a;
		break;
	case TERM_SQRT:
		v = sqrt(a);
		break;
	case TERM_SQUARE:
		v = a * a;
		break;
	case TERM_CUBE:
		v = a * a * a;
		break;
	case TERM_HINGE:
		v = fmin(a, t->knot);
		break;
	case TERM_PRODUCT:
		v = a * fmax(x[t->b], 0);
		break;
	case TERM_DELTA:
		v = fmin(a, t->knot) - fmin(fmax(x[t->b], 0), t->knot);
		break;
	case TERM_PRODUCT2:
		v = a * fmax(x[t->b], 0) * fmax(x[t->b], 0);
		break;
	case TERM_OVER:
		v = a / fmax(x[t->b], t->knot);
		v *= v * fmax(x[t->b], 0);
		break;
	case TERM_KIND_COUNT:
		break;
	}
	return clamp(v, -t->cap, t->cap);
}

double physics_watts(const struct physics *p, const double *x)
{
	double w = 0;

	for (size_t i = 0; i < p->n; i++)
		w += p->terms[i].coefficient_w * physics_term_value(&p->terms[i], x);
	return fmax(w, p->floor_w);
}

const double *model_resize(const struct model *m, const double *x, double at[INPUT_MAX],
			   double *ret_size)
{
	*ret_size = 1;
	if (!(m->size_vcpus > 0))
		return x;
	*ret_size =
		fmin(fmax(x[m->size_input] / m->size_vcpus, SIZE_LEAST), WATTS_LIMIT / m->max_w);
	for (size_t i = 0; i < m->n_used; i++) {
		uint16_t j = m->used[i].input;

		at[j] = m->used[i].extensive ? x[j] / *ret_size : x[j];
	}
	at[m->size_input] = m->size_vcpus;
	return at;
}

double model_watts(const struct model *m, const double *x, double *ret_z)
{
	double experts[EXPERT_COUNT], at[INPUT_MAX], w = 0;

	*ret_z = 0;
	x = model_normalise(m, x, at);
	switch (m->family) {
	case FAMILY_LINEAR:
		w = linear_watts(m, x);
		break;
	case FAMILY_PHYSICS:
		w = physics_watts(&m->physics, x);
		break;
	case FAMILY_BLEND:
		blend_experts(&m->blend, x, experts, ret_z);
		w = blend_combine(&m->blend, experts, *ret_z);
		break;
	case FAMILY_MLP:
		w = mlp_watts(m, x);
		break;
	case FAMILY_COUNT:
		break;
	}
	w = m->offset_w + m->gain * w;
	return w > 0 ? fmin(w, m->max_w) : 0;
}

struct ends model_spread(const struct model *m, const double *x, double z, double watts)
{
	float columns[BLEND_COLUMNS_MAX + SPREAD_MORE];
	double at[INPUT_MAX];

	if (m->family != FAMILY_BLEND || !m->blend.spread.n)
		return (struct ends){1, 1};
	x = model_normalise(m, x, at);
	blend_spread_columns(&m->blend, x, z, watts, columns);
	return blend_spread(&m->blend, columns);
}

double model_distance(const struct model *m, const double *x, double z)
{
	double farthest = m->family == FAMILY_BLEND ? blend_distance(&m->blend, z) : 0;

	for (size_t i = 0; i < m->n_used; i++) {
		const struct used_input *u = &m->used[i];
		double v = x[u->input], width = u->high - u->low;
		double excess = fmax(v - u->high, u->low - v);

		if (!(excess > 0))
			continue;
		/* A counter that never moved in training: any move is one width. */
		farthest = fmax(farthest, width > 0 ? excess / width : 1);
	}
	return fmin(farthest, 1e6);
}

/* ---- check ---- */

static bool number(double x)
{
	return fabs(x) <= NUMBER_LIMIT; /* false for NaN */
}

static bool positive(double x)
{
	return x > 0 && x <= NUMBER_LIMIT;
}

static bool check_used(const struct model_set *s, const struct model *m)
{
	for (size_t i = 0; i < m->n_used; i++) {
		const struct used_input *u = &m->used[i];

		if (u->input >= s->n_inputs || !number(u->low) || !number(u->high) ||
		    u->high < u->low)
			return false;
	}
	return true;
}

static bool check_linear(const struct model *m)
{
	for (size_t i = 0; i < m->linear.n; i++) {
		const struct linear_term *t = &m->linear.terms[i];

		if (t->used >= m->n_used || !number(t->mean) || !positive(t->scale) ||
		    !number(t->weight))
			return false;
	}
	return number(m->linear.bias_w);
}

/* Every input of a term must be among those the model checks for presence. */
bool model_uses(const struct model *m, uint16_t input)
{
	for (size_t i = 0; i < m->n_used; i++) {
		if (m->used[i].input == input)
			return true;
	}
	return false;
}

bool physics_check(const struct physics *p, const struct model *m)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct physics_term *t = &p->terms[i];
		bool two = term_has_two(t->kind);
		bool knot = term_has_knot(t->kind);

		if (t->kind >= TERM_KIND_COUNT || (t->kind != TERM_CONST && !model_uses(m, t->a)) ||
		    (two && !model_uses(m, t->b)) || (knot && !positive(t->knot)) ||
		    !positive(t->cap) || !number(t->coefficient_w) ||
		    (t->coefficient_w < 0 && t->kind != TERM_DELTA))
			return false;
	}
	return p->floor_w >= 0 && p->floor_w <= WATTS_LIMIT;
}

static bool check_interval(const struct interval *v)
{
	if (v->n_bands < 1 || v->n_bands > INTERVAL_BANDS_MAX || !positive(v->scale_w))
		return false;
	for (unsigned i = 0; i < v->n_bands; i++) {
		if (!positive(v->quantile[i]) || v->quantile[i] > 1e6 || !number(v->upto[i]))
			return false;
		if (i && v->upto[i] < v->upto[i - 1])
			return false;
	}
	return true;
}

static bool check_family(const struct model *m)
{
	switch (m->family) {
	case FAMILY_LINEAR:
		return check_linear(m);
	case FAMILY_PHYSICS:
		return physics_check(&m->physics, m);
	case FAMILY_BLEND:
		return blend_check(&m->blend, m);
	case FAMILY_MLP:
		return mlp_check(&m->mlp, m);
	case FAMILY_COUNT:
		break;
	}
	return false;
}

static int check_model(const struct model_set *s, const struct model *m, struct err *e)
{
	if (m->family >= FAMILY_COUNT || m->tier >= TIER_COUNT)
		return err_set(e, -ERR_FORMAT, "unknown family or tier");
	if (!m->n_used || !check_used(s, m))
		return err_set(e, -ERR_FORMAT, "inputs out of range");
	if (!norm_check(&m->norm, m))
		return err_set(e, -ERR_FORMAT, "row norm out of range");
	if (!check_family(m))
		return err_set(e, -ERR_FORMAT, "%s terms out of range", family_name(m->family));
	if (m->size_vcpus != 0 && (!(m->size_vcpus >= 1 && m->size_vcpus <= SIZE_VCPUS_MAX) ||
				   !model_uses(m, m->size_input)))
		return err_set(e, -ERR_FORMAT, "size out of range");
	if (!check_interval(&m->interval))
		return err_set(e, -ERR_FORMAT, "interval out of range");
	if (!(m->max_w > 0 && m->max_w <= WATTS_LIMIT) ||
	    !(m->idle_w >= 0 && m->idle_w <= m->max_w) || !(m->gain >= 0 && m->gain <= 1e6) ||
	    !(fabs(m->offset_w) <= WATTS_LIMIT))
		return err_set(e, -ERR_FORMAT, "watts out of range");
	return 0;
}

static bool check_inputs(const struct model_set *s)
{
	if (!s->n_inputs || s->n_inputs > INPUT_MAX)
		return false;
	for (size_t i = 0; i < s->n_inputs; i++) {
		const struct input *in = &s->inputs[i];

		if (in->feature >= FEATURE_COUNT || in->op >= INPUT_OP_COUNT)
			return false;
		if (in->op != INPUT_NOW && !(in->seconds > 0 && in->seconds <= INPUT_MAX_SECONDS))
			return false;
	}
	return true;
}

bool model_name_ok(const char *name, size_t size)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	return name[0] && name[0] != '.' && name[0] != '-' && strlen(name) < size &&
	       !name[strspn(name, allowed)];
}

int model_set_check(const struct model_set *s, struct err *e)
{
	size_t n_models = 0;

	if (!model_name_ok(s->name, sizeof(s->name)) ||
	    !model_name_ok(s->version, sizeof(s->version)))
		return err_set(e, -ERR_FORMAT,
			       "name and version are letters, digits, '.', '_' and '-'");
	if (s->scope >= SCOPE_COUNT)
		return err_set(e, -ERR_FORMAT, "unknown scope");
	if (!positive(s->interval_s) || s->interval_s > INPUT_MAX_SECONDS ||
	    !positive(s->window_s) || s->window_s > INPUT_MAX_SECONDS)
		return err_set(e, -ERR_FORMAT, "interval or window out of range");
	if (!check_inputs(s))
		return err_set(e, -ERR_FORMAT, "input table out of range");
	zone_foreach (z) {
		for (size_t i = 0; i < s->zones[z].n; i++) {
			if (check_model(s, &s->zones[z].models[i], e) < 0)
				return err_prefix(e, "zone %s, model %zu", zone_name(z), i);
		}
		n_models += s->zones[z].n;
	}
	if (!n_models)
		return err_set(e, -ERR_FORMAT, "no zone has a model");
	return 0;
}
