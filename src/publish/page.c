// SPDX-License-Identifier: Apache-2.0
/* A snapshot and its last hour as HTML: see page.h. */
#include "publish/page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PLOT_HEIGHT 100.0 /* of the drawing; a step is 1 wide */
#define PAGE_ROOM   65536

#define each_zone(z) for (enum zone z = ZONE_PACKAGE; z < ZONE_RAPL_COUNT; z = (enum zone)(z + 1))

static const char *zone_about(enum zone z)
{
	static const char *const about[ZONE_RAPL_COUNT] = {
		[ZONE_PACKAGE] = "whole processor",
		[ZONE_CORE] = "cores",
		[ZONE_DRAM] = "memory",
		[ZONE_UNCORE] = "cache and memory controller",
	};

	return about[z];
}

/* Three digits: more would claim more than an estimate knows. */
static void watts(struct text *t, double w)
{
	if (isnan(w))
		text_add(t, "–");
	else
		text_printf(t, w < 9.995 ? "%.2f" : w < 99.95 ? "%.1f" : "%.0f", w);
}

static void energy(struct text *t, double joules)
{
	static const struct {
		double joules;
		const char *unit;
	} units[] = {{3.6e6, "kWh"}, {3.6e3, "Wh"}, {0, "J"}};
	size_t i = 0;

	while (joules < units[i].joules)
		i++;
	text_printf(t, "%.3g %s", units[i].joules > 0 ? joules / units[i].joules : joules,
		    units[i].unit);
}

static double zone_w(const struct zone_snapshot *z)
{
	return z->active_w + z->idle_w;
}

/* ---- the last hour ---- */

/* A round number at or above `most`, for the top of a plot. */
static double ceiling_of(double most)
{
	static const double steps[] = {1, 2, 3, 5, 8, 10};
	double unit = pow(10, floor(log10(fmax(most, 0.01))));
	size_t i = 0;

	while (i + 1 < sizeof(steps) / sizeof(*steps) && steps[i] * unit < most)
		i++;
	return steps[i] * unit;
}

struct plot {
	const struct history *h;
	enum zone z;
	double top_w;
};

static double height_of(const struct plot *p, double w)
{
	return PLOT_HEIGHT * (1 - fmin(fmax(w, 0) / p->top_w, 1));
}

static double x_of(const struct plot *p, size_t i)
{
	return (double)(HISTORY_POINTS - p->h->n + i);
}

static void vertex(struct text *t, double x, double y)
{
	text_printf(t, "%.0f,%.1f ", x, y);
}

/* Steps [first, ret) that have an estimate, from the first one at or after `from`. */
static bool stretch(const struct plot *p, size_t from, size_t *ret_first, size_t *ret_end)
{
	size_t i = from;

	while (i < p->h->n && isnan(history_at(p->h, p->z, i).watts))
		i++;
	*ret_first = i;
	while (i < p->h->n && !isnan(history_at(p->h, p->z, i).watts))
		i++;
	*ret_end = i;
	return *ret_first < i;
}

static void draw(struct text *t, const struct plot *p)
{
	size_t first = 0, end = 0;

	while (stretch(p, end, &first, &end)) {
		text_add(t, "<polygon class=\"band\" points=\"");
		for (size_t i = first; i < end; i++)
			vertex(t, x_of(p, i), height_of(p, history_at(p->h, p->z, i).high));
		for (size_t i = end; i-- > first;)
			vertex(t, x_of(p, i), height_of(p, history_at(p->h, p->z, i).low));
		text_add(t, "\"/><polyline class=\"line\" points=\"");
		for (size_t i = first; i < end; i++)
			vertex(t, x_of(p, i), height_of(p, history_at(p->h, p->z, i).watts));
		text_add(t, "\"/>");
	}
}

static void plot_zone(struct text *t, const struct history *h, enum zone z)
{
	struct plot p = {.h = h, .z = z};
	double low, high, most = 0;
	size_t minutes;

	if (!h || !history_range(h, z, &low, &high)) {
		text_add(t, "<p class=\"soft\">The plot begins within 20 s.</p>");
		return;
	}
	for (size_t i = 0; i < h->n; i++)
		most = fmax(most, history_at(h, z, i).high);
	p.top_w = ceiling_of(most);
	minutes = (h->n * HISTORY_STEP_S + 59) / 60;
	text_printf(t,
		    "<svg viewBox=\"0 0 %d %.0f\" preserveAspectRatio=\"none\" role=\"img\" "
		    "aria-label=\"%s, last %zu min: ",
		    HISTORY_POINTS, PLOT_HEIGHT, zone_name(z), minutes);
	watts(t, low);
	text_add(t, " to ");
	watts(t, high);
	text_add(t, " W\">");
	draw(t, &p);
	text_printf(
		t,
		"</svg><div class=\"axis\" aria-hidden=\"true\"><span>60 min ago</span><span>top "
		"%g W, 90 %% interval shaded</span><span>now</span></div>",
		p.top_w);
}

