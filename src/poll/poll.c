// SPDX-License-Identifier: Apache-2.0
/* A publishing location into an agent's model_path: see poll.h. */
#include "poll/poll.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "bundle/pointer.h"
#include "bundle/store.h"
#include "poll/fetch.h"

#define MEMORY_FILE   ".poll"
#define MEMORY_MAX    8192
#define DOWNLOAD      ".poll-"
#define LEFT_S	      3600
#define SIGNATURE_MAX 4096
#define URL_MAX	      2000
#define BACKOFF_S     30.0
#define BACKOFF_MAX_S 3600.0

/* What was installed last. */
struct memory {
	char etag[200];
	char sha256[POINTER_SHA256];
};

double poll_wait_s(double interval_s, unsigned failures, double chance)
{
	double wait_s = interval_s;

	if (failures)
		wait_s = fmin(BACKOFF_S * exp2(fmin(failures - 1, 20)),
			      fmax(interval_s, BACKOFF_MAX_S));
	return wait_s * (0.9 + 0.2 * chance);
}

/* ---- what is remembered ---- */

static int memory_path(const struct poll_options *o, char path[PATH_MAX], struct err *e)
{
	if (snprintf(path, PATH_MAX, "%s/" MEMORY_FILE, o->model_path) >= PATH_MAX)
		return err_set(e, -ENAMETOOLONG, "--model-path: path too long");
	return 0;
}

/* Three lines: URL, ETag, sha256. Of another location, or damaged: as if there was none. */
static void recall(const struct poll_options *o, struct memory *m)
{
	struct err ignored = ERR_INIT;
	autofree char *text = NULL;
	char path[PATH_MAX], *at, *url, *etag, *sha256;
	size_t len;

	*m = (struct memory){.etag = ""};
	if (memory_path(o, path, &ignored) < 0 ||
	    file_read(path, MEMORY_MAX, true, &text, &len, &ignored) < 0)
		return;
	at = text;
	url = strsep(&at, "\n");
	etag = strsep(&at, "\n");
	sha256 = strsep(&at, "\n");
	if (!sha256 || strcmp(url, o->url) != 0 || strlen(etag) >= sizeof(m->etag) ||
	    strlen(sha256) != POINTER_SHA256 - 1)
		return;
	snprintf(m->etag, sizeof(m->etag), "%s", etag);
	snprintf(m->sha256, sizeof(m->sha256), "%s", sha256);
}

static int remember(const struct poll_options *o, const char *etag, const char *sha256,
		    struct err *e)
{
	autotext struct text t = {0};
	char path[PATH_MAX];
	int r = memory_path(o, path, e);

	text_printf(&t, "%s\n%s\n%s\n", o->url, etag, sha256);
	if (r == 0 && t.failed)
		r = err_nomem(e);
	return r < 0 ? r : file_replace(path, 0600, t.s, t.len, e);
}

/* ---- download and install ---- */

static int check_bytes(const struct pointer *p, const struct text *body, struct err *e)
{
	struct pointer got = {.file = ""};

	pointer_measure(&got, body->len ? body->s : "", body->len);
	if (got.bytes != p->bytes || strcmp(got.sha256, p->sha256) != 0)
		return err_set(e, -ERR_DATA,
			       "%s is not what `latest` says: %llu bytes of %llu, or other ones",
			       p->file, (unsigned long long)got.bytes,
			       (unsigned long long)p->bytes);
	return 0;
}

/* Signature `i` of the bundle that will be BUNDLE. */
static int download_signature(const struct poll_options *o, const char *bundle, unsigned i,
			      struct err *e)
{
	char path[PATH_MAX];
	struct fetch sig;
	int r = bundle_signature_path(bundle, i, path, e);

	if (r == 0)
		r = fetch_file(o, strrchr(path, '/') + 1, SIGNATURE_MAX, NULL, &sig, e);
	if (r < 0)
		return r;
	r = file_replace(path, 0600, sig.body.len ? sig.body.s : "", sig.body.len, e);
	text_release(&sig.body);
	return r;
}

/* All that count: where one is enough, the first. */
static int download_signatures(const struct poll_options *o, const char *bundle, struct err *e)
{
	int r = download_signature(o, bundle, 1, e);

	for (unsigned i = 2; r == 0 && o->signatures > 1 && i <= BUNDLE_SIGNATURES_MAX; i++) {
		struct err why = ERR_INIT;

		r = download_signature(o, bundle, i, &why);
		if (r == -ENOENT)
			return 0;
		if (r < 0)
			return err_set(e, r, "%s", why.msg);
	}
	return r;
}

