// SPDX-License-Identifier: Apache-2.0
/* The report's figures over sums: by load band, by run, by window, by feature. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "evaluate/figure.h"
#include "evaluate/report_parts.h"

#define IMPORTANCE_BARS 10
#define LEAST_BARS	5 /* room for: a single bar is no wall */

int figure_bands(const struct bands *b, struct text *out, struct err *e)
{
	struct figure f = {.title = "Error by load band"};

	text_add(&f.script, "$d << EOD\n");
	for (int k = 0; k < BAND_COUNT; k++) {
		if (b->band[k].rows)
			figure_numbers(&f, 2, 100 * (k + 0.5) / BAND_COUNT, b->band[k].mae_w);
	}
	text_printf(&f.script,
		    "EOD\nset xlabel '%s'\nset ylabel 'mean absolute error, W'\nset key off\n"
		    "set xrange [0:100]\nset yrange [0:*]\nset xtics 20\nset boxwidth %g\n"
		    "plot $d u 1:2 w boxes fc rgb estimate\n",
		    b->by_utilization ? "CPU utilization, %" : "label, % of the largest",
		    90.0 / BAND_COUNT);
	text_add(&f.caption, "The table below has the rows and the relative error.");
	return figure_draw(&f, out, e);
}

int figure_windows(const struct zone_report *zone, struct text *out, struct err *e)
{
	struct figure f = {.title = "Error against the averaging window"};
	int n = 0;

	text_printf(&f.script, "$d << EOD\n0 row %.6g\n", 100 * zone->all.wmape);
	for (int k = 0; k < WINDOW_COUNT; k++) {
		const struct window_metrics *w = &zone->window[k];

		if (w->blocks.rows && isfinite(w->blocks.wmape))
			text_printf(&f.script, "%d \"%g s\" %.6g\n", ++n, w->window_s,
				    100 * w->blocks.wmape);
	}
	text_printf(&f.script,
		    "EOD\nset xlabel 'averaged over'\nset ylabel 'wMAPE, %%'\nset key off\n"
		    "set yrange [0:*]\nset xrange [-0.6:%g]\nset boxwidth 0.7\n"
		    "plot $d u 1:3:xtic(2) w boxes fc rgb estimate\n",
		    n + 0.6);
	text_add(&f.caption, "Truth and estimate averaged before they are compared.");
	return figure_draw(&f, out, e);
}

/* qsort has no argument for these. */
struct run_error {
	size_t place;
	double wmape;
};

static int by_error(const void *a, const void *b)
{
	double x = ((const struct run_error *)a)->wmape, y = ((const struct run_error *)b)->wmape;

	return (x > y) - (x < y);
}

size_t runs_by_error(const struct report *r, enum zone z, size_t *ret_places)
{
	size_t n_runs = r->table->n_runs, n = 0;
	autofree struct run_error *all = calloc(n_runs, sizeof(*all));

	for (size_t k = 0; all && k < n_runs; k++) {
		const struct metrics *m = &r->zone[z].by_run[k];

		if (m->rows)
			all[n++] = (struct run_error){k, isfinite(m->wmape) ? m->wmape : INFINITY};
	}
	if (n)
		qsort(all, n, sizeof(*all), by_error);
	for (size_t k = 0; k < n; k++)
		ret_places[k] = all[k].place;
	return n;
}

int figure_run_errors(const struct zone_report *zone, const size_t *places, size_t n,
		      struct text *out, struct err *e)
{
	struct figure f = {.title = "Error by run"};

	text_add(&f.script, "$d << EOD\n");
	for (size_t k = 0; k < n; k++) {
		const struct metrics *m = &zone->by_run[places[k]];

		figure_numbers(&f, 3, (double)k + 1, 100 * m->wmape, 100 * m->energy_error);
	}
	text_printf(&f.script,
		    "EOD\nset xlabel 'run, by wMAPE'\nset ylabel '%%'\nset yrange [0:*]\n"
		    "set xrange [0.4:%g]\nset xtics %g\n"
		    "plot $d u 1:2 w p pt 7 ps 0.6 lc rgb estimate t 'wMAPE', "
		    "'' u 1:3 w p pt 7 ps 0.6 lc rgb other t 'energy error'\n",
		    (double)n + 0.6, fmax(1, figure_step((double)n)));
	text_add(&f.caption, "The table below names the runs.");
	return figure_draw(&f, out, e);
}

