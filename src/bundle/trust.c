// SPDX-License-Identifier: Apache-2.0
/* Trusted keys and the verified load of a bundle: see bundle.h. */
#include "bundle/bundle.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "bundle/minisign.h"

#define KEYS_MAX      64
#define SCOPE_MAX     4096 /* bytes of a .scope file */
#define SIGNATURE_MAX 4096

#define SIGNATURES_MAX BUNDLE_SIGNATURES_MAX

struct trusted_key {
	struct public_key key;
	char *scope; /* patterns, one a line; NULL: every name */
};

struct trust {
	unsigned threshold; /* this many different keys must have signed */
	size_t n;
	struct trusted_key keys[KEYS_MAX];
};

void trust_free(struct trust *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->keys[i].scope);
	free(t);
}

void trust_require(struct trust *t, unsigned keys)
{
	t->threshold = keys ? keys : 1;
}

size_t trust_count(const struct trust *t)
{
	return t ? t->n : 0;
}

/* There nobody writes: Kubernetes mounts a ConfigMap as a folder of mode 0777, and so. */
static bool on_read_only(const char *path)
{
	struct statvfs fs;

	return statvfs(path, &fs) == 0 && fs.f_flag & ST_RDONLY;
}

/* Only its owner may write PATH. */
static int check_mode(const char *path, const struct stat *st, struct err *e)
{
	if (!(st->st_mode & (S_IWGRP | S_IWOTH)) || on_read_only(path))
		return 0;
	return err_set(e, -EPERM, "%s: group or others may write it; chmod go-w it", path);
}

int trust_load_file(const char *path, struct trust **ret, struct err *e)
{
	autofree struct trust *t = calloc(1, sizeof(*t));
	struct stat st;
	int r = 0;

	if (!t)
		return err_nomem(e);
	if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
		r = check_mode(path, &st, e);
	if (r == 0)
		r = public_key_read(path, &t->keys[0].key, e);
	if (r < 0)
		return r;
	t->n = t->threshold = 1;
	*ret = steal(t);
	return 0;
}

/* PATH, as the file system names it, is not in the store: who fills that chooses no keys. */
static int check_apart(const char *path, const char *store, struct err *e)
{
	char key[PATH_MAX], at[PATH_MAX];
	size_t n;

	if (!store || !realpath(path, key) || !realpath(store, at))
		return 0;
	n = strlen(at);
	if (strncmp(key, at, n) != 0 || (n > 1 && key[n] && key[n] != '/'))
		return 0;
	return err_set(e, -EPERM,
		       "trusted key %s is in model_path %s: who installs bundles there could add a "
		       "key; move it out of there",
		       path, store);
}

/* Nobody but its owner may write PATH, and that owner is not us, unless we are root. */
static int check_guarded(const char *path, const char *store, struct err *e)
{
	struct stat st;
	int r = check_apart(path, store, e);

	if (r < 0)
		return r;
	if (stat(path, &st) < 0)
		return err_errno(e, "trusted key %s", path);
	r = check_mode(path, &st, e);
	if (r < 0)
		return r;
	if (geteuid() != 0 && !on_read_only(path) &&
	    (st.st_uid == geteuid() || access(path, W_OK) == 0))
		return err_set(
			e, -EPERM,
			"%s: this process may write it, so it protects nothing; chown root it",
			path);
	return 0;
}

static int add_key(struct trust *t, const char *directory, const char *name, const char *store,
		   struct err *e)
{
	struct trusted_key *k = &t->keys[t->n];
	char path[PATH_MAX];
	size_t stem = strlen(name) - strlen(".pub"), len;
	struct stat st;
	int r;

	if (t->n == KEYS_MAX)
		return err_set(e, -E2BIG, "%s: more than %d keys", directory, KEYS_MAX);
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	r = check_guarded(path, store, e);
	if (r == 0)
		r = public_key_read(path, &k->key, e);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/%.*s.scope", directory, (int)stem, name);
	/* A link to nothing is a limit that is lost, not none. */
	if (lstat(path, &st) == 0) {
		r = check_guarded(path, store, e);
		if (r == 0)
			r = file_read(path, SCOPE_MAX, true, &k->scope, &len, e);
		if (r < 0)
			return r;
	}
	t->n++;
	return 0;
}

static int is_public_key(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 4 && !strcmp(d->d_name + n - 4, ".pub");
}

