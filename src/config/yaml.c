// SPDX-License-Identifier: Apache-2.0
/*
 * The YAML file as a stream of events against the schema table. Mappings are
 * sections, scalars are values, sequences are lists; anything else (anchors,
 * aliases, tags, several documents) is refused where it stands.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/text.h"
#include "config/events.h"
#include "config/schema.h"

#define ROOT	  "vm_energy_modeling"
#define PATH_SIZE 160

struct reader {
	struct events ev;
	struct config *c;
	bool seen[CONFIG_KEYS_MAX];
};

static const char *scalar(const struct reader *r)
{
	return events_scalar(&r->ev);
}

static const char *last_word(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot ? dot + 1 : path;
}

/* The row for WORD below SECTION ("" at the top), or NULL. */
static const struct key *find_key(const char *section, const char *word)
{
	size_t n = strlen(section);

	for (size_t i = 0; i < n_config_keys; i++) {
		const struct key *k = &config_keys[i];
		const char *word_at = last_word(k->path);

		if ((size_t)(word_at - k->path) != (n ? n + 1 : 0) ||
		    strncmp(k->path, section, n) != 0)
			continue;
		if (!strcmp(word_at, word) || (k->alias && !strcmp(k->alias, word)))
			return k;
	}
	return NULL;
}

/* The whole path that ends in the very `word` of the table. */
static const char *path_of(const char *word)
{
	const struct key *k = config_keys;

	while (last_word(k->path) != word)
		k++;
	return k->path;
}

static int unknown_key(struct reader *r, yaml_mark_t mark, const char *section, const char *word)
{
	const char *names[CONFIG_KEYS_MAX] = {NULL}, *near;
	autotext struct text allowed = {.s = NULL};
	size_t n = 0, prefix = strlen(section);

	/* The keys of this section come first; one of another is told with its path. */
	for (size_t i = 0; i < n_config_keys; i++) {
		const char *word_at = last_word(config_keys[i].path);

		if ((size_t)(word_at - config_keys[i].path) == (prefix ? prefix + 1 : 0) &&
		    !strncmp(config_keys[i].path, section, prefix))
			names[n++] = word_at;
	}
	near = nearest_name(word, names, n);
	for (size_t i = 0; i < n; i++)
		text_printf(&allowed, "%s%s", i ? ", " : "", names[i]);
	for (size_t i = 0; i < n_config_keys; i++)
		names[i] = last_word(config_keys[i].path);
	if (!near && nearest_name(word, names, n_config_keys))
		near = path_of(nearest_name(word, names, n_config_keys));
	if (near)
		return events_fail_at(&r->ev, mark, "unknown key '%.80s'; did you mean '%s'?", word,
				      near);
	return events_fail_at(&r->ev, mark, "unknown key '%.80s', allowed: %s", word,
			      allowed.s ? allowed.s : "none");
}

static int read_mapping(struct reader *r, const char *section);