/* The bundle and its signatures into `folder`, which is private. */
static int download(const struct poll_options *o, const struct pointer *p, const char *folder,
		    char bundle[PATH_MAX], struct err *e)
{
	struct fetch bytes;
	int r;

	if (p->bytes > o->max_bytes)
		return err_set(e, -EFBIG, "%s has %llu bytes, --max-size allows %zu", p->file,
			       (unsigned long long)p->bytes, o->max_bytes);
	if (snprintf(bundle, PATH_MAX, "%s/%s", folder, p->file) >= PATH_MAX)
		return err_set(e, -ENAMETOOLONG, "--model-path: path too long");
	r = download_signatures(o, bundle, e);
	if (r == 0)
		r = fetch_file(o, p->file, p->bytes, NULL, &bytes, e);
	if (r < 0)
		return r;
	r = check_bytes(p, &bytes.body, e);
	if (r == 0)
		r = file_replace(bundle, 0600, bytes.body.s, bytes.body.len, e);
	text_release(&bytes.body);
	return r;
}

/* A download's folder: files and no folders. */
static void remove_folder(const char *folder)
{
	DIR *d = opendir(folder);

	for (struct dirent *at; d && (at = readdir(d));)
		unlinkat(dirfd(d), at->d_name, 0);
	if (d)
		closedir(d);
	rmdir(folder);
}

/* Folders that killed downloads left; an hour is longer than a download may take. */
static void sweep(const char *model_path)
{
	DIR *d = opendir(model_path);

	for (struct dirent *at; d && (at = readdir(d));) {
		char path[PATH_MAX];
		struct stat st;

		if (strncmp(at->d_name, DOWNLOAD, strlen(DOWNLOAD)) != 0 ||
		    snprintf(path, PATH_MAX, "%s/%s", model_path, at->d_name) >= PATH_MAX ||
		    lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) ||
		    time(NULL) - st.st_mtime < LEFT_S)
			continue;
		remove_folder(path);
	}
	if (d)
		closedir(d);
}

static int install(const struct poll_options *o, const struct pointer *p, struct poll_result *ret,
		   struct err *e)
{
	char folder[PATH_MAX], bundle[PATH_MAX];
	int r;

	if (mkdir(o->model_path, 0700) < 0 && errno != EEXIST)
		return err_errno(e, "--model-path %s", o->model_path);
	if (snprintf(folder, PATH_MAX, "%s/" DOWNLOAD "XXXXXX", o->model_path) >= PATH_MAX)
		return err_set(e, -ENAMETOOLONG, "--model-path: path too long");
	sweep(o->model_path);
	if (!mkdtemp(folder))
		return err_errno(e, "--model-path %s", o->model_path);
	r = download(o, p, folder, bundle, e);
	if (r == 0)
		r = store_install(o->model_path, bundle, o->trust, (int64_t)time(NULL), false,
				  ret->path, e);
	remove_folder(folder);
	if (r < 0)
		return err_prefix(e, "%s", p->file);
	ret->installed = true;
	return 0;
}

/* What `latest` says, to be installed where it is another one than last time. */
static int follow(const struct poll_options *o, const struct memory *m, const struct fetch *latest,
		  struct poll_result *ret, struct err *e)
{
	struct pointer p;
	int r = pointer_parse(latest->body.len ? latest->body.s : "", latest->body.len, &p, e);

	if (r < 0)
		return r;
	snprintf(ret->file, sizeof(ret->file), "%s", p.file);
	ret->sequence = p.sequence;
	if (strcmp(p.sha256, m->sha256) != 0)
		r = install(o, &p, ret, e);
	else if (!strcmp(latest->etag, m->etag))
		return 0;
	return r < 0 ? r : remember(o, latest->etag, p.sha256, e);
}

int poll_once(const struct poll_options *o, struct poll_result *ret, struct err *e)
{
	struct poll_result result = {.installed = false};
	struct fetch latest;
	struct memory m;
	int r;

	if (strlen(o->url) >= URL_MAX)
		return err_set(e, -ENAMETOOLONG, "--url: too long");
	recall(o, &m);
	r = fetch_file(o, POINTER_FILE, POINTER_MAX, m.etag[0] ? m.etag : NULL, &latest, e);
	if (r < 0)
		return r;
	result.unchanged = latest.unchanged;
	if (!latest.unchanged)
		r = follow(o, &m, &latest, &result, e);
	text_release(&latest.body);
	if (r == 0)
		*ret = result;
	return r;
}
