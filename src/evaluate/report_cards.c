// SPDX-License-Identifier: Apache-2.0
/* The report's data card and model card: what was evaluated, and what with. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "evaluate/html.h"
#include "evaluate/report_parts.h"

/* "2024-09-13 16:16", UTC; a number of seconds where the recording has no date. */
static void date_text(double t_s, char ret[48])
{
	time_t t = (time_t)t_s;
	struct tm tm;

	if (t_s > 315532800 && gmtime_r(&t, &tm)) /* 1980 */
		strftime(ret, 48, "%Y-%m-%d %H:%M UTC", &tm);
	else
		snprintf(ret, 48, "%g s", t_s);
}

static void time_facts(const struct table *t, struct text *out)
{
	double from = INFINITY, upto = -INFINITY, interval = INFINITY, longest = 0, window = 0;
	size_t ordered = 0;
	char first[48], last[48];

	for (size_t k = 0; k < t->n_runs; k++) {
		const struct table_run *run = &t->runs[k];

		if (!run->ordered)
			continue;
		ordered++;
		interval = fmin(interval, run->interval_s);
		longest = fmax(longest, run->interval_s);
		window = fmax(window, run->window_s);
		for (size_t i = run->first; i < run->first + run->n; i++) {
			from = fmin(from, t->t_s[i]);
			upto = fmax(upto, t->t_s[i]);
		}
	}
	if (!ordered) {
		html_fact(out, "Time", "no order of time: no history is used");
		return;
	}
	date_text(from, first);
	date_text(upto, last);
	html_fact(out, "Time span", "%s to %s", first, last);
	if (!(longest > 0)) /* one row each, or a clock that stands */
		return;
	if (longest > interval)
		html_fact(out, "Interval", "%g to %g s", interval, longest);
	else
		html_fact(out, "Interval", "%g s", interval);
	html_fact(out, "Rows average over", "%g s%s", window,
		  window > 1.5 * longest ? ": neighbouring rows share most of their window" : "");
}

static void feature_list(const struct table *t, struct text *out)
{
	bool first = true;

	html_row(out, "Features");
	text_add(out, "<td class=\"t\">");
	feature_foreach (f) {
		size_t n = 0;

		for (size_t i = 0; t->x[f] && i < t->n_rows; i++)
			n += !isnan(t->x[f][i]);
		if (!n)
			continue;
		text_printf(out, "%s%s", first ? "" : ", ", feature_info(f)->name);
		if (n < t->n_rows)
			text_printf(out, " (%.0f&nbsp;%%)", 100 * (double)n / (double)t->n_rows);
		first = false;
	}
	text_add(out, "</td>");
	html_row_end(out);
}

void card_data(const struct report *r, struct text *out)
{
	const struct table *t = r->table;

	text_add(out, "<h2 id=\"data\">Data card</h2>\n");
	html_table(out, "The dataset|");
	html_fact(out, "Rows", "%zu", t->n_rows);
	html_fact(out, "Runs", "%zu", t->n_runs);
	html_fact(out, "Groups", "%zu", t->n_groups);
	html_fact(out, "Rows that repeat the labels before", "%zu", table_repeated_rows(t));
	time_facts(t, out);
	feature_list(t, out);
	html_table_end(out);
	html_table(out, "Label|rows|least W|mean W|largest W");
	zone_foreach (z) {
		struct label_stats s;

		table_label_stats(t, z, 0, t->n_rows, &s);
		if (!s.rows)
			continue;
		html_row(out, zone_name(z));
		html_cell_count(out, s.rows);
		html_cell(out, s.min_w, 4);
		html_cell(out, s.mean_w, 4);
		html_cell(out, s.max_w, 4);
		html_row_end(out);
	}
	html_table_end(out);
}

static void machine_fact(const struct applicability *a, struct text *out)
{
	html_fact(out, "Trained on", "%s %s%s", a->cpu_vendor[0] ? a->cpu_vendor : "any CPU",
		  a->cpu_model, a->vcpus_max ? "" : ", number of vCPUs not known");
	if (a->vcpus_max && a->vcpus_min == a->vcpus_max)
		html_fact(out, "vCPUs", "%u", a->vcpus_max);
	else if (a->vcpus_max)
		html_fact(out, "vCPUs", "%u to %u", a->vcpus_min, a->vcpus_max);
}

static void model_table(const struct model_set *s, struct text *out)
{
	html_table(out,
		   "Models, best first|family|tier|history|rows|groups|MAE W|wMAPE|inside 90 %");
	zone_foreach (z) {
		for (size_t i = 0; i < s->zones[z].n; i++) {
			const struct model *m = &s->zones[z].models[i];

			html_row(out, zone_name(z));
			text_printf(out, "<td>%s</td><td>%s</td><td>%s</td>", model_family(m),
				    tier_name(m->tier), m->history ? "yes" : "no");
			html_cell_count(out, (size_t)m->rows);
			html_cell_count(out, m->groups);
			html_cell(out, m->mae_w, 3);
			html_cell_percent(out, m->wmape);
			html_cell_percent(out, m->coverage_90);
			html_row_end(out);
		}
	}
	html_table_end(out);
	text_add(out, "<p class=\"soft\">These are the figures of training, on rows left out of "
		      "it: what to expect on data nobody trained on.</p>\n");
}

void card_model(const struct report *r, struct text *out)
{
	const struct model_set *s = r->set;
	char date[48];

	text_add(out, "<h2 id=\"model\">Model card</h2>\n");
	if (!s) {
		text_add(out, "<p>No bundle: the built-in prior answered every row. It knows "
			      "machines by CPU family and saw none of this data.</p>\n");
		return;
	}
	html_table(out, "The bundle|");
	html_fact(out, "Name and version", "%s %s", s->name, s->version);
	html_fact(out, "Scope", "%s", scope_name(s->scope));
	html_fact(out, "Sequence", "%lld", (long long)s->sequence);
	date_text((double)s->created_s, date);
	html_fact(out, "Created", "%s", date);
	if (s->expires_s) {
		date_text((double)s->expires_s, date);
		html_fact(out, "Expires", "%s", date);
	}
	html_fact(out, "Interval and window", "%g s, %g s", s->interval_s, s->window_s);
	machine_fact(&s->trained_on, out);
	zone_foreach (z) {
		if (s->zones[z].n && s->zones[z].definition[0])
			html_fact(out, "Definition", "%s: %s", zone_name(z),
				  s->zones[z].definition);
	}
	html_table_end(out);
	model_table(s, out);
	if (s->card) {
		text_add(out, "<details><summary>The whole card, as the bundle holds it</summary>");
		html_json(out, s->card);
		text_add(out, "</details>\n");
	}
}
