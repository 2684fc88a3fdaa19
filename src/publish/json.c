// SPDX-License-Identifier: Apache-2.0
/* A snapshot as JSON: see json.h. */
#include "publish/json.h"

#include <math.h>

static void zone_object(const struct zone_snapshot *z, struct text *t)
{
	text_add(t, "{");
	if (z->valid) {
		text_json_field(t, "watts", z->active_w + z->idle_w, 10);
		text_json_field(t, "watts_low", z->low_w, 10);
		text_json_field(t, "watts_high", z->high_w, 10);
		text_json_field(t, "active_watts", z->active_w, 10);
		text_json_field(t, "idle_watts", z->idle_w, 10);
	}
	text_json_field(t, "joules_total", z->active_j + z->idle_j, 15);
	text_json_field(t, "confidence", z->confidence, 10);
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

		if (!zone_is_told(zone))
			continue;
		if (zone->valid)
			text_json_field(t, zone_name((enum zone)z), zone->active_w + zone->idle_w,
					10);
		confidence = fmin(confidence, zone->confidence); /* fmin(NaN, x) is x */
	}
	text_add(t, "},\"model_version\":");
	text_json_string(t, s->model_version);
	text_add(t, ",");
	text_json_field(t, "confidence", confidence, 10);
	text_add(t, ",\"features\":{");
	feature_foreach (f) {
		if (isnan(s->row->v[f]))
			continue;
		text_json_field(t, feature_info(f)->name, s->row->v[f], 10);
	}
	text_add(t, "},\"node_name\":");
	text_json_string(t, s->node_name);
	text_printf(t, ",\"enabled\":%s,\"tier\":\"%s\",\"scope\":\"%s\",",
		    s->enabled ? "true" : "false", tier_name(s->tier), scope_name(s->scope));
	text_json_field(t, "time_s", s->t_s, 15);
	text_add(t, ",\"zones\":{");
	for (int z = 0; z < ZONE_RAPL_COUNT; z++) {
		if (!zone_is_told(&s->zone[z]))
			continue;
		text_printf(t, "%s\"%s\":", first ? "" : ",", zone_name((enum zone)z));
		zone_object(&s->zone[z], t);
		first = false;
	}
	text_add(t, "}}");
}
