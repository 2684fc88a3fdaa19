// SPDX-License-Identifier: Apache-2.0
/*
 * The YAML file as a stream of events against the schema table. Mappings are
 * sections, scalars are values, sequences are lists; anything else (anchors,
 * aliases, tags, several documents) is refused where it stands.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "config/schema.h"

#define ROOT	  "vm_energy_modeling"
#define KEYS_MAX  64
#define PATH_SIZE 160

struct reader {
	yaml_parser_t parser;
	yaml_event_t event;
	bool have_event;
	const char *name;
	struct config *c;
	struct err *e;
	bool seen[KEYS_MAX];
};

/* FILE:LINE:COLUMN: before the message in r->e. */
static int fail_at(struct reader *r, yaml_mark_t mark, const char *message)
{
	return err_set(r->e, -ERR_CONFIG, "%s:%zu:%zu: %s", r->name, mark.line + 1, mark.column + 1,
		       message);
}

static int next_event(struct reader *r)
{
	if (r->have_event)
		yaml_event_delete(&r->event);
	r->have_event = false;
	if (!yaml_parser_parse(&r->parser, &r->event)) {
		char message[256];

		snprintf(message, sizeof(message), "not YAML: %s",
			 r->parser.problem ? r->parser.problem : "cannot be read");
		return fail_at(r, r->parser.problem_mark, message);
	}
	r->have_event = true;
	if (r->event.type == YAML_ALIAS_EVENT)
		return fail_at(r, r->event.start_mark, "aliases are not allowed");
	return 0;
}

