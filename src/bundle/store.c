// SPDX-License-Identifier: Apache-2.0
/* Reading the directory of installed bundles, and what of it to serve: see store.h. */
#include "bundle/store.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bundle/store_files.h"

const char *bundle_state_name(enum bundle_state s)
{
	static const char *const names[] = {"unknown", "probation", "proven", "rolled-back"};

	return names[s];
}

int store_join(char *path, const char *directory, const char *name, struct err *e)
{
	if (snprintf(path, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX)
		return err_set(e, -ENAMETOOLONG, "%s: path too long", directory);
	return 0;
}

static int is_bundle(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 4 && n < 200 && !strcmp(d->d_name + n - 4, ".vmw");
}

void store_read_current(const char *model_path, char name[256])
{
	char path[PATH_MAX];
	ssize_t n;

	name[0] = 0;
	if (store_join(path, model_path, STORE_CURRENT, NULL) < 0)
		return;
	n = readlink(path, name, 255);
	name[n > 0 ? n : 0] = 0;
	if (strchr(name, '/'))
		name[0] = 0;
}

/* ---- the list ---- */

void store_list_free(struct store_entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++)
		model_set_free(entries[i].set);
	free(entries);
}

/* What the ledger knows of an entry that loaded. */
static void fill_history(struct store_entry *entry, const struct ledger *l)
{
	const char *reason;

	entry->state = ledger_state(l, entry->set, &reason);
	if (entry->state == BUNDLE_ROLLED_BACK)
		snprintf(entry->reason, sizeof(entry->reason), "%s", reason);
	for (size_t i = 0; i < l->n; i++) {
		if (l->lines[i].event == LEDGER_ACTIVATED && ledger_is(&l->lines[i], entry->set))
			entry->activated_s = l->lines[i].t_ns / 1000000000;
	}
}

struct store_entry *store_find_last(struct store_entry *entries, size_t n, const struct ledger *l,
				    const struct model_set *but)
{
	struct store_entry *found = NULL;
	size_t latest = 0;

	/* The last of the ledger may have been removed: the last of what is there. */
	for (size_t i = 0; i < n; i++) {
		const struct model_set *s = entries[i].set;

		if (!s || entries[i].state == BUNDLE_ROLLED_BACK ||
		    (but && s->sequence == but->sequence && !strcmp(s->name, but->name) &&
		     !strcmp(s->version, but->version)))
			continue;
		for (size_t k = l->n; k > latest; k--) {
			if (l->lines[k - 1].event == LEDGER_ACTIVATED &&
			    ledger_is(&l->lines[k - 1], s)) {
				latest = k;
				found = &entries[i];
				break;
			}
		}
	}
	return found;
}

static void mark_previous(struct store_entry *entries, size_t n, const struct ledger *l)
{
	struct store_entry *previous;

	for (size_t i = 0; i < n; i++) {
		if (!entries[i].current || !entries[i].set)
			continue;
		previous = store_find_last(entries, n, l, entries[i].set);
		if (previous)
			previous->previous = true;
		return;
	}
}

static int list(const char *model_path, const struct trust *t, const struct ledger *l,
		struct store_entry **ret, size_t *ret_n, struct err *e)
{
	struct dirent **names = NULL;
	struct store_entry *entries;
	char current[256];
	int n = scandir(model_path, &names, is_bundle, alphasort);

	if (n < 0)
		return err_errno(e, "model_path %s", model_path);
	entries = calloc((size_t)n + 1, sizeof(*entries));
	store_read_current(model_path, current);
	for (int i = 0; i < n; i++) {
		struct store_entry *entry = &entries[i];
		char path[PATH_MAX];

		if (entries && store_join(path, model_path, names[i]->d_name, &entry->why) == 0) {
			snprintf(entry->file, sizeof(entry->file), "%s", names[i]->d_name);
			entry->current = !strcmp(current, names[i]->d_name);
			if (bundle_load(path, t, &entry->set, entry->key_id, &entry->why) == 0)
				fill_history(entry, l);
		}
		free(names[i]);
	}
	free(names);
	if (!entries)
		return err_nomem(e);
	mark_previous(entries, (size_t)n, l);
	*ret = entries;
	*ret_n = (size_t)n;
	return 0;
}

int store_list_at(const struct store_place *p, const struct trust *t, struct store_entry **ret,
		  size_t *ret_n, struct err *e)
{
	autofree struct ledger *l = NULL;
	int r = ledger_read(p, &l, e);

	return r < 0 ? r : list(p->model_path, t, l, ret, ret_n, e);
}

int store_list(const char *model_path, const struct trust *t, struct store_entry **ret,
	       size_t *ret_n, struct err *e)
{
	const struct store_place p = {.model_path = model_path};

	return store_list_at(&p, t, ret, ret_n, e);
}

/* ---- what to serve ---- */

/* Below the mark only what was activated last may serve: by command, or by a rollback. */
static int check_mark(const struct ledger *l, const struct model_set *s, struct err *e)
{
	const struct ledger_line *last = ledger_last(l, NULL);
	int64_t mark = ledger_mark(l, s->name);

	if (s->sequence >= mark || (last && ledger_is(last, s)))
		return 0;
	return err_set(e, -ERR_STALE,
		       "%s %s has sequence %lld, older than %lld which was active here; `vmwatts "
		       "model activate` serves it all the same",
		       s->name, s->version, (long long)s->sequence, (long long)mark);
}

