// SPDX-License-Identifier: Apache-2.0
/* Bounded GET requests over libcurl: see host_http.h. */
#include "record/host_http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/kernel.h"

#define SECRET_MAX 8192
#define POLL_MS	   1000

struct host_http {
	struct host_http_options o;
	CURLM *multi;
	char *user, *token; /* owned; user is "user:password" */
};

int host_http_check_url(const char *url, struct err *e)
{
	const char *host = !strncmp(url, "http://", 7)	  ? url + 7
			   : !strncmp(url, "https://", 8) ? url + 8
							  : NULL;

	if (!host || !host[strspn(host, "/")])
		return err_set(e, -ERR_USAGE, "--url takes http://HOST:PORT or https://HOST:PORT");
	if (memchr(host, '@', strcspn(host, "/?")))
		return err_set(e, -ERR_USAGE,
			       "--url holds a user: put user:password into a file, --user-file F");
	return 0;
}

bool host_http_is_local(const char *url)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
	const char *host = strstr(url, "://");

	for (size_t i = 0; host && i < array_size(names); i++) {
		size_t n = strlen(names[i]);

		if (!strncasecmp(host + 3, names[i], n) && strchr(":/?", host[3 + n]))
			return true;
	}
	return false;
}

void host_http_escape(struct text *t, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    strchr("-._~", c))
			text_add_n(t, s, 1);
		else
			text_printf(t, "%%%02X", c);
	}
}

/* The first line of a file that holds a secret; NULL path: nothing. */
static int read_secret(const char *path, char **ret, struct err *e)
{
	size_t len;
	int r;

	if (!path)
		return 0;
	r = file_read(path, SECRET_MAX, true, ret, &len, e);
	if (r < 0)
		return r;
	(*ret)[strcspn(*ret, "\r\n")] = 0;
	if (!**ret)
		return err_set(e, -ERR_DATA, "%s: its first line is empty", path);
	return 0;
}

static void free_secret(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

int host_http_new(const struct host_http_options *o, struct host_http **ret, struct err *e)
{
	struct host_http *h = calloc(1, sizeof(*h));
	int r;

	if (!h || curl_global_init(CURL_GLOBAL_DEFAULT)) {
		free(h);
		return err_nomem(e);
	}
	h->o = *o;
	h->multi = curl_multi_init();
	r = h->multi ? read_secret(o->user_file, &h->user, e) : err_nomem(e);
	if (r == 0)
		r = read_secret(o->token_file, &h->token, e);
	if (r == 0 && h->user && !strchr(h->user, ':'))
		r = err_set(e, -ERR_DATA, "%s: its first line is not user:password", o->user_file);
	if (r == 0 && o->cacert && access(o->cacert, R_OK) < 0)
		r = err_errno(e, "--cacert %s", o->cacert);
	if (r < 0) {
		host_http_free(h);
		return r;
	}
	*ret = h;
	return 0;
}

void host_http_free(struct host_http *h)
{
	if (!h)
		return;
	curl_multi_cleanup(h->multi);
	free_secret(h->user);
	free_secret(h->token);
	free(h);
	curl_global_cleanup();
}

static size_t take_body(char *data, size_t size, size_t n, void *user)
{
	struct host_http_request *q = user;

	n *= size;
	if (n > q->owner->o.max_bytes - q->body.len) {
		q->too_large = true;
		return 0;
	}
	text_add_n(&q->body, data, n);
	return q->body.failed ? 0 : n;
}

/* One header line, for its ETag; text that could end a header line is not kept. */
static size_t take_header(char *data, size_t size, size_t n, void *user)
{
	static const char name[] = "etag:";
	struct host_http_request *q = user;
	size_t from = sizeof(name) - 1, to = n * size;

	if (to <= from || strncasecmp(data, name, from) != 0)
		return n * size;
	while (from < to && data[from] == ' ')
		from++;
	while (to > from && strchr(" \r\n", data[to - 1]))
		to--;
	q->etag[0] = 0;
	for (size_t i = from; i < to; i++) {
		if (data[i] < ' ' || to - from >= sizeof(q->etag))
			return n * size;
	}
	memcpy(q->etag, data + from, to - from);
	q->etag[to - from] = 0;
	return n * size;
}

static void set_access(const struct host_http *h, CURL *easy, struct host_http_request *q)
{
	struct curl_slist *headers = NULL;
	char header[300];

	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, h->o.insecure ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, h->o.insecure ? 0L : 2L);
	if (h->o.cacert)
		curl_easy_setopt(easy, CURLOPT_CAINFO, h->o.cacert);
	if (h->user) {
		curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(easy, CURLOPT_USERPWD, h->user);
	}
	if (h->token) {
		curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
		curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, h->token);
	}
	if (h->o.tenant) {
		snprintf(header, sizeof(header), "X-Scope-OrgID: %.256s", h->o.tenant);
		headers = curl_slist_append(headers, header);
	}
	if (q->if_none_match) {
		snprintf(header, sizeof(header), "If-None-Match: %.256s", q->if_none_match);
		headers = curl_slist_append(headers, header);
	}
	if (headers)
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	q->headers = headers;
}

int host_http_start(struct host_http *h, struct host_http_request *q, const char *url,
		    struct err *e)
{
	const char *if_none_match = q->if_none_match;
	struct text body = q->body;
	CURL *easy = curl_easy_init();
	char *copy = strdup(url);

