// SPDX-License-Identifier: Apache-2.0
/*
 * A report as one page: tables and figures per zone, then the cards. Nothing
 * is loaded from anywhere; colours follow the reader's dark or light; on paper
 * two figures stand side by side.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "evaluate/html.h"
#include "evaluate/report_parts.h"

#define RUNS_SHOWN 40 /* of many, the worst */

static void tile(struct text *out, const char *name, const char *fmt, double value)
{
	text_add(out, "<div><b>");
	if (isfinite(value))
		text_printf(out, fmt, value);
	else
		text_add(out, "\xe2\x80\x93");
	text_add(out, "</b>");
	text_add(out, name);
	text_add(out, "</div>");
}

static void tiles(const struct metrics *m, struct text *out)
{
	text_add(out, "<div class=\"tiles\">");
	tile(out, "wMAPE", "%.1f\xc2\xa0%%", 100 * m->wmape);
	tile(out, "energy error", "%.2f\xc2\xa0%%", 100 * m->energy_error);
	tile(out, "mean absolute error", "%.3g\xc2\xa0W", m->mae_w);
	tile(out, "bias", "%+.2g\xc2\xa0W", m->bias_w);
	tile(out, "R\xc2\xb2", "%.3f", m->r2);
	tile(out, "inside the 90\xc2\xa0% interval", "%.1f\xc2\xa0%%", 100 * m->coverage);
	tile(out, "mean width of the interval", "%.3g\xc2\xa0W", m->mean_interval_w);
	tile(out, "Winkler score", "%.3g\xc2\xa0W", m->interval_score_w);
	text_add(out, "</div>\n");
}

static void comparison_row(const char *name, const struct metrics *m, struct text *out)
{
	if (!m->rows)
		return;
	html_row(out, name);
	html_cell_count(out, m->rows);
	html_cell_percent(out, m->wmape);
	html_cell(out, m->mae_w, 3);
	html_cell_percent(out, m->energy_error);
	html_cell(out, m->r2, 3);
	html_row_end(out);
}

static void noise_formula(const struct report *r, const struct zone_report *zone, struct text *out)
{
	text_add(out,
		 "<p class=\"soft\">Noise floor: the mean of |y<sub>i</sub> \xe2\x88\x92 "
		 "y<sub>nn(i)</sub>| / \xe2\x88\x9a"
		 "2, where nn(i) is the row that looks most like row i (nearest in standardised "
		 "features), ");
	if (r->table->n_groups > 1)
		text_add(out, "of another group");
	else
		text_printf(out, "more than %d rows away", NOISE_APART);
	text_printf(out,
		    "; here %.2g standard deviations away in the median. A model that knows the "
		    "present row alone, and has not seen the rows of its group, can hardly do "
		    "better; one that sees the past may.</p>\n",
		    zone->noise.distance);
}

static void comparison(const struct report *r, enum zone z, struct text *out)
{
	const struct zone_report *zone = &r->zone[z];

	text_add(out, "<h3>Compared with</h3>\n");
	html_table(out, "|rows|wMAPE|MAE W|energy error|R\xc2\xb2");
	comparison_row(r->set ? "this bundle" : "the prior", &zone->all, out);
	comparison_row("linear in utilization, fitted on these rows",
		       &zone->baseline[BASELINE_LINEAR], out);
	if (r->set)
		comparison_row("prior, saw no label", &zone->baseline[BASELINE_PRIOR], out);
	comparison_row("Kepler in the guest, as recorded", &zone->baseline[BASELINE_KEPLER], out);
	if (zone->noise.pairs) {
		html_row(out, "noise floor");
		html_cell_count(out, zone->noise.pairs);
		html_cell_percent(out, zone->noise.floor_w * zone->all.wmape / zone->all.mae_w);
		html_cell(out, zone->noise.floor_w, 3);
		html_cell(out, NAN, 1);
		html_cell(out, NAN, 1);
		html_row_end(out);
	}
	html_table_end(out);
	if (zone->baseline[BASELINE_LINEAR].rows)
		text_add(out,
			 "<p class=\"soft\">The straight line was fitted on these very rows: no "
			 "other line has a smaller squared error on them.</p>\n");
	if (zone->noise.pairs)
		noise_formula(r, zone, out);
}

static void band_table(const struct bands *b, struct text *out)
{
	html_table(out, "Load|rows|MAE W|wMAPE|bias W|inside 90 %|width W");
	for (int k = 0; k < BAND_COUNT; k++) {
		const struct metrics *m = &b->band[k];
		char name[32];

		if (!m->rows)
			continue;
		snprintf(name, sizeof(name), "%d\xe2\x80\x93%d\xc2\xa0%%", k * 100 / BAND_COUNT,
			 (k + 1) * 100 / BAND_COUNT);
		html_row(out, name);
		html_cell_count(out, m->rows);
		html_cell(out, m->mae_w, 3);
		html_cell_percent(out, m->wmape);
		html_cell(out, m->bias_w, 2);
		html_cell_percent(out, m->coverage);
		html_cell(out, m->mean_interval_w, 3);
		html_row_end(out);
	}
	html_table_end(out);
}

