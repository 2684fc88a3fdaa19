// SPDX-License-Identifier: Apache-2.0
/*
 * Changing the store: see store.h. Each change is a few renames, in an order in
 * which every prefix serves the bundle before or the bundle after:
 *
 *   install   signatures, bundle, `current`, ledger
 *   an older  signatures, bundle, ledger, `current`: the ledger lets it serve
 *   rollback  ledger, `current`: from the ledger on, the version before serves
 *
 * Nothing is written through a link: new files are made with O_EXCL and moved
 * into place, and the link itself is replaced, not followed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "bundle/store_files.h"

#define SIGNATURE_MAX 4096
#define LOCK_TRIES    200 /* of 10 ms */

/* One change at a time; the directory itself is what is locked. -EBUSY. */
static int lock_store(const char *model_path, int *ret_fd, struct err *e)
{
	autofd int fd = open(model_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, "model_path %s", model_path);
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		const struct timespec wait = {0, 10000000};

		if (errno != EWOULDBLOCK || i == LOCK_TRIES)
			return err_set(e, -EBUSY, "model_path %s is being changed by another",
				       model_path);
		nanosleep(&wait, NULL);
	}
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* What killed writers left: NAME.new-PID, which nobody reads. */
static void sweep(const char *model_path)
{
	DIR *d = opendir(model_path);

	for (struct dirent *at; d && (at = readdir(d));) {
		if (file_is_temporary(at->d_name))
			unlinkat(dirfd(d), at->d_name, 0);
	}
	if (d)
		closedir(d);
}

/* Make `current` name FILE, atomically. */
static int point_to(const char *model_path, const char *file, struct err *e)
{
	char link[PATH_MAX], temporary[PATH_MAX];

	if (store_join(link, model_path, STORE_CURRENT, e) < 0 ||
	    store_join(temporary, model_path, ".current.new", e) < 0)
		return -ENAMETOOLONG;
	unlink(temporary);
	if (symlink(file, temporary) < 0 || rename(temporary, link) < 0)
		return err_errno(e, "%s", link);
	file_sync_directory(link);
	return 0;
}

static int switch_to(const struct store_place *p, const char *file, const struct model_set *s,
		     struct err *e)
{
	autofree struct ledger *l = NULL;
	bool older;
	int r = ledger_read(p, &l, e);

	if (r < 0)
		return r;
	older = s->sequence < ledger_mark(l, s->name);
	if (older)
		r = ledger_append(p, LEDGER_ACTIVATED, s, NULL, e);
	if (r == 0)
		r = point_to(p->model_path, file, e);
	if (r == 0 && !older)
		r = ledger_append(p, LEDGER_ACTIVATED, s, NULL, e);
	return r;
}

/* ---- install ---- */

static int check_expiry(const struct model_set *s, int64_t now_s, struct err *e)
{
	if (s->expires_s && s->expires_s <= now_s)
		return err_set(e, -ERR_STALE, "%s %s has expired", s->name, s->version);
	return 0;
}

/* Whether `s` may follow what the store serves and served. */
static int check_fresh(const struct store_place *p, const struct trust *t,
		       const struct model_set *s, struct err *e)
{
	autofree struct ledger *l = NULL;
	struct model_set *served = NULL;
	struct err ignored = ERR_INIT;
	const char *reason;
	int64_t mark;
	int r = ledger_read(p, &l, e);

	if (r < 0)
		return r;
	if (ledger_state(l, s, &reason) == BUNDLE_ROLLED_BACK)
		return err_set(e, -ERR_STALE,
			       "%s %s was rolled back here (%s); `vmwatts model activate` or "
			       "--allow-older serves it again",
			       s->name, s->version, reason);
	mark = ledger_mark(l, s->name);
	if (store_load_current(p->model_path, t, &served, NULL, &ignored) == 0) {
		if (!strcmp(served->name, s->name) && served->sequence > mark)
			mark = served->sequence;
		model_set_free(served);
	}
	if (mark > s->sequence)
		return err_set(e, -ERR_STALE,
			       "%s %s has sequence %lld, older than %lld which is or was served; "
			       "--allow-older installs it all the same",
			       s->name, s->version, (long long)s->sequence, (long long)mark);
	return 0;
}