	text_reset(&body);
	free(q->url);
	*q = (struct host_http_request){.body = body,
					.owner = h,
					.easy = easy,
					.url = copy,
					.if_none_match = if_none_match};
	if (!easy || !copy)
		return err_nomem(e);
	curl_easy_setopt(easy, CURLOPT_URL, copy);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "vmwatts/" VMWATTS_VERSION);
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(h->o.timeout_s * 1000));
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, q);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, q);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, q);
	if (host_http_is_local(copy))
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	set_access(h, easy, q);
	q->started_ns = kernel_linux.realtime_ns();
	if (curl_multi_add_handle(h->multi, easy) != CURLM_OK)
		return err_nomem(e);
	return 0;
}

/* The part of a URL that a message shows: without the query. */
static int shown(const char *url)
{
	size_t n = strcspn(url, "?");

	return n < 120 ? (int)n : 120;
}

static void say_status(struct host_http_request *q)
{
	const struct host_http_options *o = &q->owner->o;
	const char *why = "";

	if (q->status == 401 || q->status == 403)
		why = o->user_file    ? ": the user and password of --user-file are refused"
		      : o->token_file ? ": the token of --token-file is refused"
				      : ": it wants a user and password (--user-file F) or a token "
					"(--token-file F)";
	else if (q->status >= 300 && q->status < 400)
		why = ": it points to another place, which is not followed; give that as --url";
	else if (q->status == 404)
		why = ": nothing is there; is the path right?";
	q->retry = q->status >= 500 || q->status == 429;
	err_set(&q->err, -EPROTO, "%.*s answers %ld%s", shown(q->url), q->url, q->status, why);
}

static void say_failure(struct host_http_request *q, CURLcode code)
{
	const struct host_http_options *o = &q->owner->o;
	int n = shown(q->url);

	q->retry = false;
	if (q->too_large)
		err_set(&q->err, -EFBIG, "%.*s: the answer is larger than %zu %s", n, q->url,
			o->max_bytes >> 20 ? o->max_bytes >> 20 : o->max_bytes,
			o->max_bytes >> 20 ? "MiB" : "bytes");
	else if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
		err_set(&q->err, -EACCES,
			"%.*s: its certificate is not trusted (%s); --cacert F names who signed it",
			n, q->url, curl_easy_strerror(code));
	else if (code == CURLE_OPERATION_TIMEDOUT)
		err_set(&q->err, -ETIMEDOUT, "%.*s: no whole answer within %g s", n, q->url,
			o->timeout_s);
	else
		err_set(&q->err, -EIO, "%.*s: %s", n, q->url, curl_easy_strerror(code));
	if (q->err.code == -ETIMEDOUT || q->err.code == -EIO)
		q->retry = true;
}

static void finish(struct host_http *h, struct host_http_request *q, CURLcode code)
{
	curl_off_t sent_us = 0, first_us = 0;

	curl_easy_getinfo(q->easy, CURLINFO_RESPONSE_CODE, &q->status);
	curl_easy_getinfo(q->easy, CURLINFO_PRETRANSFER_TIME_T, &sent_us);
	curl_easy_getinfo(q->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_us);
	q->sent_ns = q->started_ns + sent_us * 1000;
	q->first_ns = q->started_ns + first_us * 1000;
	if (code != CURLE_OK)
		say_failure(q, code);
	else if (q->status == 304 && q->if_none_match)
		q->unchanged = true;
	else if (q->status != 200)
		say_status(q);
	curl_multi_remove_handle(h->multi, q->easy);
	curl_easy_cleanup(q->easy);
	curl_slist_free_all(q->headers);
	q->easy = q->headers = NULL;
	q->done = true;
}

/* Take what is done off libcurl's list; how many. */
static int finish_done(struct host_http *h)
{
	CURLMsg *m;
	int n = 0, left;

	while ((m = curl_multi_info_read(h->multi, &left))) {
		char *q = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &q);
		finish(h, (struct host_http_request *)(void *)q, m->data.result);
		n++;
	}
	return n;
}

int host_http_wait(struct host_http *h, int timeout_ms, struct err *e)
{
	const struct host_beside *beside = h->o.beside;
	struct curl_waitfd fds[2] = {{.fd = h->o.stop_fd, .events = CURL_WAIT_POLLIN}};
	unsigned extra = h->o.stop_fd >= 0;
	int running;

	if (beside)
		fds[extra] = (struct curl_waitfd){.fd = beside->fd, .events = CURL_WAIT_POLLIN};

	if (curl_multi_perform(h->multi, &running) != CURLM_OK)
		return err_nomem(e);
	if (finish_done(h))
		return 0;
	if (curl_multi_poll(h->multi, fds, extra + (beside != NULL), timeout_ms, NULL) != CURLM_OK)
		return err_nomem(e);
	if ((extra && (fds[0].revents & CURL_WAIT_POLLIN)) ||
	    (beside && fds[extra].revents && beside->serve(beside->user) < 0))
		return err_set(e, -EINTR, "interrupted");
	if (curl_multi_perform(h->multi, &running) != CURLM_OK)
		return err_nomem(e);
	finish_done(h);
	return 0;
}

int host_http_get(struct host_http *h, struct host_http_request *q, const char *url, struct err *e)
{
	int r = host_http_start(h, q, url, e);

	while (r == 0 && !q->done)
		r = host_http_wait(h, POLL_MS, e);
	if (r == 0 && q->err.code)
		r = err_set(e, q->err.code, "%s", q->err.msg);
	if (r < 0 && !q->done)
		host_http_request_release(q);
	return r;
}

void host_http_request_release(struct host_http_request *q)
{
	if (q->easy) {
		curl_multi_remove_handle(q->owner->multi, q->easy);
		curl_easy_cleanup(q->easy);
		curl_slist_free_all(q->headers);
	}
	free(q->url);
	text_release(&q->body);
	*q = (struct host_http_request){0};
}
