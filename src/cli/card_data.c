// SPDX-License-Identifier: Apache-2.0
/* A card's JSON, read as the YAML it is: see card_data.h. */
#include "cli/card_data.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "config/events.h"

#define FROM_DEPTH 8 /* a bundle calibrated from a calibrated one holds the card of each */

struct reader {
	struct card_data *data;
	int depth;
};

/* A mapping; anything else in its place is passed over. */
static int read_mapping(struct events *ev, events_take *take, struct reader *r)
{
	return ev->event.type == YAML_MAPPING_START_EVENT ? events_mapping(ev, take, r)
							  : events_skip(ev);
}

static double number(const struct events *ev)
{
	double v;

	return ev->event.type == YAML_SCALAR_EVENT && parse_double(events_scalar(ev), &v) == 0
		       ? v
		       : (double)NAN;
}

/* Text of a file for a terminal. */
static void take_text(const struct events *ev, char *ret, size_t size)
{
	if (ev->event.type != YAML_SCALAR_EVENT)
		return;
	snprintf(ret, size, "%s", events_scalar(ev));
	for (char *c = ret; *c; c++) {
		if (iscntrl((unsigned char)*c))
			*c = '?';
	}
}

static int on_data(struct events *ev, void *context, const char *key)
{
	struct reader *r = context;
	const struct {
		const char *name;
		double *value;
	} figures[] = {{"runs", &r->data->runs},
		       {"groups", &r->data->groups},
		       {"rows", &r->data->rows},
		       {"from_s", &r->data->from_s},
		       {"to_s", &r->data->to_s}};

	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		if (!strcmp(key, figures[i].name))
			*figures[i].value = number(ev);
	}
	return events_skip(ev);
}

static int read_notes(struct events *ev, struct card_data *d)
{
	if (ev->event.type != YAML_SEQUENCE_START_EVENT)
		return events_skip(ev);
	for (;;) {
		if (events_next(ev) < 0)
			return -ERR_CONFIG;
		if (ev->event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		if (ev->event.type == YAML_SCALAR_EVENT && d->n_notes < CARD_NOTES_MAX)
			take_text(ev, d->notes[d->n_notes++], sizeof(d->notes[0]));
		if (events_skip(ev) < 0)
			return -ERR_CONFIG;
	}
}

static int on_calibrated_zone(struct events *ev, void *context, const char *key)
{
	struct reader *r = context;

	if (!strcmp(key, "rows") && r->depth == 0)
		r->data->calibrated_rows = fmax(r->data->calibrated_rows, number(ev));
	return events_skip(ev);
}

static int on_calibrated(struct events *ev, void *context, const char *key)
{
	(void)key;
	return read_mapping(ev, on_calibrated_zone, context);
}

static int on_top(struct events *ev, void *context, const char *key);

static int on_from(struct events *ev, void *context, const char *key)
{
	struct reader *r = context;
	int result;

	if (!strcmp(key, "card") && r->depth < FROM_DEPTH) {
		r->depth++;
		result = read_mapping(ev, on_top, r);
		r->depth--;
		return result;
	}
	if (!strcmp(key, "name") && r->depth == 0)
		take_text(ev, r->data->name, sizeof(r->data->name));
	if (!strcmp(key, "version") && r->depth == 0)
		take_text(ev, r->data->version, sizeof(r->data->version));
	return events_skip(ev);
}

static int on_top(struct events *ev, void *context, const char *key)
{
	struct reader *r = context;

	if (!strcmp(key, "data"))
		return read_mapping(ev, on_data, r);
	if (!strcmp(key, "notes"))
		return read_notes(ev, r->data);
	if (!strcmp(key, "calibrated"))
		return read_mapping(ev, on_calibrated, r);
	if (!strcmp(key, "from"))
		return read_mapping(ev, on_from, r);
	return events_skip(ev);
}

static int read_top(struct events *ev, void *context)
{
	return read_mapping(ev, on_top, context);
}

void card_data_read(const char *card, struct card_data *ret)
{
	struct reader r = {.data = ret};
	struct events ev;

	memset(ret, 0, sizeof(*ret));
	ret->runs = ret->groups = ret->rows = ret->from_s = ret->to_s = NAN;
	ret->calibrated_rows = NAN;
	if (!card || events_open(&ev, card, strlen(card), "card", NULL) < 0)
		return;
	events_document(&ev, read_top, &r);
	events_close(&ev);
}