/* ---- zones ---- */

/* What an uncore is, in words. */
static const char *definition_about(const char *definition)
{
	if (!definition || !definition[0])
		return "";
	return strcmp(definition, "pp1") ? ", package minus core" : ", graphics rail";
}

static void zone_card(struct text *t, const struct snapshot *s, const struct history *h,
		      enum zone z)
{
	const struct zone_snapshot *zone = &s->zone[z];

	text_printf(
		t,
		"<section id=\"%s\" data-live aria-labelledby=\"%s-name\"><h3 id=\"%s-name\">%s "
		"<span>%s</span></h3>",
		zone_name(z), zone_name(z), zone_name(z), zone_name(z), zone_about(z));
	if (!zone->valid) {
		text_add(t, "<p class=\"watts\">– <small>W</small></p><p class=\"soft\">no "
			    "estimate</p></section>");
		return;
	}
	text_add(t, "<p class=\"watts\">");
	watts(t, zone_w(zone));
	text_add(t, " <small>W, 90 % within ");
	watts(t, zone->low_w);
	text_add(t, " to ");
	watts(t, zone->high_w);
	text_printf(t, "</small></p><p class=\"soft\">confidence %.2f, %s%s; ", zone->confidence,
		    provenance_name(zone->provenance), definition_about(zone->definition));
	if (zone->idle_w > 0)
		text_printf(t, "of it idle %.2f W; ", zone->idle_w);
	energy(t, zone->active_j + zone->idle_j);
	text_add(t, " counted</p>");
	plot_zone(t, h, z);
	text_add(t, "</section>\n");
}

/* ---- what serves ---- */

static void fact(struct text *t, const char *name)
{
	text_printf(t, "<tr><th scope=\"row\">%s</th><td>", name);
}

static void fact_end(struct text *t)
{
	text_add(t, "</td></tr>\n");
}

