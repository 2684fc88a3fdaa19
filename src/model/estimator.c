// SPDX-License-Identifier: Apache-2.0
/* Rows to estimates: see estimator.h. */
#include "model/estimator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "features/stream.h"

/* A row of at least this share of the trained interval counts as one of its kind. */
#define SAME_KIND 0.75

struct estimator {
	const struct model_set *set;
	const struct prior *prior;
	struct estimate_options options;
	struct stream *stream;
	double step_s; /* of the stream */
	double x[INPUT_MAX];
};

int estimator_new(const struct estimator_options *o, struct estimator **ret, struct err *e)
{
	struct estimator *p = calloc(1, sizeof(*p));
	int r = 0;

	if (!p)
		return err_nomem(e);
	p->set = o->set;
	p->prior = o->prior;
	p->options = (struct estimate_options)ESTIMATE_OPTIONS_INIT;
	p->options.stateless = o->stateless;
	if (o->set) {
		struct stream_options s = {.inputs = o->set->inputs,
					   .n_inputs = o->set->n_inputs,
					   .window_s = o->set->window_s};

		p->step_s =
			o->step_s > 0 ? fmin(o->step_s, o->set->interval_s) : o->set->interval_s;
		s.step_s = p->step_s / 2;
		r = stream_new(&s, &p->stream, e);
	}
	if (r < 0) {
		estimator_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void estimator_free(struct estimator *p)
{
	if (!p)
		return;
	stream_free(p->stream);
	free(p);
}

void estimator_set_fit(struct estimator *p, double widen, double mismatch)
{
	p->options.widen = widen;
	p->options.mismatch = mismatch;
}

void estimator_reset(struct estimator *p)
{
	if (p->stream)
		stream_reset(p->stream);
}

void estimator_push(struct estimator *p, const struct row *row, struct estimate *ret)
{
	struct row r = *row;

	if (!p->set) {
		*ret = (struct estimate){.tier = row_tier(row)};
		return;
	}
	if (!(r.dt_s < SAME_KIND * p->set->interval_s))
		r.dt_s = NAN;
	stream_push(p->stream, &r, p->x);
	estimator_again(p, row, ret);
}

bool estimator_inherit(struct estimator *p, struct estimator *from)
{
	struct stream *stream = p->stream;
	size_t n = p->set ? p->set->n_inputs : 0;

	if (!n || !from->set || from->set->n_inputs != n || p->step_s != from->step_s ||
	    p->set->window_s != from->set->window_s ||
	    memcmp(p->set->inputs, from->set->inputs, n * sizeof(*p->set->inputs)) != 0)
		return false;
	p->stream = from->stream;
	from->stream = stream;
	stream_reset(stream);
	memcpy(p->x, from->x, sizeof(p->x));
	return true;
}

void estimator_again(struct estimator *p, const struct row *row, struct estimate *ret)
{
	*ret = (struct estimate){.tier = row_tier(row)};
	if (p->set)
		model_set_estimate(p->set, p->x, &p->options, ret);
}

const double *estimator_inputs(const struct estimator *p)
{
	return p->set ? p->x : NULL;
}

void estimator_physics(struct estimator *p, struct estimate *ret)
{
	struct estimate_options o = p->options;

	o.physics_only = true;
	*ret = (struct estimate){.tier = TIER_OS};
	if (p->set)
		model_set_estimate(p->set, p->x, &o, ret);
}

static void fill_rest(const struct model_set *set, const struct prior *prior, const struct row *row,
		      struct estimate *e)
{
	prior_fill(prior, row, set && set->scope != SCOPE_VM_ACTIVE,
		   set ? FALLBACK_NO_MODEL : FALLBACK_NO_BUNDLE, e);
}

void estimator_row(struct estimator *p, const struct row *row, struct estimate *ret)
{
	estimator_push(p, row, ret);
	fill_rest(p->set, p->prior, row, ret);
}

void estimator_stateless(const struct model_set *set, const struct prior *prior,
			 const struct row *row, struct estimate *ret)
{
	estimator_stateless_fit(set, prior, row, 1, 0, ret);
}

void estimator_stateless_fit(const struct model_set *set, const struct prior *prior,
			     const struct row *row, double widen, double mismatch,
			     struct estimate *ret)
{
	struct estimate_options options = {.stateless = true, .widen = widen, .mismatch = mismatch};
	double x[INPUT_MAX];

	*ret = (struct estimate){.tier = row_tier(row)};
	if (set) {
		/* With one row every lag and mean is the present. */
		for (size_t i = 0; i < set->n_inputs; i++)
			x[i] = row->v[set->inputs[i].feature];
		model_set_estimate(set, x, &options, ret);
	}
	fill_rest(set, prior, row, ret);
}
