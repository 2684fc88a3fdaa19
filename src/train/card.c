// SPDX-License-Identifier: Apache-2.0
/* The model card as JSON: see card.h. */
#include "train/card.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "train/blend.h"

void card_try(struct card *card, enum zone z, const struct candidate_kind *kind,
	      const struct crossval *v)
{
	if (card->n[z] == TRIED_MAX)
		return;
	card->tries[z][card->n[z]++] = (struct card_try){.kind = *kind,
							 .wmape = v->wmape,
							 .tail_wmape = v->tail_wmape,
							 .weight_power = v->weight_power,
							 .ridge = v->ridge};
}

void card_choose(struct card *card, enum zone z, const struct candidate_kind *kind)
{
	for (size_t i = 0; i < card->n[z]; i++) {
		const struct candidate_kind *k = &card->tries[z][i].kind;

		if (k->family == kind->family && k->tier == kind->tier &&
		    k->history == kind->history && k->utilization_only == kind->utilization_only)
			card->tries[z][i].chosen = true;
	}
}

void card_note(struct card *card, const char *sentence)
{
	if (card->n_notes < NOTES_MAX)
		snprintf(card->notes[card->n_notes++], sizeof(card->notes[0]), "%s", sentence);
}

static void write_notes(struct text *t, const struct card *card)
{
	text_add(t, "\"notes\":[");
	for (size_t i = 0; i < card->n_notes; i++) {
		text_add(t, i ? "," : "");
		text_json_string(t, card->notes[i]);
	}
	text_add(t, "],");
}

static void write_tries(struct text *t, const struct card *card, enum zone z)
{
	text_add(t, "\"tried\":[");
	for (size_t i = 0; i < card->n[z]; i++) {
		const struct card_try *a = &card->tries[z][i];
		char name[64];

		text_printf(t, "%s{\"model\":\"%s\",", i ? "," : "",
			    candidate_name(&a->kind, name));
		text_json_field(t, "wmape_left_out", a->wmape, 6);
		text_json_field(t, "wmape_last_fifth", a->tail_wmape, 6);
		text_json_field(t, "weight_power", a->weight_power, 6);
		text_json_field(t, "ridge", a->ridge, 6);
		text_printf(t, ",\"chosen\":%s}", a->chosen ? "true" : "false");
	}
	text_add(t, "]");
}

static void write_search(struct text *t, const struct card_search *s)
{
	size_t n;
	const struct search_parameter *p = tune_parameters(s->what, &n);

	if (!s->result.trials)
		return;
	text_printf(t,
		    ",\"search\":{\"method\":\"%s\",\"of\":\"%s\",\"trials\":%u,\"cut\":%s,"
		    "\"rows_at_most\":%d,",
		    search_method_name(s->method), s->what == TUNE_MLP ? "mlp" : "gbdt",
		    s->result.trials, s->result.cut ? "true" : "false", TUNE_ROWS);
	text_json_field(t, "error_before", s->result.first, 6);
	text_json_field(t, "error_best", s->result.best, 6);
	text_add(t, ",\"best\":{");
	for (size_t j = 0; j < n; j++) {
		text_json_field(t, p[j].name, s->result.at[j], 6);
	}
	text_add(t, "}}");
}

/* Why a blend answers as it does: who is believed near the training data, and who far from it. */
static void write_blend(struct text *t, const struct blend *b)
{
	static const char *const names[EXPERT_COUNT] = {"physics", "kernel", "boosted_residual",
							"forest", "boosted_trees"};

	text_add(t, "\"blend\":{\"near\":{");
	for (int k = 0; k < EXPERT_COUNT; k++) {
		text_json_field(t, names[k], b->share[k], 6);
	}
	text_add(t, "},");
	text_json_field(t, "physics_share_of_safe", b->physics_share, 6);
	text_json_field(t, "trust_far", b->trust, 6);
	text_json_field(t, "safe_at_least", b->caution, 6);
	text_printf(t, ",\"safe_everywhere\":%s,\"local_interval_scale\":%s,",
		    b->caution >= 1 ? "true" : "false", b->spread.n ? "true" : "false");
	text_printf(t, "\"ends_apart\":%s,\"trees\":%zu,", b->spread_up ? "true" : "false",
		    b->boosted.n + b->forest.n + b->gbdt.n);
	text_printf(t, "\"left_out_fits_rows_at_most\":%d},", BLEND_FOLD_ROWS);
}

