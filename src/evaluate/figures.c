// SPDX-License-Identifier: Apache-2.0
/*
 * The report's figures over rows: time series, estimate against truth,
 * residual. Each becomes a script with its data inside, and gnuplot's answer a
 * <figure>. Never more than a few hundred points each: stretches are chosen,
 * rows strided or binned, and the caption says which.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "evaluate/figure.h"
#include "evaluate/report_parts.h"

#define STRETCH_ROWS   360 /* of a time series that is shown */
#define STRETCH_LEAST  10
#define SCATTER_POINTS 700
#define RESIDUAL_BINS  300
#define GAP_INTERVALS  3
#define SHOWN_GAP      5

/* Consecutive rows of one run. */
struct stretch {
	size_t first, n, run;
	double wmape;
};

static struct metrics_input column_part(const struct report *r, enum zone z, size_t at, size_t n)
{
	const struct answers *a = &r->answers;

	return (struct metrics_input){n, r->table->y_w[z] + at, a->watts[z] + at, a->low[z] + at,
				      a->high[z] + at};
}

static int by_wmape(const void *a, const void *b)
{
	double x = ((const struct stretch *)a)->wmape, y = ((const struct stretch *)b)->wmape;

	return (x > y) - (x < y);
}

/* Every run that is a time series cut into equal stretches; returns how many, by error. */
static size_t stretches(const struct report *r, enum zone z, struct stretch *ret)
{
	size_t n = 0;

	for (size_t k = 0; k < r->table->n_runs; k++) {
		const struct table_run *run = &r->table->runs[k];
		size_t parts = (run->n + STRETCH_ROWS - 1) / STRETCH_ROWS;

		if (!(run->interval_s > 0)) /* in no order, or of a clock that stands */
			continue;
		for (size_t p = 0; p < parts; p++) {
			size_t from = p * run->n / parts, upto = (p + 1) * run->n / parts;
			struct metrics_input in = column_part(r, z, run->first + from, upto - from);
			struct metrics m;

			metrics_compute(&in, &m);
			if (m.rows >= STRETCH_LEAST && isfinite(m.wmape))
				ret[n++] = (struct stretch){run->first + from, in.n, k, m.wmape};
		}
	}
	qsort(ret, n, sizeof(*ret), by_wmape);
	return n;
}

/* The unit in which a span reads well. */
static const char *time_unit(double span_s, double *ret_s)
{
	*ret_s = span_s < 300 ? 1 : span_s < 3 * 3600 ? 60 : 3600;
	return *ret_s < 60 ? "seconds" : *ret_s < 3600 ? "minutes" : "hours";
}

/* From the row before, as it is drawn: a gap or time going back is SHOWN_GAP intervals. */
static double step_shown(const struct table *t, const struct table_run *run, size_t i, bool *gap)
{
	double step_s = t->t_s[i] - t->t_s[i - 1];

	*gap = !(step_s > 0 && step_s <= GAP_INTERVALS * run->interval_s);
	return *gap ? SHOWN_GAP * run->interval_s : step_s;
}

/* The data block, time in units of unit_s. Returns the span in seconds; counts gaps. */
static double stretch_rows(const struct report *r, enum zone z, const struct stretch *s,
			   double unit_s, struct figure *f, size_t *ret_gaps)
{
	const struct answers *a = &r->answers;
	double at_s = 0;

	*ret_gaps = 0;
	text_add(&f->script, "$d << EOD\n");
	for (size_t i = s->first; i < s->first + s->n; i++) {
		bool gap = false;

		if (i > s->first)
			at_s += step_shown(r->table, &r->table->runs[s->run], i, &gap);
		if (gap)
			text_add(&f->script, "\n"); /* breaks the lines */
		*ret_gaps += gap;
		figure_numbers(f, 5, at_s / unit_s, r->table->y_w[z][i], a->watts[z][i],
			       a->low[z][i], a->high[z][i]);
	}
	text_add(&f->script, "EOD\n");
	return at_s;
}

static int draw_stretch(const struct report *r, enum zone z, const struct stretch *s,
			const char *which, struct text *out, struct err *e)
{
	const struct table_run *run = &r->table->runs[s->run];
	struct figure f = {.title = which};
	double unit_s, span_s;
	const char *unit = time_unit(run->interval_s * (double)s->n, &unit_s);
	size_t gaps;

	span_s = stretch_rows(r, z, s, unit_s, &f, &gaps);
	text_printf(&f.script,
		    "set xlabel '%s'\nset ylabel 'W'\nset yrange [0:*]\nset xrange [0:%g]\n"
		    "set xtics %g\n"
		    "plot $d u 1:4:5 w filledcurves fc rgb estimate fs transparent solid 0.22 "
		    "noborder t '90 %%', '' u 1:2 w l lw 1.4 lc rgb truth t 'truth', "
		    "'' u 1:3 w l lw 1.2 lc rgb estimate t 'estimate'\n",
		    unit, span_s / unit_s, figure_step(span_s / unit_s));
	text_add(&f.caption, "Run ");
	text_html(&f.caption, run->name);
	text_printf(&f.caption, ", rows %zu to %zu, wMAPE %.1f %%.", s->first - run->first + 1,
		    s->first - run->first + s->n, 100 * s->wmape);
	if (gaps)
		text_printf(&f.caption, " %zu gap%s, drawn short.", gaps, gaps == 1 ? "" : "s");
	return figure_draw(&f, out, e);
}

