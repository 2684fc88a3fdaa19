// SPDX-License-Identifier: Apache-2.0
/* Files of a location: see fetch.h. */
#include "poll/fetch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "record/host_http.h"

#define FILE_URL "file://"

int poll_check_url(const char *url, struct err *e)
{
	if (!strncmp(url, FILE_URL "/", strlen(FILE_URL) + 1))
		return 0;
	if (strpbrk(url, "?# \t"))
		return err_set(e, -ERR_USAGE, "--url takes a folder's address, without a query");
	if (!strncmp(url, "https://", 8))
		return host_http_check_url(url, e);
	if (!strncmp(url, "http://", 7) && host_http_is_local(url))
		return host_http_check_url(url, e);
	return err_set(e, -ERR_USAGE,
		       "--url takes https://HOST/FOLDER, file:///FOLDER, or http:// on this "
		       "machine only");
}

static int read_folder(const char *folder, const char *name, size_t max, struct fetch *ret,
		       struct err *e)
{
	autofree char *data = NULL;
	char path[PATH_MAX];
	size_t len;
	int r;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return err_set(e, -ENAMETOOLONG, "--url: path too long");
	r = file_read(path, max, false, &data, &len, e);
	if (r < 0)
		return r;
	text_add_n(&ret->body, data, len);
	return ret->body.failed ? err_nomem(e) : 0;
}

static int get(const struct poll_options *o, const char *url, size_t max, const char *etag,
	       struct fetch *ret, struct err *e)
{
	const struct host_http_options options = {.cacert = o->cacert,
						  .token_file = o->token_file,
						  .timeout_s = o->timeout_s,
						  .max_bytes = max,
						  .stop_fd = o->stop_fd};
	struct host_http_request q = {.if_none_match = etag};
	struct host_http *http;
	int r = host_http_new(&options, &http, e);

	if (r < 0)
		return r;
	r = host_http_get(http, &q, url, e);
	if (r < 0 && q.status == 404)
		r = -ENOENT; /* the sentence stays */
	if (r == 0) {
		ret->body = q.body;
		ret->unchanged = q.unchanged;
		snprintf(ret->etag, sizeof(ret->etag), "%s", q.etag);
		q.body = (struct text){0};
	}
	host_http_request_release(&q);
	host_http_free(http);
	return r;
}

int fetch_file(const struct poll_options *o, const char *name, size_t max, const char *etag,
	       struct fetch *ret, struct err *e)
{
	autotext struct text url = {0};
	size_t n = strlen(o->url);
	int r;

	*ret = (struct fetch){.etag = ""};
	while (n && o->url[n - 1] == '/')
		n--;
	if (!strncmp(o->url, FILE_URL, strlen(FILE_URL))) {
		r = read_folder(o->url + strlen(FILE_URL), name, max, ret, e);
	} else {
		text_add_n(&url, o->url, n);
		text_add(&url, "/");
		text_add(&url, name);
		r = url.failed ? err_nomem(e) : get(o, url.s, max, etag, ret, e);
	}
	if (r < 0)
		text_release(&ret->body);
	return r;
}
