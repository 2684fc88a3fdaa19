// SPDX-License-Identifier: Apache-2.0
/* The folder that agents poll: see publish.h. */
#include "retrain/publish.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "bundle/pointer.h"

#define SIGNATURE_MAX 4096

static int join(char path[PATH_MAX], const char *folder, const char *name, const char *suffix,
		struct err *e)
{
	if (snprintf(path, PATH_MAX, "%s/%s%s", folder, name, suffix) >= PATH_MAX)
		return err_set(e, -ENAMETOOLONG, "--publish %s: path too long", folder);
	return 0;
}

int publish_serving(const char *folder, const char *name, const struct trust *t,
		    struct model_set **ret, struct err *e)
{
	autofree char *text = NULL;
	struct model_set *s = NULL;
	struct err why = ERR_INIT;
	char path[PATH_MAX];
	struct pointer p;
	size_t len;
	int r = join(path, folder, POINTER_FILE, "", e);

	*ret = NULL;
	if (r < 0)
		return r;
	r = file_read(path, POINTER_MAX, true, &text, &len, &why);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_set(e, r, "%s", why.msg);
	if (pointer_parse(text, len, &p, e) < 0)
		return err_prefix(e, "%s", path);
	if (r == 0)
		r = join(path, folder, p.file, "", e);
	if (r == 0)
		r = bundle_load(path, t, &s, NULL, e);
	if (r < 0)
		return r;
	if (strcmp(s->name, name) != 0) {
		r = err_set(e, -ERR_DATA,
			    "%s publishes bundles named %s, not %s: one folder for each name",
			    folder, s->name, name);
		model_set_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

int publish_check(const char *folder, struct err *e)
{
	char parent[PATH_MAX];

	if (access(folder, W_OK | X_OK) == 0)
		return 0;
	if (errno == ENOENT) {
		snprintf(parent, sizeof(parent), "%s", folder);
		if (access(dirname(parent), W_OK | X_OK) == 0)
			return 0;
	}
	return err_errno(e, "--publish %s can be neither written nor made", folder);
}

static int put_files(const char *folder, const char *path, const struct pointer *p,
		     const char *data, size_t len, struct err *e)
{
	autofree char *sig = NULL;
	char source[PATH_MAX], target[PATH_MAX];
	size_t sig_len;
	int r = 0;

	if (snprintf(source, PATH_MAX, "%s.minisig", path) >= PATH_MAX)
		return err_set(e, -ENAMETOOLONG, "%s: path too long", path);
	r = file_read(source, SIGNATURE_MAX, true, &sig, &sig_len, e);
	if (r == 0)
		r = join(target, folder, p->file, ".minisig", e);
	if (r == 0)
		r = file_replace(target, 0644, sig, sig_len, e);
	if (r == 0)
		r = join(target, folder, p->file, "", e);
	return r < 0 ? r : file_replace(target, 0644, data, len, e);
}

int publish_put(const char *folder, const char *path, const struct trust *t, struct err *e)
{
	autofree char *data = NULL;
	autotext struct text text = {0};
	struct model_set *s = NULL;
	char latest[PATH_MAX];
	struct pointer p;
	size_t len;
	int r = file_read(path, BUNDLE_MAX_BYTES, true, &data, &len, e);

	if (r == 0)
		r = bundle_verify_bytes(path, t, data, len, &s, NULL, e);
	if (r < 0)
		return r;
	p.sequence = s->sequence;
	snprintf(p.file, sizeof(p.file), "%s-%s.vmw", s->name, s->version);
	model_set_free(s);
	pointer_measure(&p, data, len);
	pointer_write(&p, &text);
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return err_errno(e, "--publish %s", folder);
	r = put_files(folder, path, &p, data, len, e);
	if (r == 0 && text.failed)
		r = err_nomem(e);
	if (r == 0)
		r = join(latest, folder, POINTER_FILE, "", e);
	return r < 0 ? r : file_replace(latest, 0644, text.s, text.len, e);
}