int figures_series(const struct report *r, enum zone z, struct text *out, struct err *e)
{
	size_t most = r->table->n_runs + r->table->n_rows / STRETCH_ROWS + 1;
	autofree struct stretch *all = calloc(most, sizeof(*all));
	size_t n = all ? stretches(r, z, all) : 0;
	int ret = 0;

	if (!all)
		return err_nomem(e);
	if (!n) {
		text_add(out, "<p class=\"soft\">No time series: the rows are in no order of time, "
			      "or too few.</p>\n");
		return 0;
	}
	if (n > 1)
		ret = draw_stretch(r, z, &all[n / 2], "Typical stretch", out, e);
	if (ret == 0)
		ret = draw_stretch(r, z, &all[n - 1], n > 1 ? "Worst stretch" : "Time series", out,
				   e);
	if (ret == 0 && n > 2)
		ret = draw_stretch(r, z, &all[0], "Best stretch", out, e);
	return ret;
}

int figure_scatter(const struct report *r, enum zone z, struct text *out, struct err *e)
{
	const double *y = r->table->y_w[z], *p = r->answers.watts[z];
	size_t rows = r->zone[z].all.rows, shown = 0, seen = 0;
	size_t wanted = rows < SCATTER_POINTS ? rows : SCATTER_POINTS;
	struct figure f = {.title = "Estimate against truth"};
	double largest = 0;

	text_add(&f.script, "$d << EOD\n");
	for (size_t i = 0; i < r->table->n_rows; i++) {
		if (isnan(y[i]) || isnan(p[i]) || seen++ * wanted / rows < shown)
			continue;
		shown++;
		largest = fmax(largest, fmax(y[i], p[i]));
		figure_numbers(&f, 2, y[i], p[i]);
	}
	if (!(largest > 0)) /* gnuplot draws no empty range */
		largest = 1;
	text_printf(&f.script,
		    "EOD\nset xlabel 'truth, W'\nset ylabel 'estimate, W'\nset key off\n"
		    "set xrange [0:%.6g]\nset yrange [0:%.6g]\n"
		    "plot $d u 1:2 w p pt 7 ps 0.3 lc rgb estimate, x w l lw 1.2 lc rgb truth\n",
		    1.05 * largest, 1.05 * largest);
	text_printf(&f.caption, "%zu of %zu rows, spread evenly. On the line the two are equal.",
		    shown, rows);
	return figure_draw(&f, out, e);
}

int figure_residual(const struct report *r, enum zone z, struct text *out, struct err *e)
{
	const double *y = r->table->y_w[z], *p = r->answers.watts[z];
	size_t rows = r->table->n_rows, bins = rows < RESIDUAL_BINS ? rows : RESIDUAL_BINS;
	struct figure f = {.title = "Residual over time"};

	text_add(&f.script, "$d << EOD\n");
	for (size_t k = 0; k < bins; k++) {
		size_t from = k * rows / bins, upto = (k + 1) * rows / bins;
		double n = 0, sum = 0, low = NAN, high = NAN;

		for (size_t i = from; i < upto; i++) {
			double d = p[i] - y[i];

			if (isnan(d))
				continue;
			n++;
			sum += d;
			low = fmin(low, d);
			high = fmax(high, d);
		}
		if (n > 0)
			figure_numbers(&f, 4, (double)(from + upto) / 2, sum / n, low, high);
	}
	text_printf(
		&f.script,
		"EOD\nset xlabel 'row'\nset ylabel 'estimate - truth, W'\n"
		"set xrange [0:%zu]\nset xtics %g\n"
		"plot $d u 1:3:4 w filledcurves fc rgb other fs transparent solid 0.25 noborder "
		"t 'range', '' u 1:2 w l lw 1.2 lc rgb other t 'mean', "
		"0 w l lw 1 lc rgb truth notitle\n",
		rows, figure_step((double)rows));
	text_add(&f.caption, "Rows in the order of the recording, run after run");
	if (rows > bins)
		text_printf(&f.caption, "; a point is the mean of up to %zu",
			    (rows + bins - 1) / bins);
	text_add(&f.caption, ".");
	return figure_draw(&f, out, e);
}
