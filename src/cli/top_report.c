// SPDX-License-Identifier: Apache-2.0
/* An interval of `vmwatts top` as text and JSON: see top_view.h. */
#include <math.h>

#include "cli/top_view.h"

#define TEXT_PROCESSES 15
#define TEXT_CGROUPS   8

#define each_zone(z) for (int z = 0; z < ZONE_RAPL_COUNT; z++)

void top_name(const struct top_consumer *c, struct text *out)
{
	if (c->pid)
		text_visible(out, c->name);
	else
		text_visible(out, c->cgroup[0] ? c->cgroup : "(not readable)");
}

/* ---- text ---- */

static void text_zone(const struct top *t, int z, struct text *out)
{
	const struct zone_estimate *zone = &live_estimate(t->live)->zone[z];

	if (!zone->valid) {
		text_printf(out, "%-8s %9s\n", zone_name((enum zone)z), "-");
		return;
	}
	text_printf(out, "%-8s %9.2f %9.2f %9.2f %11.2f %11.1f  %s\n", zone_name((enum zone)z),
		    zone_watts(zone), zone->low_w, zone->high_w, zone->confidence, t->joules[z],
		    provenance_name(zone->provenance));
}

static void text_consumer(const struct top *t, const struct top_consumer *c, struct text *out)
{
	if (c->pid)
		text_printf(out, "%8d", c->pid);
	else
		text_printf(out, "%8s", "");
	text_printf(out, " %9.3f %6.1f %11.1f  ", c->share * top_active_w(t), 100 * c->share,
		    c->joules);
	top_name(c, out);
	text_add(out, "\n");
}

void top_text(const struct top *t, struct text *out)
{
	const struct snapshot *s = live_snapshot(t->live);
	double active_w = top_active_w(t), idle_w = top_idle_w(t);

	text_printf(out, "after %.1f s: model %s, features %s, scope %s\n", t->elapsed_s,
		    s->model_version, tier_name(s->tier), scope_name(s->scope));
	text_printf(out, "%-8s %9s %9s %9s %11s %11s  %s\n", "zone", "watts", "low", "high",
		    "confidence", "joules", "provenance");
	each_zone(z) text_zone(t, z, out);
	text_printf(out,
		    "package %.3f W = processes %.3f + unattributed %.3f + idle %.3f\n"
		    "%8s %9s %6s %11s  %s\n",
		    active_w + idle_w, active_w * (1 - t->unattributed), active_w * t->unattributed,
		    idle_w, "pid", "watts", "%", "joules", "command");
	for (size_t i = 0; i < t->n_processes && i < TEXT_PROCESSES; i++)
		text_consumer(t, &t->processes[i], out);
	text_printf(out, "%8s %9s %6s %11s  %s\n", "", "watts", "%", "joules", "cgroup");
	for (size_t i = 0; i < t->n_cgroups && i < TEXT_CGROUPS; i++)
		text_consumer(t, &t->cgroups[i], out);
	text_add(out, "\n");
}

/* ---- JSON ---- */

/* A name as bytes need not be UTF-8; JSON must be. */
static void json_name(struct text *out, const char *key, const char *name)
{
	autotext struct text visible = {.s = NULL};

	text_visible(&visible, name);
	text_printf(out, ",\"%s\":", key);
	text_json_string(out, visible.s ? visible.s : "");
}

static void json_zone(const struct top *t, int z, struct text *out)
{
	const struct zone_estimate *zone = &live_estimate(t->live)->zone[z];

	text_printf(out, "\"%s\":{\"provenance\":\"%s\"", zone_name((enum zone)z),
		    provenance_name(zone->provenance));
	text_json_field(out, "watts", zone_watts(zone), 10);
	text_json_field(out, "watts_low", zone->low_w, 10);
	text_json_field(out, "watts_high", zone->high_w, 10);
	text_json_field(out, "active_watts", zone->active_w, 10);
	text_json_field(out, "idle_watts", zone->idle_w, 10);
	text_json_field(out, "unattributed_watts", zone->active_w * t->unattributed, 10);
	text_json_field(out, "joules", t->joules[z], 10);
	text_json_field(out, "confidence", zone->confidence, 10);
	text_add(out, "}");
}

static void json_consumer(const struct top *t, const struct top_consumer *c, struct text *out)
{
	text_printf(out, "{\"pid\":%d", c->pid);
	if (c->pid)
		json_name(out, "name", c->name);
	json_name(out, "cgroup", c->cgroup);
	text_json_field(out, "share", c->share, 10);
	text_json_field(out, "watts", c->share * top_active_w(t), 10);
	text_json_field(out, "joules", c->joules, 10);
	text_add(out, "}");
}

/* All that ever used anything, so that the sum is whole. */
static void json_consumers(const struct top *t, const char *key, const struct top_consumer *c,
			   size_t n, struct text *out)
{
	bool first = true;

	text_printf(out, ",\"%s\":[", key);
	for (size_t i = 0; i < n; i++) {
		if (!(c[i].share > 0) && !(c[i].joules > 0))
			continue;
		if (!first)
			text_add(out, ",");
		json_consumer(t, &c[i], out);
		first = false;
	}
	text_add(out, "]");
}

void top_json(const struct top *t, struct text *out)
{
	const struct snapshot *s = live_snapshot(t->live);
	const struct row *row = live_row(t->live);
	bool first = true;

	text_add(out, "{\"time_s\":");
	text_number_digits(out, row->t_s, 13);
	text_json_field(out, "interval_s", row->dt_s, 10);
	text_json_field(out, "elapsed_s", t->elapsed_s, 10);
	text_json_field(out, "busy_cpu_seconds", t->busy_s, 10);
	text_add(out, ",\"model_version\":");
	text_json_string(out, s->model_version);
	text_printf(out, ",\"tier\":\"%s\",\"scope\":\"%s\",\"zones\":{", tier_name(s->tier),
		    scope_name(s->scope));
	each_zone(z)
	{
		if (!live_estimate(t->live)->zone[z].valid)
			continue;
		text_add(out, first ? "" : ",");
		json_zone(t, z, out);
		first = false;
	}
	text_add(out, "}");
	text_json_field(out, "watts", top_active_w(t) + top_idle_w(t), 10);
	text_json_field(out, "idle_watts", top_idle_w(t), 10);
	text_json_field(out, "unattributed_watts", top_active_w(t) * t->unattributed, 10);
	text_printf(out, ",\"hidden_processes\":%zu", t->tables[t->current].hidden);
	json_consumers(t, "processes", t->processes, t->n_processes, out);
	json_consumers(t, "cgroups", t->cgroups, t->n_cgroups, out);
	text_add(out, "}\n");
}