static void window_table(const struct zone_report *zone, struct text *out)
{
	html_table(out, "Averaged over|averages|wMAPE|MAE W|RMSE W|energy error");
	for (int k = -1; k < WINDOW_COUNT; k++) {
		const struct metrics *m = k < 0 ? &zone->all : &zone->window[k].blocks;
		char name[64] = "one row";

		if (!m->rows)
			continue;
		if (k >= 0)
			snprintf(name, sizeof(name), "%g s (%.3g s on average)",
				 zone->window[k].window_s, zone->window[k].mean_s);
		html_row(out, name);
		html_cell_count(out, m->rows);
		html_cell_percent(out, m->wmape);
		html_cell(out, m->mae_w, 3);
		html_cell(out, m->rmse_w, 3);
		html_cell_percent(out, m->energy_error);
		html_row_end(out);
	}
	html_table_end(out);
}

static void run_table(const struct report *r, enum zone z, const size_t *places, size_t n,
		      struct text *out)
{
	size_t shown = n < RUNS_SHOWN ? n : RUNS_SHOWN;

	if (shown < n)
		text_printf(out, "<p class=\"soft\">The %zu worst of %zu runs.</p>\n", shown, n);
	html_table(out, "Run, worst first|#|rows|wMAPE|MAE W|bias W|energy error|inside 90 %");
	for (size_t k = n; k > n - shown; k--) {
		const struct metrics *m = &r->zone[z].by_run[places[k - 1]];

		html_row(out, r->table->runs[places[k - 1]].name);
		html_cell_count(out, k);
		html_cell_count(out, m->rows);
		html_cell_percent(out, m->wmape);
		html_cell(out, m->mae_w, 3);
		html_cell(out, m->bias_w, 2);
		html_cell_percent(out, m->energy_error);
		html_cell_percent(out, m->coverage);
		html_row_end(out);
	}
	html_table_end(out);
}

static void importance_table(const struct importance *i, enum zone z, struct text *out)
{
	size_t order[FEATURE_COUNT];

	importance_order(i, z, order);
	text_printf(out,
		    "<details><summary>Importance of every feature (mean absolute error %.3g W "
		    "with nothing shuffled)</summary>\n",
		    i->mae_w[z]);
	html_table(out, "Columns shuffled together|rise W|rise");
	for (size_t k = 0; k < i->n; k++) {
		const struct importance_item *item = &i->items[order[k]];
		char name[128];

		importance_name(item, FEATURE_COUNT, name);
		text_add(out, "<tr><td class=\"t\">");
		text_html(out, name);
		text_add(out, "</td>");
		html_cell(out, item->rise_w[z], 3);
		html_cell_percent(out, item->rise_w[z] / i->mae_w[z]);
		html_row_end(out);
	}
	html_table_end(out);
	text_add(out, "</details>\n");
}

static int run_part(const struct report *r, enum zone z, struct text *out, struct err *e)
{
	autofree size_t *places = calloc(r->table->n_runs + 1, sizeof(*places));
	size_t n = places ? runs_by_error(r, z, places) : 0;
	int ret;

	if (!places)
		return err_nomem(e);
	if (n < 2)
		return 0;
	text_add(out, "<h3>By run</h3>\n<div class=\"plots\">\n");
	ret = isfinite(r->zone[z].all.wmape) ? figure_run_errors(&r->zone[z], places, n, out, e)
					     : 0;
	if (ret == 0)
		ret = figure_run_coverage(&r->zone[z], places, n, out, e);
	text_add(out, "</div>\n");
	run_table(r, z, places, n, out);
	return ret;
}

static int figures_part(const struct report *r, enum zone z, const struct bands *b,
			const struct importance *i, struct text *out, struct err *e)
{
	int ret;

	text_add(out, "<div class=\"plots\">\n");
	ret = figures_series(r, z, out, e);
	if (ret == 0)
		ret = figure_scatter(r, z, out, e);
	if (ret == 0)
		ret = figure_residual(r, z, out, e);
	if (ret == 0)
		ret = figure_bands(b, out, e);
	if (ret == 0 && isfinite(r->zone[z].all.wmape)) /* of 0 W in all there is none to draw */
		ret = figure_windows(&r->zone[z], out, e);
	if (ret == 0 && i->n)
		ret = figure_importance(i, z, out, e);
	text_add(out, "</div>\n");
	return ret;
}

