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

/* Parse bytes already verified. On success *ret is a new set, else untouched. */
int bundle_parse(const void *data, size_t len, struct model_set **ret, struct err *e);

/* Trusted public keys, each with the bundle names it may sign. */
struct trust; /* owned by the caller of trust_load_* */

/* One minisign public key file; may sign any name. */
int trust_load_file(const char *path, struct trust **ret, struct err *e);

/*
 * Every NAME.pub of a directory. NAME.scope beside it, when present, lists
 * the bundle names it may sign, one shell pattern a line. A directory or key
 * that group or others may write is refused; one that this process may write
 * too unless `owner_may_write` (root installs its own keys). An empty or
 * missing directory gives zero keys, not an error.
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
 * The bundle to serve from a model directory: the link `current`, else the
 * verified *.vmw file of the highest sequence. -ENOENT with no candidate.
 * `ret_path` (PATH_MAX) may be NULL.
 */
int store_load_current(const char *model_path, const struct trust *t, struct model_set **ret,
		       char *ret_path, struct err *e);

#endif
