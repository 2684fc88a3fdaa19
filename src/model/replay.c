// SPDX-License-Identifier: Apache-2.0
/* Rows of a recording to estimates: see replay.h. */
#include "model/replay.h"

#include <math.h>
#include <stdlib.h>

#include "features/stream.h"

/* A row of at least this share of the trained interval counts as one of its kind. */
#define SAME_KIND 0.75

struct replay {
	const struct model_set *set;
	const struct prior *prior;
	struct estimate_options options;
	struct stream *stream;
	double x[INPUT_MAX];
};

int replay_new(const struct replay_options *o, struct replay **ret, struct err *e)
{
	struct replay *p = calloc(1, sizeof(*p));
	int r = 0;

	if (!p)
		return err_nomem(e);
	p->set = o->set;
	p->prior = o->prior;
	p->options = (struct estimate_options)ESTIMATE_OPTIONS_INIT;
	p->options.stateless = o->stateless;
	if (o->set) {
		double step_s =
			o->step_s > 0 ? fmin(o->step_s, o->set->interval_s) : o->set->interval_s;
		struct stream_options s = {.inputs = o->set->inputs,
					   .n_inputs = o->set->n_inputs,
					   .step_s = step_s / 2,
					   .window_s = o->set->window_s};

		r = stream_new(&s, &p->stream, e);
	}
	if (r < 0) {
		replay_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void replay_free(struct replay *p)
{
	if (!p)
		return;
	stream_free(p->stream);
	free(p);
}

void replay_reset(struct replay *p)
{
	if (p->stream)
		stream_reset(p->stream);
}

void replay_row(struct replay *p, const struct row *row, struct estimate *ret)
{
	const struct model_set *set = p->set;
	struct row r = *row;

	*ret = (struct estimate){.tier = row_tier(row)};
	if (set) {
		if (!(r.dt_s < SAME_KIND * set->interval_s))
			r.dt_s = NAN;
		stream_push(p->stream, &r, p->x);
		model_set_estimate(set, p->x, &p->options, ret);
	}
	prior_fill(p->prior, row, set && set->scope != SCOPE_VM_ACTIVE,
		   set ? FALLBACK_NO_MODEL : FALLBACK_NO_BUNDLE, ret);
}

void replay_stateless(const struct model_set *set, const struct prior *prior, const struct row *row,
		      struct estimate *ret)
{
	struct estimate_options options = ESTIMATE_OPTIONS_INIT;
	double x[INPUT_MAX];

	options.stateless = true;
	*ret = (struct estimate){.tier = row_tier(row)};
	if (set) {
		/* With one row every lag and mean is the present. */
		for (size_t i = 0; i < set->n_inputs; i++)
			x[i] = row->v[set->inputs[i].feature];
		model_set_estimate(set, x, &options, ret);
	}
	prior_fill(prior, row, set && set->scope != SCOPE_VM_ACTIVE,
		   set ? FALLBACK_NO_MODEL : FALLBACK_NO_BUNDLE, ret);
}
