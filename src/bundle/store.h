/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUNDLE_STORE_H
#define BUNDLE_STORE_H

/*
 * The store is a directory of NAME-VERSION.vmw files with their signatures, a
 * link `current` to the one that is served, and a ledger of what happened
 * (ledger.h). Where nothing was ever activated (a read-only ConfigMap), the
 * verified bundle of the highest sequence is served. Every change is one
 * rename: a kill at any system call leaves a store that serves the bundle
 * before or the bundle after.
 */

#include "bundle/bundle.h"

#define STORE_KEEP_MIN	 3
#define STORE_REASON_MAX 48

struct store_place {
	const char *model_path;
	const char *state_dir; /* where the ledger goes if model_path is read-only; may be NULL */
};

enum bundle_state {
	BUNDLE_UNKNOWN,	    /* never activated */
	BUNDLE_PROBATION,   /* activated, not yet proven */
	BUNDLE_PROVEN,	    /* served through its probation */
	BUNDLE_ROLLED_BACK, /* taken back; served again only by command */
};

const char *bundle_state_name(enum bundle_state s);

/*
 * What the store serves: `current`, unless that was rolled back, then the
 * version before it. Refused with ERR_STALE: below the high-water mark of its
 * name unless it was activated last; and, without `current`, expired at
 * `now_s` and never served. -ENOENT with no candidate. `ret_path` (PATH_MAX
 * bytes) may be NULL.
 */
int store_pick(const struct store_place *p, const struct trust *t, int64_t now_s,
	       struct model_set **ret, char *ret_path, struct err *e);

/* store_pick of a store by itself, now. */
int store_load_current(const char *model_path, const struct trust *t, struct model_set **ret,
		       char *ret_path, struct err *e);

/*
 * Verify BUNDLE and put it into the store as NAME-VERSION.vmw, mode 0600, then
 * activate it. -EEXIST: that file is of another name and version. Refused with
 * ERR_STALE: expired at `now_s`; or, unless `allow_older`, of a lower sequence
 * than was ever active under its name, or rolled back here. Another bundle of
 * that name and version that is active goes on as
 * NAME-VERSION.old.vmw. `ret_path` (PATH_MAX bytes) may be NULL.
 */
int store_install(const char *model_path, const char *bundle, const struct trust *t, int64_t now_s,
		  bool allow_older, char *ret_path, struct err *e);

/*
 * Activate NAME-VERSION, which is in the store; older than the one served is
 * fine, expired is not. A version that was rolled back is on probation again.
 */
int store_activate(const struct store_place *p, const char *version, const struct trust *t,
		   int64_t now_s, struct err *e);

/*
 * Mark `s` as rolled back for `reason` (one word) and let `current` name the
 * version before it, where there is one and the store can be written.
 */
int store_roll_back(const struct store_place *p, const struct trust *t, const struct model_set *s,
		    const char *reason, struct err *e);

/*
 * As an operator: roll back what is current; -ENOENT where nothing came before. Where it is
 * refused, the last that was active and is not is activated.
 */
int store_roll_back_current(const struct store_place *p, const struct trust *t, struct err *e);

/* `s` is served for the first time; nothing where the ledger says so already. */
int store_note_served(const struct store_place *p, const struct model_set *s, struct err *e);

/* `s` served through its probation. */
int store_note_proven(const struct store_place *p, const struct model_set *s, struct err *e);

/* The version active before `s` that was not rolled back. -ENOENT: none. */
int store_pick_before(const struct store_place *p, const struct trust *t, const struct model_set *s,
		      struct model_set **ret, struct err *e);

/* What the ledger says of `s`. */
enum bundle_state store_state(const struct store_place *p, const struct model_set *s);

struct store_gc_report {
	size_t removed;
	size_t unverified; /* bundles that cannot be verified: not ours to remove */
};

/*
 * Remove versions but the `keep` of highest sequence, the current one and the
 * one before. -ERR_USAGE under STORE_KEEP_MIN. `ret` may be NULL.
 */
int store_gc(const struct store_place *p, const struct trust *t, size_t keep,
	     struct store_gc_report *ret, struct err *e);

struct store_entry {
	char file[256]; /* name within the store */
	bool current, previous;
	enum bundle_state state;
	char reason[STORE_REASON_MAX]; /* why it was rolled back */
	int64_t activated_s;	       /* the last time; 0: never */
	struct model_set *set;	       /* NULL: refused, and `why` says so */
	char key_id[17];
	struct err why;
};

/* Every *.vmw of the store by name; free with store_list_free. */
int store_list(const char *model_path, const struct trust *t, struct store_entry **ret,
	       size_t *ret_n, struct err *e);
int store_list_at(const struct store_place *p, const struct trust *t, struct store_entry **ret,
		  size_t *ret_n, struct err *e);
void store_list_free(struct store_entry *entries, size_t n);

#endif