/* SOURCE's signatures beside TARGET, and no more than those. */
static int copy_signatures(const char *source, const char *target, struct err *e)
{
	for (unsigned i = 1; i <= BUNDLE_SIGNATURES_MAX; i++) {
		char from[PATH_MAX], to[PATH_MAX];
		autofree char *sig = NULL;
		struct err why = ERR_INIT;
		size_t len;
		int r = bundle_signature_path(source, i, from, &why);

		if (r == 0)
			r = bundle_signature_path(target, i, to, &why);
		if (r == 0)
			r = file_read(from, SIGNATURE_MAX, true, &sig, &len, &why);
		if (r == 0)
			r = file_replace(to, 0600, sig, len, &why);
		else if (r == -ENOENT && i > 1)
			r = unlink(to) < 0 && errno != ENOENT ? err_errno(&why, "%s", to) : 0;
		if (r < 0)
			return err_set(e, r, "%s", why.msg);
	}
	return 0;
}

/* Whether PATH holds exactly those bytes. */
static bool holds(const char *path, const char *data, size_t len)
{
	autofree char *old = NULL;
	struct err absent = ERR_INIT;
	size_t old_len;

	return file_read(path, BUNDLE_MAX_BYTES, true, &old, &old_len, &absent) == 0 &&
	       old_len == len && !memcmp(old, data, len);
}

/*
 * FILE is active and holds another bundle: a pair of files cannot be replaced in one step, so that
 * bundle serves on as NAME-VERSION.old.vmw while FILE and its signatures change.
 */
static int move_aside(const char *model_path, const char *file, struct err *e)
{
	char old[256], from[PATH_MAX], to[PATH_MAX];
	autofree char *data = NULL;
	size_t len;
	int r;

	snprintf(old, sizeof(old), "%.*s.old.vmw", (int)(strlen(file) - 4), file);
	r = store_join(from, model_path, file, e);
	if (r == 0)
		r = store_join(to, model_path, old, e);
	if (r == 0)
		r = file_read(from, BUNDLE_MAX_BYTES, true, &data, &len, e);
	if (r == 0)
		r = copy_signatures(from, to, e);
	if (r == 0)
		r = file_replace(to, 0600, data, len, e);
	return r == 0 ? point_to(model_path, old, e) : r;
}

static int copy_in(const char *model_path, const char *bundle, const struct model_set *s,
		   const char *data, size_t len, char file[256], struct err *e)
{
	char target[PATH_MAX], current[256];
	struct stat st;
	int r;

	snprintf(file, 256, "%s-%s.vmw", s->name, s->version);
	r = store_join(target, model_path, file, e);
	if (r < 0)
		return r;
	if (holds(target, data, len))
		return copy_signatures(bundle, target, e);
	store_read_current(model_path, current);
	if (!strcmp(current, file) && lstat(target, &st) == 0)
		r = move_aside(model_path, file, e);
	else if (unlink(target) < 0 && errno != ENOENT) /* never under another's signature */
		r = err_errno(e, "%s", target);
	if (r == 0)
		r = copy_signatures(bundle, target, e);
	return r == 0 ? file_replace(target, 0600, data, len, e) : r;
}

/* NAME-VERSION may be split elsewhere: a-1 2 and a 1-2 are the same file. */
static int check_file(const struct store_place *p, const struct trust *t, const struct model_set *s,
		      struct err *e)
{
	struct model_set *old = NULL;
	struct err ignored = ERR_INIT;
	char file[256], path[PATH_MAX];
	int r;

	snprintf(file, sizeof(file), "%s-%s.vmw", s->name, s->version);
	r = store_join(path, p->model_path, file, e);
	if (r < 0 || bundle_load(path, t, &old, NULL, &ignored) < 0)
		return r;
	if (strcmp(old->name, s->name) != 0 || strcmp(old->version, s->version) != 0)
		r = err_set(
			e, -EEXIST,
			"%s holds %s in version %s, whose place %s in version %s would take: give "
			"it another name or version",
			path, old->name, old->version, s->name, s->version);
	model_set_free(old);
	return r;
}

static int install_locked(const struct store_place *p, const char *bundle, const struct trust *t,
			  const struct model_set *s, bool allow_older, const char *data, size_t len,
			  char *ret_path, struct err *e)
{
	char file[256];
	int r = allow_older ? 0 : check_fresh(p, t, s, e);

	sweep(p->model_path);
	if (r == 0)
		r = check_file(p, t, s, e);
	if (r == 0)
		r = copy_in(p->model_path, bundle, s, data, len, file, e);
	if (r == 0)
		r = switch_to(p, file, s, e);
	if (r == 0 && ret_path)
		r = store_join(ret_path, p->model_path, file, e);
	return r;
}

