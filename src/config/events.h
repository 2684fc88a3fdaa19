/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_EVENTS_H
#define CONFIG_EVENTS_H

/*
 * One YAML document as a stream of libyaml events, in pull style, for readers
 * that say FILE:LINE:COLUMN of whatever they refuse. Mappings, sequences and
 * scalars only: an alias, a second document and bytes that are no YAML are
 * refused here. JSON is YAML too.
 *
 *	events_open(&ev, text, len, "plan.yaml", e);
 *	r = events_document(&ev, read_top, context);
 *	events_close(&ev);
 */

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "base/err.h"

struct events {
	yaml_parser_t parser;
	yaml_event_t event; /* the current one, while have_event */
	bool have_event;
	const char *name; /* what messages call the text; borrowed */
	struct err *e;	  /* where messages go; never NULL */
	struct err ignored;
};

/* `text` and `name` must outlive `ev`, which must not move. -ENOMEM. */
int events_open(struct events *ev, const char *text, size_t len, const char *name, struct err *e);
void events_close(struct events *ev);

/*
 * Find the document, call `read_top` once with the current event at its first
 * node, which it reads to its end, and see that nothing follows. A text without
 * a document is fine. Returns 0, or ERR_CONFIG with the message set.
 */
int events_document(struct events *ev, int (*read_top)(struct events *ev, void *context),
		    void *context);

/* To the next event: 0, or ERR_CONFIG. */
int events_next(struct events *ev);

/* Reads the value of `key`, whose first event is the current one, to its last. */
typedef int events_take(struct events *ev, void *context, const char *key);

/* Call `take` for every key of the mapping that starts here; whatever else does is an error. Keys
 * are words of less than EVENTS_KEY bytes; longer ones are cut. */
#define EVENTS_KEY 128
int events_mapping(struct events *ev, events_take *take, void *context);

/* Pass over the node whose first event is the current one. */
int events_skip(struct events *ev);

/* The text of the current event, a scalar: NUL-terminated, valid until the next. */
const char *events_scalar(const struct events *ev);

/* Whether the current scalar holds a NUL character, so that its text is not all of it. */
bool events_has_nul(const struct events *ev);

/* What the current event starts, for messages: "value", "list" or "section". */
const char *events_kind(const struct events *ev);

yaml_mark_t events_mark(const struct events *ev);

/* "FILE:LINE:COLUMN: message" into the error; returns -ERR_CONFIG. */
int events_fail_at(struct events *ev, yaml_mark_t mark, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
