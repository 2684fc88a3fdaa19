// SPDX-License-Identifier: Apache-2.0
/* A report as text: JSON for programs, a table for people; see evaluate.h. */
#include <math.h>

#include "base/cleanup.h"
#include "evaluate/evaluate.h"

static void add_metrics(const struct metrics *m, struct text *out)
{
	const struct {
		const char *key;
		double value;
	} figures[] = {
		{"mape", m->mape},
		{"mape_floor_watts", m->mape_floor_w},
		{"mae_watts", m->mae_w},
		{"wmape", m->wmape},
		{"rmse_watts", m->rmse_w},
		{"r2", m->r2},
		{"bias_watts", m->bias_w},
		{"energy_error", m->energy_error},
		{"coverage_90", m->coverage},
		{"mean_interval_watts", m->mean_interval_w},
		{"interval_score_watts", m->interval_score_w},
		{"winkler_90_watts", m->interval_score_w}, /* the same by its other name */
	};

	text_printf(out, "\"rows\":%zu,\"unanswered\":%zu", m->rows, m->unanswered);
	for (size_t i = 0; i < array_size(figures); i++) {
		text_printf(out, ",\"%s\":", figures[i].key);
		text_json_number(out, figures[i].value);
	}
}

static void add_runs(const struct report *r, const struct zone_report *z, struct text *out)
{
	bool first = true;

	text_add(out, ",\"by_run\":{");
	for (size_t k = 0; k < r->table->n_runs; k++) {
		if (!z->by_run[k].rows && !z->by_run[k].unanswered)
			continue;
		text_add(out, first ? "" : ",");
		text_json_string(out, r->table->runs[k].name);
		text_add(out, ":{");
		add_metrics(&z->by_run[k], out);
		text_add(out, "}");
		first = false;
	}
	text_add(out, "}");
}

/* Figures of estimates that have no interval. */
static void add_points(const struct metrics *m, struct text *out)
{
	const struct {
		const char *key;
		double value;
	} figures[] = {
		{"mape", m->mape},
		{"mae_watts", m->mae_w},
		{"wmape", m->wmape},
		{"rmse_watts", m->rmse_w},
		{"r2", m->r2},
		{"bias_watts", m->bias_w},
		{"energy_error", m->energy_error},
	};

	text_printf(out, "\"rows\":%zu", m->rows);
	for (size_t i = 0; i < array_size(figures); i++) {
		text_printf(out, ",\"%s\":", figures[i].key);
		text_json_number(out, figures[i].value);
	}
}

static void add_windows(const struct zone_report *z, struct text *out)
{
	bool first = true;

	text_add(out, ",\"by_window\":{");
	for (int k = 0; k < WINDOW_COUNT; k++) {
		const struct window_metrics *w = &z->window[k];

		if (!w->blocks.rows)
			continue;
		text_printf(out, "%s\"%g\":{\"mean_seconds\":", first ? "" : ",", w->window_s);
		text_json_number(out, w->mean_s);
		text_add(out, ",");
		add_points(&w->blocks, out);
		text_add(out, "}");
		first = false;
	}
	text_add(out, "}");
}

static void add_comparison(const struct zone_report *z, struct text *out)
{
	bool first = true;

	text_add(out, ",\"noise_floor_watts\":");
	text_json_number(out, z->noise.floor_w);
	text_add(out, ",\"noise_distance\":");
	text_json_number(out, z->noise.distance);
	text_add(out, ",\"baselines\":{");
	for (int b = 0; b < BASELINE_COUNT; b++) {
		if (!z->baseline[b].rows)
			continue;
		text_printf(out, "%s\"%s\":{", first ? "" : ",", baseline_name((enum baseline)b));
		add_points(&z->baseline[b], out);
		text_add(out, "}");
		first = false;
	}
	text_add(out, "}");
}

void report_json(const struct report *r, struct text *out)
{
	bool first = true;

	text_add(out, "{\"bundle\":{\"name\":");
	text_json_string(out, r->set ? r->set->name : "prior");
	text_add(out, ",\"version\":");
	text_json_string(out, r->set ? r->set->version : VMWATTS_VERSION);
	text_add(out, "},\"zones\":{");
	zone_foreach (z) {
		const struct zone_report *zone = &r->zone[z];

		if (!zone->valid)
			continue;
		text_printf(out, "%s\"%s\":{", first ? "" : ",", zone_name(z));
		add_metrics(&zone->all, out);
		text_printf(out, ",\"answered_by\":{\"trained\":%zu,\"derived\":%zu,\"prior\":%zu}",
			    r->answers.trained[z], r->answers.derived[z], r->answers.prior[z]);
		add_windows(zone, out);
		add_comparison(zone, out);
		add_runs(r, zone, out);
		text_add(out, "}");
		first = false;
	}
	text_add(out, "}}\n");
}

static void add_line(const char *name, const struct metrics *m, struct text *out)
{
	const struct {
		const char *format;
		int width;
		double value;
	} figures[] = {
		{"%7.2f", 7, 100 * m->wmape},
		{"%7.2f", 7, 100 * m->mape},
		{"%8.4g", 8, m->mae_w},
		{"%8.4g", 8, m->rmse_w},
		{"%7.3f", 7, m->r2},
		{"%+8.3g", 8, m->bias_w},
		{"%7.2f", 7, 100 * m->energy_error},
		{"%7.1f", 7, 100 * m->coverage},
		{"%8.4g", 8, m->mean_interval_w},
	};

	text_printf(out, "  %-24s %7zu", name, m->rows);
	for (size_t i = 0; i < array_size(figures); i++) {
		text_add(out, " ");
		if (isnan(figures[i].value)) /* of no watts, of one label */
			text_printf(out, "%*s", figures[i].width, "-");
		else
			text_printf(out, figures[i].format, figures[i].value);
	}
	text_add(out, "\n");
}

void report_people(const struct report *r, struct text *out)
{
	text_printf(out, "%s %s on %zu rows of %zu runs\n", r->set ? r->set->name : "prior",
		    r->set ? r->set->version : VMWATTS_VERSION, r->table->n_rows, r->table->n_runs);
	zone_foreach (z) {
		const struct zone_report *zone = &r->zone[z];

		if (!zone->valid)
			continue;
		text_printf(out,
			    "\n%-26s %7s %7s %7s %8s %8s %7s %8s %7s %7s %8s\n"
			    "%-26s %7s %7s %7s %8s %8s %7s %8s %7s %7s %8s\n",
			    zone_name(z), "rows", "wMAPE", "MAPE", "MAE", "RMSE", "R2", "bias",
			    "energy", "inside", "width",
			    r->answers.trained[z]   ? ""
			    : r->answers.derived[z] ? "  (derived)"
						    : "  (by the prior)",
			    "", "%", "%", "W", "W", "", "W", "err %", "90 %", "W");
		add_line("all", &zone->all, out);
		for (size_t k = 0; r->table->n_runs > 1 && k < r->table->n_runs; k++) {
			if (zone->by_run[k].rows)
				add_line(r->table->runs[k].name, &zone->by_run[k], out);
		}
		if (zone->all.unanswered)
			text_printf(out, "  %zu rows were not answered\n", zone->all.unanswered);
	}
}
