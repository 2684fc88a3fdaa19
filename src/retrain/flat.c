// SPDX-License-Identifier: Apache-2.0
/* A document as paths and words: see flat.h. */
#include "retrain/flat.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 8

struct reader {
	flat_take *take;
	void *arg;
	char path[FLAT_PATH];
};

static int read_node(struct reader *r, struct events *ev, int depth);

static int read_list(struct reader *r, struct events *ev, int depth)
{
	while (events_next(ev) == 0) {
		if (ev->event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		if (read_node(r, ev, depth) < 0)
			break;
	}
	return -ERR_CONFIG;
}

static int read_mapping(struct reader *r, struct events *ev, int depth)
{
	size_t n = strlen(r->path);

	while (events_next(ev) == 0) {
		if (ev->event.type == YAML_MAPPING_END_EVENT)
			return 0;
		if (ev->event.type != YAML_SCALAR_EVENT || events_has_nul(ev) ||
		    snprintf(r->path + n, sizeof(r->path) - n, "%s%s", n ? "." : "",
			     events_scalar(ev)) >= (int)(sizeof(r->path) - n))
			return events_fail_at(ev, events_mark(ev), "a key must be a short word");
		if (events_next(ev) < 0 || read_node(r, ev, depth) < 0)
			break;
		r->path[n] = 0;
	}
	return -ERR_CONFIG;
}

static int read_node(struct reader *r, struct events *ev, int depth)
{
	if (depth == DEPTH_MAX)
		return events_fail_at(ev, events_mark(ev), "nested too deep");
	if (ev->event.type == YAML_MAPPING_START_EVENT)
		return read_mapping(r, ev, depth + 1);
	if (ev->event.type == YAML_SEQUENCE_START_EVENT)
		return read_list(r, ev, depth + 1);
	if (events_has_nul(ev))
		return events_fail_at(ev, events_mark(ev), "a NUL character");
	return r->take(ev, r->path, r->arg);
}

static int read_top(struct events *ev, void *context)
{
	return read_node(context, ev, 0);
}

int flat_read(const char *text, size_t len, const char *name, flat_take *take, void *arg,
	      struct err *e)
{
	struct reader reader = {.take = take, .arg = arg};
	struct events ev;
	int r = events_open(&ev, text, len, name, e);

	if (r < 0)
		return r;
	r = events_document(&ev, read_top, &reader);
	events_close(&ev);
	return r;
}
