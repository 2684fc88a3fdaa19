// SPDX-License-Identifier: Apache-2.0
/* YAML as events with positions: see events.h. */
#include "config/events.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int events_open(struct events *ev, const char *text, size_t len, const char *name, struct err *e)
{
	ev->have_event = false;
	ev->name = name;
	ev->ignored = (struct err)ERR_INIT;
	ev->e = e ? e : &ev->ignored;
	if (!yaml_parser_initialize(&ev->parser))
		return err_nomem(e);
	yaml_parser_set_input_string(&ev->parser, (const unsigned char *)text, len);
	return 0;
}

static void drop_event(struct events *ev)
{
	if (ev->have_event)
		yaml_event_delete(&ev->event);
	ev->have_event = false;
}

void events_close(struct events *ev)
{
	drop_event(ev);
	yaml_parser_delete(&ev->parser);
}

int events_fail_at(struct events *ev, yaml_mark_t mark, const char *fmt, ...)
{
	char message[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	return err_set(ev->e, -ERR_CONFIG, "%s:%zu:%zu: %s", ev->name, mark.line + 1,
		       mark.column + 1, message);
}

int events_next(struct events *ev)
{
	drop_event(ev);
	if (!yaml_parser_parse(&ev->parser, &ev->event))
		return events_fail_at(ev, ev->parser.problem_mark, "not YAML: %s",
				      ev->parser.problem ? ev->parser.problem : "cannot be read");
	ev->have_event = true;
	if (ev->event.type == YAML_ALIAS_EVENT)
		return events_fail_at(ev, ev->event.start_mark, "aliases are not allowed");
	return 0;
}

int events_skip(struct events *ev)
{
	size_t depth = 0;

	for (;;) {
		switch (ev->event.type) {
		case YAML_MAPPING_START_EVENT:
		case YAML_SEQUENCE_START_EVENT:
			depth++;
			break;
		case YAML_MAPPING_END_EVENT:
		case YAML_SEQUENCE_END_EVENT:
			depth--;
			break;
		default:
			break;
		}
		if (!depth)
			return 0;
		if (events_next(ev) < 0)
			return -ERR_CONFIG;
	}
}

const char *events_scalar(const struct events *ev)
{
	return (const char *)ev->event.data.scalar.value;
}

bool events_has_nul(const struct events *ev)
{
	return memchr(events_scalar(ev), 0, ev->event.data.scalar.length) != NULL;
}

const char *events_kind(const struct events *ev)
{
	return ev->event.type == YAML_SCALAR_EVENT	     ? "value"
	       : ev->event.type == YAML_SEQUENCE_START_EVENT ? "list"
							     : "section";
}

int events_mapping(struct events *ev, events_take *take, void *context)
{
	char key[EVENTS_KEY];

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
		if (events_next(ev) < 0 || take(ev, context, key) < 0)
			return -ERR_CONFIG;
	}
}

yaml_mark_t events_mark(const struct events *ev)
{
	return ev->event.start_mark;
}

int events_document(struct events *ev, int (*read_top)(struct events *ev, void *context),
		    void *context)
{
	bool document = false;

	for (;;) {
		if (events_next(ev) < 0)
			return -ERR_CONFIG;
		if (ev->event.type == YAML_STREAM_END_EVENT)
			return 0;
		if (ev->event.type != YAML_DOCUMENT_START_EVENT)
			continue;
		if (document)
			return events_fail_at(ev, events_mark(ev), "only one document is expected");
		document = true;
		if (events_next(ev) < 0 || read_top(ev, context) < 0)
			return -ERR_CONFIG;
	}
}