int store_install(const char *model_path, const char *bundle, const struct trust *t, int64_t now_s,
		  bool allow_older, char *ret_path, struct err *e)
{
	const struct store_place p = {.model_path = model_path};
	autofree char *data = NULL;
	struct model_set *s = NULL;
	autofd int lock = -1;
	size_t len;
	int r = file_read(bundle, BUNDLE_MAX_BYTES, true, &data, &len, e);

	if (r < 0)
		return r;
	r = bundle_verify_bytes(bundle, t, data, len, &s, NULL, e);
	if (r < 0)
		return err_prefix(e, "%s", bundle);
	r = check_expiry(s, now_s, e);
	if (r == 0 && mkdir(model_path, 0700) < 0 && errno != EEXIST)
		r = err_errno(e, "model_path %s", model_path);
	if (r == 0)
		r = lock_store(model_path, &lock, e);
	if (r == 0)
		r = install_locked(&p, bundle, t, s, allow_older, data, len, ret_path, e);
	model_set_free(s);
	return r;
}

/* ---- activate, roll back ---- */

int store_activate(const struct store_place *p, const char *version, const struct trust *t,
		   int64_t now_s, struct err *e)
{
	size_t n = strlen(version);
	bool whole = n > 4 && !strcmp(version + n - 4, ".vmw");
	struct model_set *s = NULL;
	char path[PATH_MAX], file[256];
	autofd int lock = -1;
	int r;

	if (strchr(version, '/') || version[0] == '.' || n > 190)
		return err_set(e, -ERR_USAGE,
			       "'%.80s': NAME-VERSION is needed, as `model list` "
			       "shows them",
			       version);
	snprintf(file, sizeof(file), "%s%s", version, whole ? "" : ".vmw");
	r = store_join(path, p->model_path, file, e);
	if (r == 0)
		r = lock_store(p->model_path, &lock, e);
	if (r == 0)
		r = bundle_load(path, t, &s, NULL, e);
	if (r == 0)
		r = check_expiry(s, now_s, e);
	if (r == 0)
		r = switch_to(p, file, s, e);
	/* A store that cannot be written has no link to change: the ledger lets it serve. */
	if (s && (r == -EROFS || r == -EACCES || r == -EPERM) && p->state_dir)
		r = ledger_append(p, LEDGER_ACTIVATED, s, NULL, e);
	model_set_free(s);
	return r;
}

/* With the store locked. -ENOENT with nothing to go back to: then `current` stays. */
static int point_to_previous(const struct store_place *p, const struct trust *t,
			     const struct model_set *s, struct err *e)
{
	autofree struct ledger *l = NULL;
	struct store_entry *entries = NULL, *previous;
	char current[256];
	size_t n = 0;
	int r = ledger_read(p, &l, e);

	if (r == 0)
		r = store_list_at(p, t, &entries, &n, e);
	if (r < 0)
		return r;
	store_read_current(p->model_path, current);
	previous = store_find_last(entries, n, l, s);
	if (!previous)
		r = err_set(e, -ENOENT, "nothing was active before %s %s", s->name, s->version);
	else if (current[0])
		r = point_to(p->model_path, previous->file, e);
	store_list_free(entries, n);
	return r;
}

int store_roll_back(const struct store_place *p, const struct trust *t, const struct model_set *s,
		    const char *reason, struct err *e)
{
	struct err ignored = ERR_INIT;
	autofd int lock = -1;
	int r = lock_store(p->model_path, &lock, e);

	if (r == 0)
		r = ledger_append(p, LEDGER_ROLLED_BACK, s, reason, e);
	/* From here on the version before serves, whether or not the link can be moved. */
	if (r == 0)
		point_to_previous(p, t, s, &ignored);
	return r;
}

/* `current` is refused: mark it as rolled back where the ledger knows which version it was. */
static int mark_refused(const struct store_place *p, const struct ledger *l, struct err *e)
{
	const struct ledger_line *last = ledger_last(l, NULL);
	struct model_set gone = {.sequence = last ? last->sequence : 0};
	char current[256], file[256];

	store_read_current(p->model_path, current);
	if (!last)
		return 0;
	snprintf(file, sizeof(file), "%s-%s.vmw", last->name, last->version);
	if (strcmp(file, current) != 0)
		return 0;
	memcpy(gone.name, last->name, sizeof(gone.name));
	memcpy(gone.version, last->version, sizeof(gone.version));
	return ledger_append(p, LEDGER_ROLLED_BACK, &gone, "refused", e);
}

