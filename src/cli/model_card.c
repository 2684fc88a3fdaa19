// SPDX-License-Identifier: Apache-2.0
/* What a bundle says of itself, for a person: see model_store.h. */
#include <math.h>
#include <stdio.h>

#include "cli/card_data.h"
#include "cli/model_store.h"

/* Times before are row numbers of recordings that lost theirs. */
#define FIRST_DATE_S 1e8
#define LAST_DATE_S  1e11 /* the year 5138 */

/* A figure that may not be known, such as the error of a model that was imported. */
static void figure(const char *format, double v)
{
	char text[32] = "-";

	if (!isnan(v))
		snprintf(text, sizeof(text), format, v);
	printf(" %9s", text);
}

static void inspect_model(enum zone z, const struct model *m)
{
	printf("  %-9s %-8s %-6s %-8s %8llu %6u", zone_name(z), model_family(m), tier_name(m->tier),
	       m->history ? "yes" : "no", (unsigned long long)m->rows, m->groups);
	figure("%.1f", 100 * m->wmape);
	figure("%.3g", m->mae_w);
	figure("%.1f", 100 * m->coverage_90);
	printf("\n");
}

/* The features that models of a tier use, each once. */
static void tier_features(const struct model_set *s, enum tier t)
{
	bool used[FEATURE_COUNT] = {false}, any = false;

	zone_foreach (z) {
		for (size_t i = 0; i < s->zones[z].n; i++) {
			const struct model *m = &s->zones[z].models[i];

			for (size_t k = 0; m->tier == t && k < m->n_used; k++)
				used[s->inputs[m->used[k].input].feature] = any = true;
		}
	}
	if (!any)
		return;
	printf("  tier %-6s ", tier_name(t));
	any = false;
	feature_foreach (f) {
		if (used[f])
			printf("%s%s", any ? ", " : "", feature_info(f)->name);
		any |= used[f];
	}
	printf("\n");
}

/* What the best model of a zone can say at most, and how far it is off, band by band. */
static void limits(enum zone z, const struct model *m, enum scope scope)
{
	const struct interval *v = &m->interval;

	printf("  %-9s 0 to %.4g W%s; 90 %% of rows within", zone_name(z), m->max_w,
	       scope == SCOPE_VM_ACTIVE ? ", without idle power" : "");
	for (unsigned i = 0; i < v->n_bands; i++) {
		printf("%s %.0f %%", i ? "," : "", 100 * v->quantile[i]);
		if (v->by_distance)
			printf("%s", v->n_bands == 1	   ? ""
				     : i == 0		   ? " near the training data"
				     : i + 1 == v->n_bands ? " far from it"
							   : " further off");
		else if (i + 1 < v->n_bands)
			printf(" up to %.3g W", v->upto[i]);
		else if (v->n_bands > 1)
			printf(" above");
	}
	printf(" (at least of %.3g W)\n", v->scale_w);
}

/* How much was recorded, and when. */
static void recordings(const struct card_data *d)
{
	char from[64], to[64];

	if (isnan(d->rows))
		return;
	printf("  recordings  %.0f rows", d->rows);
	if (d->runs > 0 && d->groups > 0)
		printf(" of %.0f runs in %.0f groups", d->runs, d->groups);
	if (d->from_s >= FIRST_DATE_S && d->to_s < LAST_DATE_S) {
		model_date((int64_t)d->from_s, from, sizeof(from));
		model_date((int64_t)d->to_s, to, sizeof(to));
		printf(", %s to %s", from, to);
	}
	printf("\n");
}

static void notes(const struct card_data *d)
{
	for (size_t i = 0; i < d->n_notes; i++)
		printf("%s  note: %s\n", i ? "" : "\n", d->notes[i]);
}

void model_card(const struct model_set *s, const char *key)
{
	const struct applicability *a = &s->trained_on;
	char created[64], expires[64];
	struct card_data data;

	card_data_read(s->card, &data);

	model_date(s->created_s, created, sizeof(created));
	model_date(s->expires_s, expires, sizeof(expires));
	printf("%s %s\n", s->name, s->version);
	printf("  sequence    %lld\n  signed by   %s\n", (long long)s->sequence, key);
	printf("  created     %s\n  expires     %s\n", created, expires);
	printf("  scope       %s\n", scope_name(s->scope));
	printf("  interval    %g s, averaged over %g s\n", s->interval_s, s->window_s);
	if (a->cpu_model[0] || a->vcpus_max)
		printf("  trained on  %s%s%u to %u vCPUs\n", a->cpu_model,
		       a->cpu_model[0] ? ", " : "", a->vcpus_min, a->vcpus_max);
	else
		printf("  trained on  a machine that the card does not name\n");
	recordings(&data);
	if (data.calibrated_rows > 0)
		printf("  calibrated  from %s %s on %.0f rows of another machine\n", data.name,
		       data.version, data.calibrated_rows);
	for (int t = 0; t < TIER_COUNT; t++)
		tier_features(s, (enum tier)t);
	printf("\n");
	printf("  %-9s %-8s %-6s %-8s %8s %6s %9s %9s %9s\n", "zone", "family", "tier", "history",
	       "rows", "groups", "wMAPE %", "MAE W", "in 90 % %");
	zone_foreach (z) {
		for (size_t i = 0; i < s->zones[z].n; i++)
			inspect_model(z, &s->zones[z].models[i]);
	}
	zone_foreach (z) {
		if (model_set_derives(s, z))
			printf("  %-9s derived: %s\n", zone_name(z),
			       z == ZONE_UNCORE ? "package minus core"
						: "the prior's share of package");
	}
	printf("\n");
	zone_foreach (z) {
		if (s->zones[z].n)
			limits(z, &s->zones[z].models[0], s->scope);
	}
	notes(&data);
	printf("\n  Figures are for rows left out of training. --json prints the whole card.\n");
}
