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

/* Serialise `s` to w, which is empty, and read it back. ERR_DATA when the set does not pass
 * model_set_check. */
int bundle_write(const struct model_set *s, struct byte_writer *w, struct err *e);

/*
 * Parse bytes already verified. On success *ret is a new set (release with
 * model_set_free), else untouched.
 */
int bundle_parse(const void *data, size_t len, struct model_set **ret, struct err *e);

/* Trusted public keys, each with the bundle names it may sign. */
struct trust; /* owned by the caller of trust_load_* */

/* One minisign public key file; may sign any name. Refused where group or others may write it. */
int trust_load_file(const char *path, struct trust **ret, struct err *e);

/*
 * Every NAME.pub of a directory. NAME.scope beside it, when present, lists
 * the bundle names it may sign, one shell pattern a line. A directory or key
 * that group or others may write is refused, and one that this process itself
 * may write unless it is root. An empty or missing directory gives zero keys,
 * not an error. Keys for the bundles of a store (NULL: of none) are refused
 * where they are in it, or lead into it.
 */
int trust_load_directory(const char *path, const char *store, struct trust **ret, struct err *e);

/* Either: PATH is such a directory, or one key. */
int trust_load(const char *path, const char *store, struct trust **ret, struct err *e);

/*
 * From here on a bundle must be signed by that many different trusted keys,
 * all of them with its name in their scope; 1 when nothing was said.
 */
void trust_require(struct trust *t, unsigned keys);
size_t trust_count(const struct trust *t);
void trust_free(struct trust *t);

#define BUNDLE_SIGNATURES_MAX 9

/*
 * Where signature `i` (1..BUNDLE_SIGNATURES_MAX) of the bundle PATH is:
 * PATH.minisig, PATH.minisig.2, ... `ret` holds PATH_MAX bytes.
 */
int bundle_signature_path(const char *path, unsigned i, char *ret, struct err *e);

/*
 * Read PATH and PATH.minisig (and .minisig.2 ... while they are there), verify, parse. A file that
 * group or others may write is refused. `ret_key_id` (17 bytes) may be NULL. Codes: ERR_SIGNATURE,
 * ERR_FORMAT, or -errno; one sentence each.
 */
int bundle_load(const char *path, const struct trust *t, struct model_set **ret, char *ret_key_id,
		struct err *e);

/*
 * As bundle_load for bytes already read from PATH; signatures are read from
 * beside PATH. What was verified is what is parsed, whatever happens to the file.
 */
int bundle_verify_bytes(const char *path, const struct trust *t, const void *data, size_t len,
			struct model_set **ret, char *ret_key_id, struct err *e);

#endif
