// SPDX-License-Identifier: Apache-2.0
/*
 * See reflection.h. The set of descriptors is protobuf itself; of it we need
 * names only, so it is walked here: field 1 of the set is a file, of which 1
 * is the name, 2 the package, and 4, 5 and 6 are messages, enums and services,
 * each with its name as field 1 (google/protobuf/descriptor.proto).
 */
#include "serve/reflection.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "serve/descriptors.h"

struct walk {
	const uint8_t *at, *end;
};

static bool varint(struct walk *w, uint64_t *ret)
{
	*ret = 0;
	for (unsigned shift = 0; w->at < w->end && shift < 64; shift += 7) {
		uint8_t byte = *w->at++;

		*ret |= (uint64_t)(byte & 127) << shift;
		if (!(byte & 128))
			return true;
	}
	return false;
}

/* The next field; of those that are neither text nor message only the number. */
static bool next_field(struct walk *w, unsigned *ret_number, struct walk *ret_value)
{
	uint64_t key, n;

	if (w->at >= w->end || !varint(w, &key) || !varint(w, &n))
		return false;
	*ret_number = (unsigned)(key >> 3);
	*ret_value = (struct walk){w->at, w->at};
	if ((key & 7) != 2)
		return (key & 7) == 0;
	if (n > (uint64_t)(w->end - w->at))
		return false;
	w->at += n;
	ret_value->end = w->at;
	return true;
}

static void copy(const struct walk *from, char *to, size_t size)
{
	snprintf(to, size, "%.*s", (int)(from->end - from->at), (const char *)from->at);
}

static void add_symbol(struct reflection *r, const char *package, struct walk kind, bool service)
{
	struct walk value;
	unsigned number;
	char name[64];

	while (next_field(&kind, &number, &value) && number != 1)
		;
	if (r->n_symbols == REFLECTION_SYMBOLS_MAX)
		return;
	copy(&value, name, sizeof(name));
	snprintf(r->symbols[r->n_symbols].name, sizeof(r->symbols[0].name), "%s%s%s", package,
		 package[0] ? "." : "", name);
	r->symbols[r->n_symbols].file = r->n_files;
	if (service && r->n_services < REFLECTION_SERVICES_MAX)
		r->services[r->n_services++] = r->symbols[r->n_symbols].name;
	r->n_symbols++;
}

static void add_file(struct reflection *r, struct walk file)
{
	struct reflection_file *f = &r->files[r->n_files];
	struct walk value;
	unsigned number;
	char package[64] = "";

	if (r->n_files == REFLECTION_FILES_MAX)
		return;
	f->data = file.at;
	f->len = (size_t)(file.end - file.at);
	while (next_field(&file, &number, &value)) {
		if (number == 1)
			copy(&value, f->name, sizeof(f->name));
		else if (number == 2)
			copy(&value, package, sizeof(package));
		else if (number >= 4 && number <= 6)
			add_symbol(r, package, value, number == 6);
	}
	r->n_files++;
}

void reflection_init(struct reflection *r)
{
	struct walk set = {embedded, embedded + sizeof(embedded) - 1}, file;
	unsigned number;

	memset(r, 0, sizeof(*r));
	while (next_field(&set, &number, &file)) {
		if (number == 1)
			add_file(r, file);
	}
}

const struct reflection_file *reflection_by_name(const struct reflection *r, const char *name)
{
	for (size_t i = 0; i < r->n_files; i++) {
		if (!strcmp(r->files[i].name, name))
			return &r->files[i];
	}
	return NULL;
}

const struct reflection_file *reflection_by_symbol(const struct reflection *r, const char *symbol)
{
	for (size_t i = 0; i < r->n_symbols; i++) {
		size_t n = strlen(r->symbols[i].name);

		if (!strncmp(r->symbols[i].name, symbol, n) && (!symbol[n] || symbol[n] == '.'))
			return &r->files[r->symbols[i].file];
	}
	return NULL;
}