/* What the store should serve is refused: activate the last that was active and is not. */
static int leave_refused(const struct store_place *p, const struct trust *t, struct err *e)
{
	autofree struct ledger *l = NULL;
	struct store_entry *entries = NULL, *last = NULL;
	struct err why = ERR_INIT;
	size_t n = 0;
	int r = e->code;

	if (ledger_read(p, &l, &why) == 0 && store_list_at(p, t, &entries, &n, &why) == 0)
		last = store_find_last(entries, n, l, NULL);
	if (last) {
		*e = (struct err)ERR_INIT;
		r = mark_refused(p, l, e);
		if (r == 0)
			r = store_activate(p, last->file, t, (int64_t)time(NULL), e);
	} else if (n) {
		why = *e;
		err_set(e, r,
			"%s; nothing that was active before can be served: `vmwatts model list` "
			"says what there is, `vmwatts model activate` serves it",
			why.msg);
	}
	store_list_free(entries, n);
	return r;
}

int store_roll_back_current(const struct store_place *p, const struct trust *t, struct err *e)
{
	autofree struct ledger *l = NULL;
	struct model_set *s = NULL;
	struct store_entry *entries = NULL;
	size_t n = 0;
	int r = store_pick(p, t, (int64_t)time(NULL), &s, NULL, e);

	if (r < 0)
		return leave_refused(p, t, e);
	r = ledger_read(p, &l, e);
	if (r == 0)
		r = store_list_at(p, t, &entries, &n, e);
	if (r == 0 && !store_find_last(entries, n, l, s))
		r = err_set(e, -ENOENT, "nothing was active before %s %s", s->name, s->version);
	if (r == 0)
		r = store_roll_back(p, t, s, "operator", e);
	store_list_free(entries, n);
	model_set_free(s);
	return r;
}

/* ---- what the agent notes ---- */

static int note(const struct store_place *p, const struct model_set *s, enum ledger_event event,
		enum bundle_state unless, struct err *e)
{
	autofd int lock = -1;
	int r = 0;

	if (store_state(p, s) >= unless)
		return 0;
	r = lock_store(p->model_path, &lock, e);
	return r == 0 ? ledger_append(p, event, s, NULL, e) : r;
}

int store_note_served(const struct store_place *p, const struct model_set *s, struct err *e)
{
	return note(p, s, LEDGER_ACTIVATED, BUNDLE_PROBATION, e);
}

int store_note_proven(const struct store_place *p, const struct model_set *s, struct err *e)
{
	return note(p, s, LEDGER_PROVEN, BUNDLE_PROVEN, e);
}

/* ---- gc ---- */

static int by_sequence_falling(const void *a, const void *b)
{
	const struct store_entry *x = a, *y = b;
	int64_t i = x->set ? x->set->sequence : INT64_MIN;
	int64_t k = y->set ? y->set->sequence : INT64_MIN;

	return (i < k) - (i > k);
}

/* The bundle goes before its signatures: without them it would be refused. */
static int remove_version(const struct store_place *p, const struct store_entry *entry,
			  struct err *e)
{
	char path[PATH_MAX], sig[PATH_MAX];
	int r = store_join(path, p->model_path, entry->file, e);

	if (r < 0)
		return r;
	if (unlink(path) < 0)
		return err_errno(e, "%s", path);
	for (unsigned i = 1; i <= BUNDLE_SIGNATURES_MAX; i++) {
		if (bundle_signature_path(path, i, sig, NULL) == 0)
			unlink(sig);
	}
	return ledger_append(p, LEDGER_REMOVED, entry->set, NULL, e);
}

int store_gc(const struct store_place *p, const struct trust *t, size_t keep,
	     struct store_gc_report *ret, struct err *e)
{
	struct store_gc_report report = {.removed = 0};
	struct store_entry *entries = NULL;
	size_t n = 0, kept = 0;
	autofd int lock = -1;
	int r;

	if (keep < STORE_KEEP_MIN)
		return err_set(e, -ERR_USAGE, "--keep: at least %d versions are kept",
			       STORE_KEEP_MIN);
	r = lock_store(p->model_path, &lock, e);
	if (r == 0)
		r = store_list_at(p, t, &entries, &n, e);
	if (n)
		qsort(entries, n, sizeof(*entries), by_sequence_falling);
	for (size_t i = 0; i < n && r == 0; i++) {
		if (!entries[i].set) {
			report.unverified++;
			continue;
		}
		if (entries[i].current || entries[i].previous || kept < keep) {
			kept++;
			continue;
		}
		r = remove_version(p, &entries[i], e);
		report.removed += r == 0;
	}
	if (r == 0)
		sweep(p->model_path);
	store_list_free(entries, n);
	if (r == 0 && ret)
		*ret = report;
	return r;
}