static void write_models(struct text *t, const struct model_set *s, enum zone z)
{
	text_add(t, "\"models\":[");
	for (size_t i = 0; i < s->zones[z].n; i++) {
		const struct model *m = &s->zones[z].models[i];

		text_printf(t,
			    "%s{\"family\":\"%s\",\"tier\":\"%s\",\"history\":%s,\"rows\":%llu,"
			    "\"groups\":%u,",
			    i ? "," : "", model_family(m), tier_name(m->tier),
			    m->history ? "true" : "false", (unsigned long long)m->rows, m->groups);
		text_json_field(t, "mae_watts", m->mae_w, 6);
		text_json_field(t, "wmape", m->wmape, 6);
		text_json_field(t, "coverage_90", m->coverage_90, 6);
		text_add(t, ",");
		if (m->family == FAMILY_BLEND)
			write_blend(t, &m->blend);
		if (m->size_vcpus > 0) {
			text_json_field(t, "per_vcpu_times", m->size_vcpus, 6);
			text_add(t, ",");
		}
		text_add(t, "\"features\":[");
		for (size_t k = 0; k < m->n_used; k++) {
			const struct input *in = &s->inputs[m->used[k].input];

			text_printf(t, "%s\"%s", k ? "," : "", feature_info(in->feature)->name);
			if (in->op != INPUT_NOW)
				text_printf(t, " %s %gs", in->op == INPUT_LAG ? "lag" : "mean",
					    in->seconds);
			text_add(t, "\"");
		}
		text_add(t, "]}");
	}
	text_add(t, "]");
}

/* Zones without a label, and what they follow from. */
static void write_derived(struct text *t, const struct model_set *s)
{
	bool first = true;

	text_add(t, "\"derived\":{");
	zone_foreach (z) {
		if (!model_set_derives(s, z))
			continue;
		text_printf(t, "%s\"%s\":\"%s\"", first ? "" : ",", zone_name(z),
			    z == ZONE_UNCORE ? "package_minus_core" : "prior_share_of_package");
		first = false;
	}
	text_add(t, "}");
}

int card_write(const struct card *card, const struct model_set *s, const struct design *d,
	       char **ret, struct err *e)
{
	const struct table *table = d->table;
	struct text t = {0};
	double from = INFINITY, to = -INFINITY;
	bool first = true;

	for (size_t i = 0; i < table->n_rows; i++) {
		from = fmin(from, table->t_s[i]);
		to = fmax(to, table->t_s[i]);
	}
	text_printf(&t, "{\"data\":{\"runs\":%zu,\"groups\":%zu,\"rows\":%zu,\"ordered\":%s,",
		    table->n_runs, table->n_groups, table->n_rows, d->ordered ? "true" : "false");
	text_json_field(&t, "interval_s", s->interval_s, 6);
	text_json_field(&t, "window_s", s->window_s, 6);
	text_printf(&t, ",\"from_s\":%.0f,\"to_s\":%.0f},", from, to);
	write_notes(&t, card);
	text_printf(
		&t,
		"\"method\":{\"folds\":%zu,\"fold\":\"%s\",\"choice\":\"lowest mean of wMAPE on "
		"left-out folds and on the last fifth of time\",\"rows_at_most\":{\"search\":%d,"
		"\"mlp_fold\":%d,\"mlp_final\":%d}},\"zones\":{",
		d->n_folds, d->folds, TUNE_ROWS, MLP_FOLD_ROWS, MLP_FINAL_ROWS);
	zone_foreach (z) {
		if (!s->zones[z].n)
			continue;
		text_printf(&t, "%s\"%s\":{", first ? "" : ",", zone_name(z));
		write_models(&t, s, z);
		text_add(&t, ",");
		write_tries(&t, card, z);
		write_search(&t, &card->search[z]);
		text_add(&t, "}");
		first = false;
	}
	text_add(&t, "},");
	write_derived(&t, s);
	text_add(&t, "}");
	if (t.failed) {
		text_release(&t);
		return err_nomem(e);
	}
	*ret = t.s;
	return 0;
}