static void date(struct text *t, int64_t seconds)
{
	time_t at = (time_t)seconds;
	struct tm tm;

	if (gmtime_r(&at, &tm))
		text_printf(t, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

static void model_rows(struct text *t, const struct snapshot *s)
{
	text_add(t, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Models by "
		    "zone\"><table>"
		    "<caption>Errors on runs left out of training</caption><tr><th "
		    "scope=\"col\">zone</th><th scope=\"col\">family</th><th "
		    "scope=\"col\">tier</th><th "
		    "scope=\"col\" class=\"n\">rows</th><th scope=\"col\" class=\"n\">error, % of "
		    "watts</th><th scope=\"col\" class=\"n\">interval holds, %</th></tr>\n");
	each_zone(z)
	{
		const struct model *m = s->zone[z].model;

		if (!m)
			continue;
		text_printf(t,
			    "<tr><th scope=\"row\">%s</th><td>%s%s</td><td>%s</td><td "
			    "class=\"n\">%llu</td><td class=\"n\">%.1f</td><td "
			    "class=\"n\">%.0f</td></tr>\n",
			    zone_name(z), model_family(m), m->history ? ", with history" : "",
			    tier_name(m->tier), (unsigned long long)m->rows, 100 * m->wmape,
			    100 * m->coverage_90);
	}
	text_add(t, "</table></div>");
}

static void model_section(struct text *t, const struct snapshot *s)
{
	const struct model_set *set = s->set;

	text_add(t, "<section id=\"model\" data-live aria-labelledby=\"model-name\"><h2 "
		    "id=\"model-name\">Model</h2>");
	if (!set) {
		text_add(t, "<p>The built-in prior <b>");
		text_html(t, s->model_version);
		text_add(t, "</b> serves: watts per CPU by family, with wide intervals. A bundle "
			    "trained on such a host is far better: <code>vmwatts model "
			    "install</code>.</p></section>\n");
		return;
	}
	text_add(t, "<table>");
	fact(t, "bundle");
	text_html(t, set->name);
	text_add(t, " ");
	text_html(t, set->version);
	text_printf(t, ", sequence %lld%s", (long long)set->sequence,
		    s->bundle.on_probation ? ", on probation" : "");
	fact_end(t);
	fact(t, "trained");
	date(t, set->created_s);
	if (set->trained_on.cpu_model[0]) {
		text_add(t, " on ");
		text_html(t, set->trained_on.cpu_model);
	}
	fact_end(t);
	if (set->expires_s) {
		fact(t, "expires");
		date(t, set->expires_s);
		fact_end(t);
	}
	fact(t, "watts mean");
	text_add(t, set->scope == SCOPE_VM_ACTIVE
			    ? "this VM's share of the host's active power, without idle power"
			    : "the power of a whole machine");
	fact_end(t);
	text_add(t, "</table>");
	model_rows(t, s);
	text_add(t, "</section>\n");
}

/* ---- how it is doing ---- */

static void complain(struct text *t, bool holds, const char *sentence)
{
	if (holds)
		text_printf(t, "<li class=\"bad\">%s</li>\n", sentence);
}

static bool falls_back(const struct snapshot *s)
{
	each_zone(z)
	{
		if (s->zone[z].valid && s->zone[z].fallback == FALLBACK_LOW_CONFIDENCE)
			return true;
	}
	return false;
}

static bool leaves_out(const struct snapshot *s)
{
	each_zone(z)
	{
		if (s->zone[z].left_out)
			return true;
	}
	return false;
}

static void health_section(struct text *t, const struct snapshot *s)
{
	text_add(t, "<section id=\"health\" data-live aria-labelledby=\"health-name\"><h2 "
		    "id=\"health-name\">Health</h2><ul>\n");
	complain(t, !s->enabled, "Switched off by configuration: no power is published.");
	complain(t, s->enabled && !s->ready, "No estimate yet.");
	complain(t, falls_back(s), "The model is not confident; its physics part answers.");
	complain(t, leaves_out(s),
		 "Zones whose estimate is not confident are left out (fallback_method: disable).");
	complain(
		t, drift_any(&s->drift),
		"Inputs are not those of training; the watts may be less good than the card says.");
	complain(t, s->mismatch > 0,
		 "The bundle was trained on another kind of machine: intervals are wider.");
	complain(t, s->bundle_expired, "The bundle has expired: intervals are wider.");
	complain(t, s->bundle.last_reload_failed,
		 "The last bundle was refused; the one before serves. The log says why.");
	complain(t, !s->state_kept, "Joules are not kept: they start at 0 with the agent.");
	text_printf(t, "<li>Counters read: tier %s.</li>\n", tier_name(s->tier));
	if (!isnan(s->usage_ratio))
		text_printf(t, "<li>CPUs are %.0f %% busy.</li>\n", 100 * s->usage_ratio);
	text_printf(t, "<li>%.0f %% of recent estimates lie outside the training data.</li>\n",
		    100 * s->out_of_distribution_ratio);
	text_printf(t, "<li>A tick costs %.0f µs of CPU time.</li>\n", 1e6 * s->tick_s);
	text_add(t, "</ul></section>\n");
}

/* ---- the page ---- */

static void head(struct text *t, const struct snapshot *s)
{
	text_add(t, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta "
		    "name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>");
	if (s->zone[ZONE_PACKAGE].valid) {
		watts(t, zone_w(&s->zone[ZONE_PACKAGE]));
		text_add(t, " W, ");
	}
	text_html(t, s->node_name);
	text_add(
		t,
		"</title><link rel=\"icon\" href=\"icon.svg\"><link rel=\"stylesheet\" "
		"href=\"page.css\"><script src=\"page.js\" defer></script><noscript><meta "
		"http-equiv=\"refresh\" content=\"10\"></noscript></head>\n<body><a class=\"skip\" "
		"href=\"#zones\">To the watts</a><header><h1>");
	text_html(t, s->node_name);
	text_add(
		t,
		"</h1><p class=\"soft\">Estimated power of this virtual machine. <span id=\"live\" "
		"role=\"status\"></span></p></header>\n");
}

static const char tail[] =
	"<details><summary>What do these numbers mean?</summary><p>A virtual machine has no power "
	"meter. A model learned on a host that has one turns counters this machine can read into "
	"watts. The truth lies within the shaded interval nine times in ten on work like that of "
	"training; confidence falls as the interval widens and as work differs from "
	"training. <i>trained</i>: learned from a meter. <i>derived</i>: follows from other zones. "
	"<i>prior</i>: typical of such CPUs, no more. <i>host</i>: energy that the host hands "
	"in.</p></details></main>\n"
	"<footer><nav aria-label=\"Elsewhere\"><a href=\"metrics\">Metrics</a><a "
	"href=\"api/v1/power\">JSON</a><a href=\"healthz\">Alive</a><a "
	"href=\"readyz\">Ready</a><a href=\"docs\">Docs</a></nav><p "
	"class=\"soft\">vmwatts " VMWATTS_VERSION
	"; <code>man vmwatts-agent</code> tells more.</p></footer></body></html>\n";

void page_render(const struct snapshot *s, const struct history *history, struct text *t)
{
	text_reserve(t, PAGE_ROOM);
	head(t, s);
	text_add(t, "<main><h2 id=\"zones\">Watts</h2><div class=\"zones\">");
	each_zone(z) zone_card(t, s, history, z);
	text_add(t, "</div>\n");
	health_section(t, s);
	model_section(t, s);
	text_add(t, tail);
}