static int read_list(struct reader *r, const struct key *k)
{
	bool first = true;

	for (;; first = false) {
		yaml_mark_t mark;
		struct err why = ERR_INIT;

		if (events_next(&r->ev) < 0)
			return -ERR_CONFIG;
		mark = r->ev.event.start_mark;
		if (r->ev.event.type == YAML_SEQUENCE_END_EVENT && first && k->type == KEY_FEATURES)
			return events_fail_at(&r->ev, mark,
					      "%s: found an empty list, allowed: %s; without the "
					      "key every feature reaches a model",
					      k->path, k->allowed);
		if (r->ev.event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		if (r->ev.event.type != YAML_SCALAR_EVENT)
			return events_fail_at(&r->ev, mark, "%s: allowed: %s", k->path, k->allowed);
		if (key_store_item(k, scalar(r), first, r->c, &why) < 0)
			return events_fail_at(&r->ev, mark, "%s", why.msg);
	}
}

/* The value behind key K, whose event comes next. */
static int read_value(struct reader *r, const struct key *k)
{
	bool list = k->type == KEY_CPUS || k->type == KEY_FEATURES;
	struct err why = ERR_INIT;
	yaml_mark_t mark;

	if (events_next(&r->ev) < 0)
		return -ERR_CONFIG;
	mark = r->ev.event.start_mark;
	r->c->places[k - config_keys] =
		(struct config_place){(unsigned)mark.line + 1, (unsigned)mark.column + 1};
	if (r->ev.event.type == YAML_MAPPING_START_EVENT && k->type == KEY_SECTION)
		return read_mapping(r, k->path);
	if (r->ev.event.type == YAML_SEQUENCE_START_EVENT && list)
		return read_list(r, k);
	if (r->ev.event.type == YAML_SCALAR_EVENT && !list && k->type != KEY_SECTION) {
		if (events_has_nul(&r->ev))
			return events_fail_at(&r->ev, mark, "a value holds a NUL character");
		if (key_store(k, scalar(r), r->c, &why) < 0)
			return events_fail_at(&r->ev, mark, "%s", why.msg);
		return 0;
	}
	/* "cpu_pinning:" with nothing below it is an empty section. */
	if (r->ev.event.type == YAML_SCALAR_EVENT && k->type == KEY_SECTION && !*scalar(r))
		return 0;
	return events_fail_at(&r->ev, mark, "%s: found a %s, allowed: %s", k->path,
			      events_kind(&r->ev), k->allowed);
}

static int read_mapping(struct reader *r, const char *section)
{
	for (;;) {
		const struct key *k;
		yaml_mark_t mark;

		if (events_next(&r->ev) < 0)
			return -ERR_CONFIG;
		mark = r->ev.event.start_mark;
		if (r->ev.event.type == YAML_MAPPING_END_EVENT)
			return 0;
		if (r->ev.event.type != YAML_SCALAR_EVENT)
			return events_fail_at(&r->ev, mark, "a key must be a word");
		k = find_key(section, scalar(r));
		if (!k)
			return unknown_key(r, mark, section, scalar(r));
		if (r->seen[k - config_keys])
			return events_fail_at(&r->ev, mark, "%s is given twice", k->path);
		r->seen[k - config_keys] = true;
		if (read_value(r, k) < 0)
			return -ERR_CONFIG;
	}
}

/* "vm_energy_modeling:" and nothing else at the top; an empty file is fine. */
static int read_document(struct events *ev, void *context)
{
	struct reader *r = context;
	bool root_seen = false;

	if (ev->event.type == YAML_SCALAR_EVENT && !*scalar(r))
		return 0;
	if (ev->event.type != YAML_MAPPING_START_EVENT)
		return events_fail_at(&r->ev, events_mark(&r->ev),
				      "the file must start with " ROOT ":");
	for (;;) {
		yaml_mark_t mark;

		if (events_next(&r->ev) < 0)
			return -ERR_CONFIG;
		mark = r->ev.event.start_mark;
		if (r->ev.event.type == YAML_MAPPING_END_EVENT)
			return 0;
		if (r->ev.event.type != YAML_SCALAR_EVENT || strcmp(scalar(r), ROOT) != 0 ||
		    root_seen)
			return events_fail_at(&r->ev, mark,
					      "only one " ROOT ": is expected at the top");
		root_seen = true;
		if (events_next(&r->ev) < 0)
			return -ERR_CONFIG;
		if (r->ev.event.type == YAML_SCALAR_EVENT && !*scalar(r))
			continue;
		if (r->ev.event.type != YAML_MAPPING_START_EVENT)
			return events_fail_at(&r->ev, events_mark(&r->ev), ROOT ": must hold keys");
		if (read_mapping(r, "") < 0)
			return -ERR_CONFIG;
	}
}

int config_parse(const char *text, size_t len, const char *name, struct config *c, struct err *e)
{
	struct reader r = {.c = c};
	int result;

	_Static_assert(CONFIG_KEYS_MAX >= 48, "room for every key of the table");
	if (events_open(&r.ev, text, len, name, e) < 0)
		return -ENOMEM;
	c->file = name;
	result = events_document(&r.ev, read_document, &r);
	events_close(&r.ev);
	return result;
}
