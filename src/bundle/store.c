// SPDX-License-Identifier: Apache-2.0
/* The directory of installed bundles: see bundle.h. */
#include "bundle/bundle.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define CURRENT "current"

static int join(char *path, const char *directory, const char *name, struct err *e)
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

/* The file that `current` names, or "": a plain name within the store, nothing else. */
static void read_current(const char *model_path, char name[256])
{
	char path[PATH_MAX];
	ssize_t n;

	name[0] = 0;
	if (join(path, model_path, CURRENT, NULL) < 0)
		return;
	n = readlink(path, name, 255);
	name[n > 0 ? n : 0] = 0;
	if (strchr(name, '/'))
		name[0] = 0;
}

void store_list_free(struct store_entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++)
		model_set_free(entries[i].set);
	free(entries);
}

int store_list(const char *model_path, const struct trust *t, struct store_entry **ret,
	       size_t *ret_n, struct err *e)
{
	struct dirent **names = NULL;
	struct store_entry *entries;
	char current[256];
	int n = scandir(model_path, &names, is_bundle, alphasort);

	if (n < 0)
		return err_errno(e, "model_path %s", model_path);
	entries = calloc((size_t)n + 1, sizeof(*entries));
	read_current(model_path, current);
	for (int i = 0; i < n; i++) {
		struct store_entry *entry = &entries[i];
		char path[PATH_MAX];

		if (entries && join(path, model_path, names[i]->d_name, &entry->why) == 0) {
			snprintf(entry->file, sizeof(entry->file), "%s", names[i]->d_name);
			entry->current = !strcmp(current, names[i]->d_name);
			bundle_load(path, t, &entry->set, entry->key_id, &entry->why);
		}
		free(names[i]);
	}
	free(names);
	if (!entries)
		return err_nomem(e);
	*ret = entries;
	*ret_n = (size_t)n;
	return 0;
}

/* The entry of the highest sequence, or NULL with the first refusal in e. */
static struct store_entry *highest(struct store_entry *entries, size_t n, struct err *e)
{
	struct store_entry *best = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!entries[i].set) {
			if (!best)
				*e = entries[i].why;
		} else if (!best || entries[i].set->sequence > best->set->sequence) {
			best = &entries[i];
		}
	}
	return best;
}

int store_load_current(const char *model_path, const struct trust *t, struct model_set **ret,
		       char *ret_path, struct err *e)
{
	struct store_entry *entries, *best = NULL;
	struct err why = ERR_INIT;
	char current[256], path[PATH_MAX];
	size_t n;
	int r;

	read_current(model_path, current);
	if (current[0]) {
		r = join(path, model_path, current, e);
		if (r == 0)
			r = bundle_load(path, t, ret, NULL, e);
		if (r == 0 && ret_path)
			strcpy(ret_path, path); /* both PATH_MAX */
		return r;
	}
	r = store_list(model_path, t, &entries, &n, e);
	if (r < 0)
		return r;
	best = highest(entries, n, &why);
	if (best && join(path, model_path, best->file, e) == 0) {
		*ret = steal(best->set);
		if (ret_path)
			strcpy(ret_path, path); /* both PATH_MAX */
	} else if (why.code) {
		r = err_set(e, why.code, "%s", why.msg);
	} else {
		r = err_set(e, -ENOENT, "no bundle in %s", model_path);
	}
	store_list_free(entries, n);
	return r;
}

/* Make `current` name FILE, atomically. */
static int activate(const char *model_path, const char *file, struct err *e)
{
	char link[PATH_MAX], temporary[PATH_MAX];

	if (join(link, model_path, CURRENT, e) < 0 ||
	    join(temporary, model_path, ".current.new", e) < 0)
		return -ENAMETOOLONG;
	unlink(temporary);
	if (symlink(file, temporary) < 0 || rename(temporary, link) < 0)
		return err_errno(e, "%s", link);
	file_sync_directory(link);
	return 0;
}

/* Whether `s` may follow what the store serves now. */
static int check_fresh(const char *model_path, const struct trust *t, const struct model_set *s,
		       int64_t now_s, bool allow_older, struct err *e)
{
	struct model_set *served = NULL;
	struct err ignored = ERR_INIT;
	int r = 0;

	if (s->expires_s && s->expires_s <= now_s)
		return err_set(e, -ERR_STALE, "%s %s has expired", s->name, s->version);
	if (allow_older || store_load_current(model_path, t, &served, NULL, &ignored) < 0)
		return 0;
	if (!strcmp(served->name, s->name) && served->sequence > s->sequence)
		r = err_set(e, -ERR_STALE,
			    "%s %s has sequence %lld, older than %lld which is served; "
			    "--allow-older installs it all the same",
			    s->name, s->version, (long long)s->sequence,
			    (long long)served->sequence);
	model_set_free(served);
	return r;
}

static int copy_in(const char *model_path, const char *bundle, const struct model_set *s,
		   const char *data, size_t len, char file[256], struct err *e)
{
	char source_sig[PATH_MAX], target[PATH_MAX], target_sig[PATH_MAX];
	autofree char *sig = NULL;
	size_t sig_len;
	int r;

	snprintf(file, 256, "%s-%s.vmw", s->name, s->version);
	if (mkdir(model_path, 0700) < 0 && errno != EEXIST)
		return err_errno(e, "model_path %s", model_path);
	r = join(target, model_path, file, e);
	if (r == 0 && (snprintf(source_sig, PATH_MAX, "%s.minisig", bundle) >= PATH_MAX ||
		       snprintf(target_sig, PATH_MAX, "%s.minisig", target) >= PATH_MAX))
		r = err_set(e, -ENAMETOOLONG, "%s: path too long", bundle);
	if (r == 0)
		r = file_read(source_sig, 4096, true, &sig, &sig_len, e);
	/* A file of that name may be the one that is served: never half of it. */
	if (r == 0)
		r = file_replace(target_sig, 0600, sig, sig_len, e);
	if (r == 0)
		r = file_replace(target, 0600, data, len, e);
	return r;
}

int store_install(const char *model_path, const char *bundle, const struct trust *t, int64_t now_s,
		  bool allow_older, char *ret_path, struct err *e)
{
	autofree char *data = NULL;
	struct model_set *s = NULL;
	char file[256];
	size_t len;
	int r = file_read(bundle, BUNDLE_MAX_BYTES, true, &data, &len, e);

	if (r < 0)
		return r;
	r = bundle_verify_bytes(bundle, t, data, len, &s, NULL, e);
	if (r < 0)
		return err_prefix(e, "%s", bundle);
	r = check_fresh(model_path, t, s, now_s, allow_older, e);
	if (r == 0)
		r = copy_in(model_path, bundle, s, data, len, file, e);
	if (r == 0)
		r = activate(model_path, file, e);
	if (r == 0 && ret_path)
		r = join(ret_path, model_path, file, e);
	model_set_free(s);
	return r;
}
