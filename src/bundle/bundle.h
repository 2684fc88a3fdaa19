/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUNDLE_BUNDLE_H
#define BUNDLE_BUNDLE_H

/*
 * The bundle file: a model set as bytes (docs/formats/bundle.md), and its
 * signature beside it in minisign's format. The signature is verified before
 * one byte of the bundle is parsed.
 */

#include "base/bytes.h"
#include "base/err.h"
#include "model/model.h"

#define BUNDLE_MAX_BYTES (16u << 20) /* what a reader accepts at all */

/* Serialise `s` to w. ERR_DATA when the set does not pass model_set_check. */
int bundle_write(const struct model_set *s, struct byte_writer *w, struct err *e);

/*
 * Parse bytes already verified. On success *ret is a new set (release with
 * model_set_free), else untouched.
 */
int bundle_parse(const void *data, size_t len, struct model_set **ret, struct err *e);

/* Trusted public keys, each with the bundle names it may sign. */
struct trust; /* owned by the caller of trust_load_* */

/* One minisign public key file; may sign any name. */
int trust_load_file(const char *path, struct trust **ret, struct err *e);

/*
 * Every NAME.pub of a directory. NAME.scope beside it, when present, lists
 * the bundle names it may sign, one shell pattern a line. A directory or key
 * that group or others may write is refused, and one that this process itself
 * may write unless it is root. An empty or missing directory gives zero keys,
 * not an error.
 */
int trust_load_directory(const char *path, struct trust **ret, struct err *e);
size_t trust_count(const struct trust *t);
void trust_free(struct trust *t);

/*
 * Read PATH and PATH.minisig, verify, parse. A file that group or others may
 * write is refused. `ret_key_id` (17 bytes) may be NULL. Codes:
 * ERR_SIGNATURE, ERR_FORMAT, or -errno; one sentence each.
 */
int bundle_load(const char *path, const struct trust *t, struct model_set **ret, char *ret_key_id,
		struct err *e);

/*
 * As bundle_load for bytes already read from PATH; the signature is read from
 * PATH.minisig. What was verified is what is parsed, whatever happens to the file.
 */
int bundle_verify_bytes(const char *path, const struct trust *t, const void *data, size_t len,
			struct model_set **ret, char *ret_key_id, struct err *e);

/*
 * The store is a directory of NAME-VERSION.vmw files with their signatures,
 * and a link `current` to the one that is served. Where nothing was ever
 * activated (a read-only ConfigMap), the verified bundle of the highest
 * sequence is served. -ENOENT with no candidate. `ret_path` (PATH_MAX bytes)
 * may be NULL.
 */
int store_load_current(const char *model_path, const struct trust *t, struct model_set **ret,
		       char *ret_path, struct err *e);

/*
 * Verify BUNDLE and put it into the store as NAME-VERSION.vmw, mode 0600, then
 * activate it. Refused with ERR_STALE: expired at `now_s`; or of a lower
 * sequence than the one served, unless `allow_older`. Every step is atomic:
 * the store serves the old or the new bundle, never half of one.
 */
int store_install(const char *model_path, const char *bundle, const struct trust *t, int64_t now_s,
		  bool allow_older, char *ret_path, struct err *e);

struct store_entry {
	char file[256]; /* name within the store */
	bool current;
	struct model_set *set; /* NULL: refused, and `why` says so */
	char key_id[17];
	struct err why;
};

/* Every *.vmw of the store by name; free with store_list_free. */
int store_list(const char *model_path, const struct trust *t, struct store_entry **ret,
	       size_t *ret_n, struct err *e);
void store_list_free(struct store_entry *entries, size_t n);

#endif