static int check_candidate(const struct store_entry *entry, const struct ledger *l, int64_t now_s,
			   struct err *e)
{
	const struct model_set *s = entry->set;

	if (!s)
		return err_set(e, entry->why.code, "%s", entry->why.msg);
	if (entry->state == BUNDLE_ROLLED_BACK)
		return err_set(e, -ENOENT, "%s %s was rolled back (%s)", s->name, s->version,
			       entry->reason);
	if (entry->state == BUNDLE_UNKNOWN && s->expires_s && s->expires_s <= now_s)
		return err_set(e, -ERR_STALE, "%s %s has expired", s->name, s->version);
	return check_mark(l, s, e);
}

/* The candidate of the highest sequence, or NULL with the first refusal in e. */
static struct store_entry *highest(struct store_entry *entries, size_t n, const struct ledger *l,
				   int64_t now_s, struct err *e)
{
	struct store_entry *best = NULL;

	for (size_t i = 0; i < n; i++) {
		struct err why = ERR_INIT;

		if (check_candidate(&entries[i], l, now_s, &why) < 0) {
			if (!e->code)
				*e = why;
		} else if (!best || entries[i].set->sequence > best->set->sequence) {
			best = &entries[i];
		}
	}
	return best;
}

/* Without a usable `current`: the version before one rolled back, else the highest sequence. */
static int pick_other(const struct store_place *p, const struct trust *t, const struct ledger *l,
		      int64_t now_s, struct model_set **ret, char *ret_path, struct err *e)
{
	struct store_entry *entries, *best;
	struct err why = ERR_INIT;
	char current[256], path[PATH_MAX];
	size_t n;
	int r = list(p->model_path, t, l, &entries, &n, e);

	if (r < 0)
		return r;
	store_read_current(p->model_path, current);
	best = current[0] ? store_find_last(entries, n, l, NULL) : NULL;
	if (!best)
		best = highest(entries, n, l, now_s, &why);
	if (best && store_join(path, p->model_path, best->file, e) == 0) {
		*ret = steal(best->set);
		if (ret_path)
			strcpy(ret_path, path); /* both PATH_MAX */
	} else if (why.code) {
		r = err_set(e, why.code, "%s", why.msg);
	} else {
		r = err_set(e, -ENOENT, "no bundle in %s", p->model_path);
	}
	store_list_free(entries, n);
	return r;
}

/* `current` itself; *ret stays NULL when it was rolled back. */
static int pick_current(const struct store_place *p, const struct trust *t, const char *file,
			const struct ledger *l, struct model_set **ret, char *path, struct err *e)
{
	struct model_set *s = NULL;
	int r = store_join(path, p->model_path, file, e);

	if (r == 0)
		r = bundle_load(path, t, &s, NULL, e);
	if (r < 0)
		return r;
	if (ledger_state(l, s, NULL) != BUNDLE_ROLLED_BACK) {
		r = check_mark(l, s, e);
		if (r == 0)
			*ret = steal(s);
	}
	model_set_free(s);
	return r;
}

int store_pick(const struct store_place *p, const struct trust *t, int64_t now_s,
	       struct model_set **ret, char *ret_path, struct err *e)
{
	autofree struct ledger *l = NULL;
	struct model_set *s = NULL;
	char current[256], path[PATH_MAX];
	int r = ledger_read(p, &l, e);

	if (r < 0)
		return r;
	store_read_current(p->model_path, current);
	if (current[0])
		r = pick_current(p, t, current, l, &s, path, e);
	if (r < 0)
		return r;
	if (!s)
		return pick_other(p, t, l, now_s, ret, ret_path, e);
	*ret = s;
	if (ret_path)
		strcpy(ret_path, path); /* both PATH_MAX */
	return 0;
}

int store_load_current(const char *model_path, const struct trust *t, struct model_set **ret,
		       char *ret_path, struct err *e)
{
	const struct store_place p = {.model_path = model_path};

	return store_pick(&p, t, (int64_t)time(NULL), ret, ret_path, e);
}

int store_pick_before(const struct store_place *p, const struct trust *t, const struct model_set *s,
		      struct model_set **ret, struct err *e)
{
	autofree struct ledger *l = NULL;
	struct store_entry *entries = NULL, *before;
	size_t n = 0;
	int r = ledger_read(p, &l, e);

	if (r == 0)
		r = list(p->model_path, t, l, &entries, &n, e);
	if (r < 0)
		return r;
	before = store_find_last(entries, n, l, s);
	if (before)
		*ret = steal(before->set);
	else
		r = err_set(e, -ENOENT, "nothing was active before %s %s", s->name, s->version);
	store_list_free(entries, n);
	return r;
}

enum bundle_state store_state(const struct store_place *p, const struct model_set *s)
{
	autofree struct ledger *l = NULL;

	return ledger_read(p, &l, NULL) < 0 ? BUNDLE_UNKNOWN : ledger_state(l, s, NULL);
}
