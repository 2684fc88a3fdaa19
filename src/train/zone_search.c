// SPDX-License-Identifier: Apache-2.0
/* Searching zone by zone: see zone_search.h. */
#include "train/zone_search.h"

#include <math.h>
#include <stdio.h>

static enum tune_what what_to_tune(const struct train_options *o)
{
	if (o->search == SEARCH_NONE)
		return TUNE_NOTHING;
	if (o->family == FAMILY_MLP)
		return TUNE_MLP;
	if (o->family < 0 || o->family == FAMILY_BLEND)
		return o->kind == BLEND_OF_ALL || o->kind == BLEND_GBDT ? TUNE_GBDT : TUNE_NOTHING;
	return TUNE_NOTHING;
}

/* The size of the budget is no part of the hash: a longer search goes on from a shorter one. */
int zone_search_open(struct zone_search *s, const struct design *d, struct err *e)
{
	const struct train_options *o = s->o;
	enum tune_what what = what_to_tune(o);
	const struct search_parameter *p;
	char options[128];
	size_t n;

	if (what == TUNE_NOTHING)
		return 0;
	p = tune_parameters(what, &n);
	snprintf(options, sizeof(options), "%s %d %d %d %u", search_method_name(o->search),
		 o->family, (int)o->kind, o->no_history, o->seed);
	return trials_open(o->trials_path, trials_hash(d->table, options), p, n, &s->trials, e);
}

void zone_search_close(struct zone_search *s)
{
	trials_close(s->trials);
	s->trials = NULL;
}

static void show_progress(void *arg, const struct search_result *so_far, double seconds_left)
{
	struct zone_search *s = arg;
	char what[64];

	snprintf(what, sizeof(what), "%s, trial %u, %.0f s left", zone_name(s->zone),
		 so_far->trials, ceil(seconds_left));
	s->progress(s->arg, what);
}

static struct tune_options options_of(struct zone_search *s, enum zone z)
{
	s->zone = z;
	return (struct tune_options){.search = {.method = s->o->search,
						.trials = s->o->trials,
						.seconds = s->o->budget_s / (double)s->n_zones,
						.seed = s->o->seed},
				     .progress = show_progress,
				     .arg = s,
				     .zone = z,
				     .trials = s->trials,
				     .history = !s->o->no_history,
				     .jobs = s->o->jobs,
				     .kind = s->o->kind};
}

/* What the search returned, to the card. */
static int keep(struct zone_search *s, enum tune_what what, const struct search_result *found,
		int r, const struct err *why, struct err *e)
{
	if (r == -ERR_DATA)
		s->note(s->arg, why->msg);
	else if (r < 0)
		return err_set(e, r, "%s", why->msg);
	else
		s->card->search[s->zone] = (struct card_search){what, s->o->search, *found};
	return 0;
}

int zone_search_gbdt(struct zone_search *s, enum zone z, const struct pool *p,
		     struct gbdt_tuning *io, struct err *e)
{
	struct tune_options o = options_of(s, z);
	struct search_result found;
	struct err why = ERR_INIT;
	int r = tune_gbdt(p, &o, io, &found, &why);

	return keep(s, TUNE_GBDT, &found, r, &why, e);
}

int zone_search_mlp(struct zone_search *s, enum zone z, struct candidate **candidates, size_t n,
		    const double *y, struct err *e)
{
	struct mlp_options options = MLP_OPTIONS_INIT;
	struct tune_options o = options_of(s, z);
	struct search_result found;
	struct err why = ERR_INIT;
	int r;

	if (!n || candidates[0]->kind.family != FAMILY_MLP)
		return 0; /* no input for a network: utilization alone answers */
	options.seed = s->o->seed;
	r = tune_mlp(candidates[0], y, &o, &options, &found, &why);
	for (size_t i = 0; i < n; i++)
		candidates[i]->mlp = options;
	return keep(s, TUNE_MLP, &found, r, &why, e);
}
