// SPDX-License-Identifier: Apache-2.0
/* What is remembered of recordings: see ledger.h. */
#include "retrain/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/text.h"

#define LEDGER_MAX (64u << 20)
#define FIELDS	   6

static const char *const fate_names[FATE_COUNT] = {"importing", "imported", "refused"};

struct ledger_entry *ledger_find(const struct ledger *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++) {
		if (!strcmp(l->entries[i].name, name))
			return &l->entries[i];
	}
	return NULL;
}

struct ledger_entry *ledger_add(struct ledger *l)
{
	struct ledger_entry *grown = realloc(l->entries, (l->n + 1) * sizeof(*grown));

	if (!grown)
		return NULL;
	l->entries = grown;
	grown[l->n] = (struct ledger_entry){.round = 0};
	return &grown[l->n++];
}

void ledger_release(struct ledger *l)
{
	free(l->entries);
	*l = (struct ledger){0};
}

static bool parse_entry(char *line, struct ledger_entry *ret)
{
	char *field[FIELDS];
	uint64_t rows;
	int k = 0;

	for (size_t i = 0; i < FIELDS; i++) {
		field[i] = strsep(&line, "\t");
		if (!field[i])
			return false;
	}
	while (k < FATE_COUNT && strcmp(field[1], fate_names[k]) != 0)
		k++;
	if (k == FATE_COUNT || parse_i64(field[0], &ret->round) < 0 ||
	    parse_u64(field[3], &rows) < 0)
		return false;
	ret->fate = (enum fate)k;
	ret->rows = rows;
	snprintf(ret->stamp, sizeof(ret->stamp), "%s", field[2]);
	snprintf(ret->name, sizeof(ret->name), "%s", field[4]);
	snprintf(ret->reason, sizeof(ret->reason), "%s", field[5]);
	return true;
}

int ledger_load(const struct work *w, struct ledger *ret, struct err *e)
{
	struct ledger l = {0};
	autofree char *text = NULL;
	char path[PATH_MAX], *at, *line;
	struct err why = ERR_INIT;
	size_t len;
	int r = file_read(work_file(w, "recordings", path), LEDGER_MAX, true, &text, &len, &why);

	if (r < 0 && r != -ENOENT)
		return err_set(e, r, "%s", why.msg);
	r = 0;
	for (at = text; at && *at;) {
		struct ledger_entry *entry = ledger_add(&l);

		line = strsep(&at, "\n");
		if (entry && parse_entry(line, entry))
			continue;
		r = entry ? err_set(e, -ERR_FORMAT, "%s is damaged", path) : err_nomem(e);
		ledger_release(&l);
		return r;
	}
	*ret = l;
	return 0;
}

int ledger_save(const struct work *w, const struct ledger *l, struct err *e)
{
	struct text t = {0};
	char path[PATH_MAX];
	int r;

	for (size_t i = 0; i < l->n; i++) {
		const struct ledger_entry *entry = &l->entries[i];

		text_printf(&t, "%lld\t%s\t%s\t%zu\t%s\t%s\n", (long long)entry->round,
			    fate_names[entry->fate], entry->stamp, entry->rows, entry->name,
			    entry->reason);
	}
	r = t.failed ? err_nomem(e)
		     : file_replace(work_file(w, "recordings", path), 0600, t.s ? t.s : "", t.len,
				    e);
	text_release(&t);
	return r;
}