int figure_run_coverage(const struct zone_report *zone, const size_t *places, size_t n,
			struct text *out, struct err *e)
{
	struct figure f = {.title = "Coverage by run"};
	double least = 0.7;

	text_add(&f.script, "$d << EOD\n");
	for (size_t k = 0; k < n; k++) {
		const struct metrics *m = &zone->by_run[places[k]];

		if (isfinite(m->coverage))
			least = fmin(least, m->coverage);
		figure_numbers(&f, 2, (double)k + 1, 100 * m->coverage);
	}
	text_printf(&f.script,
		    "EOD\nset xlabel 'run, by wMAPE'\nset ylabel '%% inside the interval'\n"
		    "set yrange [%g:101]\nset xrange [0.4:%g]\nset xtics %g\nset key off\n"
		    "plot 90 w l lw 1.2 lc rgb truth, $d u 1:2 w p pt 7 ps 0.6 lc rgb other\n",
		    floor(10 * least) * 10, (double)n + 0.6, fmax(1, figure_step((double)n)));
	text_add(&f.caption, "The line is what the intervals promise: 90 %.");
	return figure_draw(&f, out, e);
}

void importance_name(const struct importance_item *item, size_t most, char ret[128])
{
	size_t n = 0, len = 0;

	ret[0] = 0;
	feature_foreach (f) {
		if (item->has[f] && n++ < most && len < 100)
			len += (size_t)snprintf(ret + len, 128 - len, "%s%s", n > 1 ? ", " : "",
						feature_info(f)->name);
	}
	if (n > most && len < 120)
		snprintf(ret + len, 128 - len, " +%zu", n - most);
}

void importance_order(const struct importance *i, enum zone z, size_t ret[FEATURE_COUNT])
{
	for (size_t k = 0; k < i->n; k++) {
		size_t at = k;

		for (; at > 0 && i->items[ret[at - 1]].rise_w[z] < i->items[k].rise_w[z]; at--)
			ret[at] = ret[at - 1];
		ret[at] = k;
	}
}

int figure_importance(const struct importance *i, enum zone z, struct text *out, struct err *e)
{
	struct figure f = {.title = "Feature importance"};
	size_t order[FEATURE_COUNT], bars = i->n < IMPORTANCE_BARS ? i->n : IMPORTANCE_BARS;
	double largest;

	importance_order(i, z, order);
	largest = bars ? i->items[order[0]].rise_w[z] : 0;
	text_add(&f.script, "$d << EOD\n");
	for (size_t k = 0; k < bars; k++) {
		const struct importance_item *item = &i->items[order[k]];
		char name[128];

		importance_name(item, 1, name);
		text_printf(&f.script, "\"%s\" %zu ", name, bars - k);
		figure_numbers(&f, 1, fmax(item->rise_w[z], 0));
	}
	text_printf(&f.script,
		    "EOD\nset xlabel 'rise of the mean absolute error, W'\nset key off\n"
		    "unset grid\nset grid xtics lt 1 lw 0.6 lc rgb grid\n"
		    "set ytics font ',12' noenhanced scale 0\nset yrange [%g:%g]\n"
		    "set xrange [0:*]\nset xtics %g\n"
		    "plot $d u ($3/2):2:($3/2):(0.35):ytic(1) w boxxyerror fc rgb estimate\n",
		    fmin((double)bars - LEAST_BARS, 0) + 0.4, (double)bars + 0.6,
		    largest > 0 ? figure_step(largest) : 1);
	text_printf(&f.caption,
		    "When a column is shuffled, on %zu rows; +n: with n columns that follow it.",
		    i->rows);
	return figure_draw(&f, out, e);
}