int trust_load_directory(const char *path, const char *store, struct trust **ret, struct err *e)
{
	struct dirent **names = NULL;
	struct trust *t = calloc(1, sizeof(*t));
	int n, r = 0;

	if (!t)
		return err_nomem(e);
	t->threshold = 1;
	n = scandir(path, &names, is_public_key, alphasort);
	if (n < 0 && errno != ENOENT)
		r = err_errno(e, "trusted_keys %s", path);
	if (n > 0)
		r = check_guarded(path, store, e);
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = add_key(t, path, names[i]->d_name, store, e);
		free(names[i]);
	}
	free(names);
	if (r < 0) {
		trust_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

int trust_load(const char *path, const char *store, struct trust **ret, struct err *e)
{
	struct stat st;
	int r;

	if (stat(path, &st) < 0 || S_ISDIR(st.st_mode))
		return trust_load_directory(path, store, ret, e);
	r = check_apart(path, store, e);
	return r == 0 ? trust_load_file(path, ret, e) : r;
}

static bool in_scope(const struct trusted_key *k, const char *name)
{
	char pattern[256];

	for (const char *p = k->scope; p && *p; p += strcspn(p, "\n"), p += *p == '\n') {
		snprintf(pattern, sizeof(pattern), "%.*s", (int)strcspn(p, "\r\n"), p);
		if (pattern[0] && fnmatch(pattern, name, 0) == 0)
			return true;
	}
	return !k->scope;
}

/* The trusted key that made this signature of data[len]; *ret stays NULL where it is not known. */
static int find_signer(const struct trust *t, const char *sig_text, const void *data, size_t len,
		       const struct trusted_key **ret, struct err *e)
{
	char id[MINISIGN_KEY_ID];
	struct signature s;
	int r = signature_parse(sig_text, &s, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < t->n; i++) {
		if (memcmp(t->keys[i].key.id, s.id, sizeof(s.id)) != 0)
			continue;
		r = signature_verify(&s, &t->keys[i].key, data, len, e);
		if (r == 0)
			*ret = &t->keys[i];
		return r;
	}
	key_id_text(s.id, id);
	err_set(e, -ERR_SIGNATURE, "signed by key %s, which is not trusted here", id);
	return 0;
}

int bundle_signature_path(const char *path, unsigned i, char *ret, struct err *e)
{
	int n = i == 1 ? snprintf(ret, PATH_MAX, "%s.minisig", path)
		       : snprintf(ret, PATH_MAX, "%s.minisig.%u", path, i);

	return n < PATH_MAX ? 0 : err_set(e, -ENAMETOOLONG, "%s: path too long", path);
}

static int read_signature(const char *path, unsigned i, char **ret, struct err *e)
{
	char sig_path[PATH_MAX];
	size_t len;
	int r = bundle_signature_path(path, i, sig_path, e);

	if (r < 0)
		return r;
	r = file_read(sig_path, SIGNATURE_MAX, true, ret, &len, e);
	if (r == -ENOENT && i == 1)
		return err_set(e, -ERR_SIGNATURE, "not signed: there is no %s", sig_path);
	if (r == 0 && strlen(*ret) != len) {
		free(*ret);
		*ret = NULL;
		return err_set(e, -ERR_SIGNATURE, "signature is not in minisign's format");
	}
	return r;
}

/* Trusted keys that signed, each once whatever its id says. */
struct signers {
	size_t n;
	const struct trusted_key *keys[SIGNATURES_MAX];
};

static void add_signer(struct signers *s, const struct trusted_key *k)
{
	for (size_t i = 0; i < s->n; i++) {
		if (memcmp(s->keys[i]->key.key, k->key.key, sizeof(k->key.key)) == 0)
			return;
	}
	s->keys[s->n++] = k;
}

/* Only those whose scope holds `name` stay. */
static void keep_in_scope(struct signers *s, const char *name)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (in_scope(s->keys[i], name))
			s->keys[kept++] = s->keys[i];
	}
	s->n = kept;
}

static int check_threshold(const struct trust *t, const struct signers *s, struct err *e)
{
	if (s->n >= t->threshold)
		return 0;
	return err_set(e, -ERR_SIGNATURE,
		       "signed by %zu trusted key%s, and signature_threshold asks for %u", s->n,
		       s->n == 1 ? "" : "s", t->threshold);
}

/*
 * Every signature beside PATH. The first must not be wrong; of the others only right ones by known
 * keys count.
 */
static int find_signers(const struct trust *t, const char *path, const void *data, size_t len,
			struct signers *ret, struct err *e)
{
	struct err unknown = ERR_INIT;

	for (unsigned i = 1; i <= SIGNATURES_MAX; i++) {
		const struct trusted_key *k = NULL;
		autofree char *sig = NULL;
		struct err why = ERR_INIT;
		int r = read_signature(path, i, &sig, &why);

		if (r == -ENOENT)
			break;
		if (r == 0 && !trust_count(t))
			r = err_set(&why, -ERR_SIGNATURE,
				    "no trusted key to verify it with: put K.pub into "
				    "trusted_keys, or name it with --trust");
		if (r == 0)
			r = find_signer(t, sig, data, len, &k, &why);
		if (r < 0 && i == 1)
			return err_set(e, r, "%s", why.msg);
		if (r == 0 && k)
			add_signer(ret, k);
		else if (!unknown.code)
			unknown = why;
	}
	if (ret->n == 0)
		return err_set(e, -ERR_SIGNATURE, "%s", unknown.msg);
	return check_threshold(t, ret, e);
}

int bundle_verify_bytes(const char *path, const struct trust *t, const void *data, size_t len,
			struct model_set **ret, char *ret_key_id, struct err *e)
{
	struct signers signers = {.n = 0};
	struct model_set *s = NULL;
	int r = find_signers(t, path, data, len, &signers, e);

	if (r == 0)
		r = bundle_parse(data, len, &s, e);
	if (r < 0)
		return r;
	keep_in_scope(&signers, s->name);
	if (signers.n == 0)
		r = err_set(e, -ERR_SIGNATURE, "its key may not sign bundles named %s", s->name);
	else
		r = check_threshold(t, &signers, e);
	if (r < 0) {
		model_set_free(s);
		return r;
	}
	if (ret_key_id)
		key_id_text(signers.keys[0]->key.id, ret_key_id);
	*ret = s;
	return 0;
}

int bundle_load(const char *path, const struct trust *t, struct model_set **ret, char *ret_key_id,
		struct err *e)
{
	autofree char *data = NULL;
	size_t len;
	int r = file_read(path, BUNDLE_MAX_BYTES, true, &data, &len, e);

	if (r < 0)
		return r;
	r = bundle_verify_bytes(path, t, data, len, ret, ret_key_id, e);
	return r < 0 ? err_prefix(e, "%s", path) : 0;
}
