// SPDX-License-Identifier: Apache-2.0
/* A snapshot as JSON: see json.h. */
#include "publish/json.h"

#include <math.h>

static void number(struct text *t, const char *key, double v)
{
	text_printf(t, "\"%s\":", key);
	if (isfinite(v))
		text_number_digits(t, v, 10);
	else
		text_add(t, "null");
}

static void zone_object(const struct zone_snapshot *z, struct text *t)
{
	text_add(t, "{");
	number(t, "watts", z->active_w + z->idle_w);
	text_add(t, ",");
	number(t, "watts_low", z->low_w);
	text_add(t, ",");
	number(t, "watts_high", z->high_w);
	text_add(t, ",");
	number(t, "active_watts", z->active_w);
	text_add(t, ",");
	number(t, "idle_watts", z->idle_w);
	text_add(t, ",");
	number(t, "joules_total", z->active_j + z->idle_j);
	text_add(t, ",");
	number(t, "confidence", z->confidence);
	text_printf(t, ",\"provenance\":\"%s\",\"definition\":\"%s\",\"fallback\":\"%s\"}",
		    provenance_name(z->provenance), z->definition ? z->definition : "",
		    fallback_name(z->fallback));
}

void json_render(const struct snapshot *s, struct text *t)
{
	double confidence = NAN;
	bool first = true;

	text_add(t, "{\"node_cpu_watts\":{");
	for (int z = 0; z < ZONE_RAPL_COUNT; z++) {
		const struct zone_snapshot *zone = &s->zone[z];

		if (!zone->valid)
			continue;
		if (!first)
			text_add(t, ",");
		number(t, zone_name((enum zone)z), zone->active_w + zone->idle_w);
		confidence = fmin(confidence, zone->confidence); /* fmin(NaN, x) is x */
		first = false;
	}
	text_add(t, "},\"model_version\":");
	text_json_string(t, s->model_version);
	text_add(t, ",");
	number(t, "confidence", confidence);
	text_add(t, ",\"features\":{");
	first = true;
	feature_foreach (f) {
		if (isnan(s->row->v[f]))
			continue;
		if (!first)
			text_add(t, ",");
		number(t, feature_info(f)->name, s->row->v[f]);
		first = false;
	}
	text_add(t, "},\"node_name\":");
	text_json_string(t, s->node_name);
	text_printf(t, ",\"enabled\":%s,\"tier\":\"%s\",\"scope\":\"%s\",",
		    s->enabled ? "true" : "false", tier_name(s->tier), scope_name(s->scope));
	number(t, "time_s", s->t_s);
	text_add(t, ",\"zones\":{");
	first = true;
	for (int z = 0; z < ZONE_RAPL_COUNT; z++) {
		if (!s->zone[z].valid)
			continue;
		text_printf(t, "%s\"%s\":", first ? "" : ",", zone_name((enum zone)z));
		zone_object(&s->zone[z], t);
		first = false;
	}
	text_add(t, "}}");
}