/* All rows of training, and no others: an old acquaintance. */
static bool seems_trained_on(const struct report *r, enum zone z)
{
	return r->set && r->set->zones[z].n &&
	       r->set->zones[z].models[0].rows == r->zone[z].all.rows + r->zone[z].all.unanswered;
}

static void notes(const struct report *r, enum zone z, struct text *out)
{
	size_t prior = r->answers.prior[z], unanswered = r->zone[z].all.unanswered;

	if (seems_trained_on(r, z))
		text_add(out,
			 "<p class=\"note\">The bundle was trained on exactly as many rows as "
			 "there are here: if they are the same rows, these figures flatter it. "
			 "The model card has those of rows left out of training.</p>\n");
	if (r->set && prior)
		text_printf(out,
			    "<p class=\"note\">%zu rows were answered by the prior: the bundle has "
			    "no model for them.</p>\n",
			    prior);
	if (unanswered)
		text_printf(out, "<p class=\"note\">%zu rows were not answered.</p>\n", unanswered);
}

static int zone_part(const struct report *r, enum zone z, const struct importance *i,
		     struct text *out, struct err *e)
{
	struct bands bands;
	int ret = bands_compute(r->table, z, &r->answers, &bands, e);

	if (ret < 0)
		return ret;
	text_printf(out, "<section>\n<h2 id=\"%s\">Zone %s</h2>\n", zone_name(z), zone_name(z));
	tiles(&r->zone[z].all, out);
	notes(r, z, out);
	ret = figures_part(r, z, &bands, i, out, e);
	comparison(r, z, out);
	text_add(out, "<h3>By load</h3>\n");
	band_table(&bands, out);
	text_add(out, "<h3>By averaging window</h3>\n");
	window_table(&r->zone[z], out);
	if (i->n)
		importance_table(i, z, out);
	if (ret == 0)
		ret = run_part(r, z, out, e);
	text_add(out, "</section>\n");
	return ret;
}

static void opening(const struct report *r, struct text *out)
{
	const char *name = r->set ? r->set->name : "prior";
	const char *version = r->set ? r->set->version : VMWATTS_VERSION;
	struct text title = {0};

	text_printf(&title, "How good is %s %s?", name, version);
	html_begin(out, title.s ? title.s : name);
	text_add(out, "<h1>");
	text_html(out, title.s ? title.s : name);
	text_printf(out,
		    "</h1>\n<p>Estimates of CPU power against measured labels on %zu rows of %zu "
		    "run%s.</p>\n<nav>",
		    r->table->n_rows, r->table->n_runs, r->table->n_runs == 1 ? "" : "s");
	zone_foreach (z) {
		if (r->zone[z].valid)
			text_printf(out, "<a href=\"#%s\">%s</a>", zone_name(z), zone_name(z));
	}
	text_printf(out,
		    "<a href=\"#data\">data card</a><a href=\"#model\">model card</a>%s"
		    "<a href=\"#figures\">what the figures mean</a></nav>\n",
		    r->rounds ? "<a href=\"#rounds\">rounds of training</a>" : "");
	text_release(&title);
}

static void rounds_part(const struct report *r, struct text *out)
{
	if (!r->rounds)
		return;
	text_add(out, "<h2 id=\"rounds\">Rounds of training</h2>\n");
	html_lines(out, r->rounds);
}

static void meanings(struct text *out)
{
	text_add(out,
		 "<h2 id=\"figures\">What the figures mean</h2>\n"
		 "<p><b>wMAPE</b>: sum of |estimate \xe2\x88\x92 truth| over sum of truth. "
		 "<b>Energy error</b>: |sum of estimates \xe2\x88\x92 sum of truth| over sum of "
		 "truth. <b>Bias</b>: mean of estimate \xe2\x88\x92 truth. <b>R\xc2\xb2</b>: share "
		 "of the labels\xe2\x80\x99 variance that is explained. <b>Inside</b>: share of "
		 "rows whose label lies in the 90 % interval; near 90 % is right. <b>Winkler "
		 "score</b>: mean width of the interval plus 20 times how far a label lies "
		 "outside; less is better. <b>Importance</b>: by how much the mean absolute error "
		 "rises when the column is shuffled.</p>\n");
}

int report_html(const struct report *r, const struct evaluate_options *o, struct text *out,
		struct err *e)
{
	autofree struct importance *i = calloc(1, sizeof(*i));
	int ret = i ? importance_compute(r->table, r->set, o, i, e) : err_nomem(e);

	if (ret < 0)
		return ret;
	opening(r, out);
	zone_foreach (z) {
		if (ret == 0 && r->zone[z].valid)
			ret = zone_part(r, z, i, out, e);
	}
	card_data(r, out);
	card_model(r, out);
	rounds_part(r, out);
	meanings(out);
	html_end(out);
	return ret < 0 ? ret : out->failed ? err_nomem(e) : 0;
}
