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

typedef int (*on_key)(struct events *ev, struct reader *r, const char *key);

/* Call `each` at the first event of every value of the mapping; it leaves it at its last. */
static int read_mapping(struct events *ev, struct reader *r, on_key each)
{
	char key[128];

	if (ev->event.type != YAML_MAPPING_START_EVENT)
		return events_fail_at(ev, events_mark(ev), "found a %s, allowed: an object",
				      events_kind(ev));
	for (;;) {
		if (events_next(ev) < 0)
			return -ERR_CONFIG;
		if (ev->event.type == YAML_MAPPING_END_EVENT)
			return 0;
		if (ev->event.type != YAML_SCALAR_EVENT)
			return events_fail_at(ev, events_mark(ev), "a key must be a word");
		snprintf(key, sizeof(key), "%s", events_scalar(ev));
		if (events_next(ev) < 0 || each(ev, r, key) < 0)
			return -ERR_CONFIG;
	}
}

/* A number; anything else, such as null, is missing. */
static double number(const struct events *ev)
{
	double v;

	if (ev->event.type != YAML_SCALAR_EVENT || parse_double(events_scalar(ev), &v) < 0)
		return NAN;
	return v;
}

static int on_run_figure(struct events *ev, struct reader *r, const char *key)
{
	double v = strcmp(key, "wmape") ? NAN : number(ev);

	if (!isnan(v)) {
		r->zone->runs++;
		r->zone->run_sum += v;
		r->zone->run_squares += v * v;
	}
	return events_skip(ev);
}

static int on_run(struct events *ev, struct reader *r, const char *key)
{
	(void)key;
	return read_mapping(ev, r, on_run_figure);
}

static int on_figure(struct events *ev, struct reader *r, const char *key)
{
	if (!strcmp(key, "by_run"))
		return read_mapping(ev, r, on_run);
	if (!strcmp(key, "wmape"))
		r->zone->wmape = number(ev);
	if (!strcmp(key, "mae_watts"))
		r->zone->mae_w = number(ev);
	return events_skip(ev);
}

static int on_zone(struct events *ev, struct reader *r, const char *key)
{
	zone_foreach (z) {
		if (strcmp(key, zone_name(z)) != 0)
			continue;
		r->zone = &r->report->zones[z];
		return read_mapping(ev, r, on_figure);
	}
	return events_skip(ev);
}

static int on_top(struct events *ev, struct reader *r, const char *key)
{
	if (strcmp(key, "zones") != 0)
		return events_skip(ev);
	r->zones_seen = true;
	return read_mapping(ev, r, on_zone);
}

static int read_top(struct events *ev, void *context)
{
	return read_mapping(ev, context, on_top);
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
