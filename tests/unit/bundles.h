/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUNDLES_H
#define BUNDLES_H

/* A folder with keys, and signed bundles in it, for tests of stores. */
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "bundle/minisign.h"
#include "bundle/store.h"
#include "test.h"

#include "sets.h"

#define BUNDLES_KEYS 3

struct bundles {
	char dir[64];
	char store[80], keys[80];
	struct secret_key secret[BUNDLES_KEYS];
	struct public_key public[BUNDLES_KEYS];
	struct trust *trust; /* of all keys */
};

static inline void bundles_setup(struct bundles *b)
{
	struct err e = ERR_INIT;

	strcpy(b->dir, "/tmp/vmwatts-test-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->store, sizeof(b->store), "%s/store", b->dir);
	snprintf(b->keys, sizeof(b->keys), "%s/keys", b->dir);
	assert_int_equal(mkdir(b->keys, 0755), 0);
	for (int i = 0; i < BUNDLES_KEYS; i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/K%d.pub", b->keys, i);
		assert_int_equal(minisign_keygen(&b->secret[i], &b->public[i], &e), 0);
		assert_int_equal(public_key_write(&b->public[i], path, &e), 0);
	}
	assert_int_equal(trust_load_directory(b->keys, NULL, &b->trust, &e), 0);
}

static inline void bundles_teardown(struct bundles *b)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", b->dir);
	assert_int_equal(system(command), 0); /* our own mkdtemp name */
	trust_free(b->trust);
}

/* Sign the file PATH with key `key`, as signature `i`. */
static inline void bundles_sign(const struct bundles *b, const char *path, int key, unsigned i)
{
	char sig_path[PATH_MAX];
	struct err e = ERR_INIT;
	struct text sig = {0};
	char *data;
	size_t len;

	assert_int_equal(file_read(path, BUNDLE_MAX_BYTES, true, &data, &len, &e), 0);
	assert_int_equal(minisign_sign(data, len, &b->secret[key], "test", &sig, &e), 0);
	assert_int_equal(bundle_signature_path(path, i, sig_path, &e), 0);
	assert_int_equal(file_replace(sig_path, 0600, sig.s, sig.len, &e), 0);
	text_release(&sig);
	free(data);
}

/* Write `s` to PATH, signed with key 0, and free it. */
static inline void bundles_write(const struct bundles *b, struct model_set *s, const char *path)
{
	struct byte_writer w = {0};
	struct err e = ERR_INIT;

	assert_int_equal(bundle_write(s, &w, &e), 0);
	assert_int_equal(file_replace(path, 0600, w.data, w.len, &e), 0);
	bundles_sign(b, path, 0, 1);
	byte_writer_release(&w);
	model_set_free(s);
}

/* full_set() as VERSION of that sequence: its path within the folder into `path`. */
static inline void bundles_make(const struct bundles *b, const char *version, int64_t sequence,
				int64_t expires_s, char path[PATH_MAX])
{
	struct model_set *s = full_set();

	s->sequence = sequence;
	s->expires_s = expires_s;
	snprintf(s->version, sizeof(s->version), "%s", version);
	snprintf(path, PATH_MAX, "%s/%s.vmw", b->dir, version);
	bundles_write(b, s, path);
}

#endif
