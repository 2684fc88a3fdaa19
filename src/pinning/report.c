// SPDX-License-Identifier: Apache-2.0
/* A report's JSON, read as the YAML it is: zones.ZONE.{wmape,mae_watts,by_run.RUN.wmape}. */
#include "pinning/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/parse.h"
#include "config/events.h"

#define REPORT_MAX (16u << 20)

struct reader {
	struct report *report;
	struct report_zone *zone;
	bool zones_seen;
};

/* A number; anything else, such as null, is missing. */
static double number(const struct events *ev)
{
	double v;

	if (ev->event.type != YAML_SCALAR_EVENT || parse_double(events_scalar(ev), &v) < 0)
		return NAN;
	return v;
}

static int on_run_figure(struct events *ev, void *context, const char *key)
{
	struct reader *r = context;
	double v = strcmp(key, "wmape") ? NAN : number(ev);

	if (!isnan(v)) {
		r->zone->runs++;
		r->zone->run_sum += v;
		r->zone->run_squares += v * v;
	}
	return events_skip(ev);
}

static int on_run(struct events *ev, void *context, const char *key)
{
	(void)key;
	return events_mapping(ev, on_run_figure, context);
}

static int on_figure(struct events *ev, void *context, const char *key)
{
	struct reader *r = context;

	if (!strcmp(key, "by_run"))
		return events_mapping(ev, on_run, context);
	if (!strcmp(key, "wmape"))
		r->zone->wmape = number(ev);
	if (!strcmp(key, "mae_watts"))
		r->zone->mae_w = number(ev);
	return events_skip(ev);
}

static int on_zone(struct events *ev, void *context, const char *key)
{
	struct reader *r = context;
	zone_foreach (z) {
		if (strcmp(key, zone_name(z)) != 0)
			continue;
		r->zone = &r->report->zones[z];
		return events_mapping(ev, on_figure, context);
	}
	return events_skip(ev);
}

static int on_top(struct events *ev, void *context, const char *key)
{
	struct reader *r = context;

	if (strcmp(key, "zones") != 0)
		return events_skip(ev);
	r->zones_seen = true;
	return events_mapping(ev, on_zone, context);
}

static int read_top(struct events *ev, void *context)
{
	return events_mapping(ev, on_top, context);
}

int report_read(const char *path, struct report *ret, struct err *e)
{
	struct report report;
	struct reader r = {.report = &report};
	autofree char *text = NULL;
	struct events ev;
	size_t len;
	int result = file_read(path, REPORT_MAX, false, &text, &len, e);

	if (result == 0)
		result = events_open(&ev, text, len, path, e);
	if (result < 0)
		return result;
	zone_foreach (z)
		report.zones[z] = (struct report_zone){.wmape = NAN, .mae_w = NAN};
	result = events_document(&ev, read_top, &r);
	events_close(&ev);
	if (result == 0 && !r.zones_seen)
		return err_set(e, -ERR_CONFIG,
			       "%s: no zones: it takes the output of vmwatts evaluate --json",
			       path);
	if (result == 0)
		*ret = report;
	return result;
}

double report_accuracy_sd(const struct report *r, enum zone *ret_zone)
{
	zone_foreach (z) {
		const struct report_zone *zone = &r->zones[z];
		double mean = zone->runs ? zone->run_sum / (double)zone->runs : 0;

		if (zone->runs < 2)
			continue;
		*ret_zone = z;
		return sqrt(fmax(zone->run_squares / (double)zone->runs - mean * mean, 0));
	}
	return NAN;
}