static const char *scalar(const struct reader *r)
{
	return (const char *)r->event.data.scalar.value;
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
	const char *names[KEYS_MAX], *near;
	char message[320];
	size_t n = 0, prefix = strlen(section);

	/* The keys of this section come first; one of another is told with its path. */
	for (size_t i = 0; i < n_config_keys; i++) {
		const char *word_at = last_word(config_keys[i].path);

		if ((size_t)(word_at - config_keys[i].path) == (prefix ? prefix + 1 : 0) &&
		    !strncmp(config_keys[i].path, section, prefix))
			names[n++] = word_at;
	}
	near = nearest_name(word, names, n);
	for (size_t i = 0; i < n_config_keys; i++)
		names[i] = last_word(config_keys[i].path);
	if (!near && nearest_name(word, names, n_config_keys))
		near = path_of(nearest_name(word, names, n_config_keys));
	snprintf(message, sizeof(message), "unknown key '%.80s'%s%s%s", word,
		 near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	return fail_at(r, mark, message);
}

static int read_mapping(struct reader *r, const char *section);

static int read_list(struct reader *r, const struct key *k)
{
	bool first = true;

	for (;; first = false) {
		yaml_mark_t mark;
		struct err why = ERR_INIT;

		if (next_event(r) < 0)
			return -ERR_CONFIG;
		mark = r->event.start_mark;
		if (r->event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		if (r->event.type != YAML_SCALAR_EVENT) {
			snprintf(why.msg, sizeof(why.msg), "%s: allowed: %s", k->path, k->allowed);
			return fail_at(r, mark, why.msg);
		}
		if (key_store_item(k, scalar(r), first, r->c, &why) < 0)
			return fail_at(r, mark, why.msg);
	}
}

/* The value behind key K, whose event comes next. */
static int read_value(struct reader *r, const struct key *k)
{
	bool list = k->type == KEY_CPUS || k->type == KEY_FEATURES;
	struct err why = ERR_INIT;
	yaml_mark_t mark;
	char message[256];

	if (next_event(r) < 0)
		return -ERR_CONFIG;
	mark = r->event.start_mark;
	if (r->event.type == YAML_MAPPING_START_EVENT && k->type == KEY_SECTION)
		return read_mapping(r, k->path);
	if (r->event.type == YAML_SEQUENCE_START_EVENT && list)
		return read_list(r, k);
	if (r->event.type == YAML_SCALAR_EVENT && !list && k->type != KEY_SECTION) {
		if (memchr(scalar(r), 0, r->event.data.scalar.length))
			return fail_at(r, mark, "a value holds a NUL character");
		return key_store(k, scalar(r), r->c, &why) < 0 ? fail_at(r, mark, why.msg) : 0;
	}
	/* "cpu_pinning:" with nothing below it is an empty section. */
	if (r->event.type == YAML_SCALAR_EVENT && k->type == KEY_SECTION && !*scalar(r))
		return 0;
	snprintf(message, sizeof(message), "%s: found a %s, allowed: %s", k->path,
		 r->event.type == YAML_SCALAR_EVENT	      ? "value"
		 : r->event.type == YAML_SEQUENCE_START_EVENT ? "list"
							      : "section",
		 k->allowed);
	return fail_at(r, mark, message);
}

static int read_mapping(struct reader *r, const char *section)
{
	for (;;) {
		const struct key *k;
		yaml_mark_t mark;
		char message[256];

		if (next_event(r) < 0)
			return -ERR_CONFIG;
		mark = r->event.start_mark;
		if (r->event.type == YAML_MAPPING_END_EVENT)
			return 0;
		if (r->event.type != YAML_SCALAR_EVENT)
			return fail_at(r, mark, "a key must be a word");
		k = find_key(section, scalar(r));
		if (!k)
			return unknown_key(r, mark, section, scalar(r));
		if (r->seen[k - config_keys]) {
			snprintf(message, sizeof(message), "%s is given twice", k->path);
			return fail_at(r, mark, message);
		}
		r->seen[k - config_keys] = true;
		if (read_value(r, k) < 0)
			return -ERR_CONFIG;
	}
}

/* "vm_energy_modeling:" and nothing else at the top; an empty file is fine. */
static int read_document(struct reader *r)
{
	bool root_seen = false;

	if (next_event(r) < 0)
		return -ERR_CONFIG;
	if (r->event.type == YAML_SCALAR_EVENT && !*scalar(r))
		return 0;
	if (r->event.type != YAML_MAPPING_START_EVENT)
		return fail_at(r, r->event.start_mark, "the file must start with " ROOT ":");
	for (;;) {
		yaml_mark_t mark;

		if (next_event(r) < 0)
			return -ERR_CONFIG;
		mark = r->event.start_mark;
		if (r->event.type == YAML_MAPPING_END_EVENT)
			return 0;
		if (r->event.type != YAML_SCALAR_EVENT || strcmp(scalar(r), ROOT) != 0 || root_seen)
			return fail_at(r, mark, "only one " ROOT ": is expected at the top");
		root_seen = true;
		if (next_event(r) < 0)
			return -ERR_CONFIG;
		if (r->event.type == YAML_SCALAR_EVENT && !*scalar(r))
			continue;
		if (r->event.type != YAML_MAPPING_START_EVENT)
			return fail_at(r, r->event.start_mark, ROOT ": must hold keys");
		if (read_mapping(r, "") < 0)
			return -ERR_CONFIG;
	}
}

static int read_stream(struct reader *r)
{
	bool document = false;

	for (;;) {
		if (next_event(r) < 0)
			return -ERR_CONFIG;
		switch (r->event.type) {
		case YAML_STREAM_END_EVENT:
			return 0;
		case YAML_DOCUMENT_START_EVENT:
			if (document)
				return fail_at(r, r->event.start_mark,
					       "only one document is expected");
			document = true;
			if (read_document(r) < 0)
				return -ERR_CONFIG;
			break;
		default:
			break;
		}
	}
}

int config_parse(const char *text, size_t len, const char *name, struct config *c, struct err *e)
{
	struct err ignored = ERR_INIT;
	struct reader r = {.name = name, .c = c, .e = e ? e : &ignored};
	int result;

	_Static_assert(KEYS_MAX >= 48, "room for every key of the table");
	if (!yaml_parser_initialize(&r.parser))
		return err_nomem(e);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
	result = read_stream(&r);
	if (r.have_event)
		yaml_event_delete(&r.event);
	yaml_parser_delete(&r.parser);
	return result;
}
