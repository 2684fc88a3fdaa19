// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP over libmicrohttpd: see http.h.
 */
#include "publish/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/listen.h"
#include "publish/pages.h"
#include "publish/patience.h"

#define INACTIVE_S 10

struct http {
	struct MHD_Daemon *daemon;
	int listen_fd;
	struct pages pages;
	bool wants_reload;
	char token[HTTP_TOKEN_MAX];
	char address[128];
	struct patience patience;
};

/* The page's own style, script, icon and fetches, and nothing else from anywhere. */
static const char security_policy[] =
	"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
	"img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static enum MHD_Result answer(struct MHD_Connection *connection, const struct page *page)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		page->len, (void *)(uintptr_t)page->body, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result r;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, page->type);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
				page->asset ? "max-age=3600" : "no-store");
	MHD_add_response_header(response, "Content-Security-Policy", security_policy);
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT);
	if (page->status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
	if (page->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	r = MHD_queue_response(connection, page->status, response);
	MHD_destroy_response(response);
	return r;
}

/* ---- POST /-/reload ---- */

/* Takes as long wherever they differ. */
static bool same_token(const char *a, const char *b)
{
	size_t n = strlen(a), len = strlen(b);
	unsigned differs = n != len;

	for (size_t i = 0; i < n; i++)
		differs |= (unsigned char)a[i] ^ (unsigned char)b[i < len ? i : len];
	return !differs;
}

static struct page reload_page(struct http *h, struct MHD_Connection *connection)
{
	static const char scheme[] = "Bearer ";
	const char *sent = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
						       MHD_HTTP_HEADER_AUTHORIZATION);

	if (!h->token[0])
		return page_plain(MHD_HTTP_NOT_FOUND, "not found: reload_token_file is not set\n");
	if (!sent || strncmp(sent, scheme, sizeof(scheme) - 1) != 0 ||
	    !same_token(h->token, sent + sizeof(scheme) - 1))
		return page_plain(MHD_HTTP_UNAUTHORIZED, "the bearer token is missing or wrong\n");
	h->wants_reload = true;
	return page_plain(MHD_HTTP_ACCEPTED,
			  "reloading; the log and the metrics say how it went\n");
}

/* ---- libmicrohttpd's callbacks ---- */

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **context)
{
	struct http *h = cls;
	struct page page;

	(void)version;
	(void)upload;
	if (!*context) { /* the header came; wait for the (unwanted) body to end */
		*context = h;
		patience_anew(&h->patience, connection);
		return MHD_YES;
	}
	if (*upload_size) {
		*upload_size = 0;
		return MHD_YES;
	}
	if (!strcmp(method, MHD_HTTP_METHOD_GET) || !strcmp(method, MHD_HTTP_METHOD_HEAD))
		page = pages_find(&h->pages, url,
				  MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							      MHD_HTTP_HEADER_ACCEPT));
	else if (!strcmp(method, MHD_HTTP_METHOD_POST) && !strcmp(url, "/-/reload"))
		page = reload_page(h, connection);
	else
		page = page_plain(MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are allowed\n");
	return answer(connection, &page);
}

/* ---- start and stop ---- */

static void name_address(struct http *h)
{
	struct sockaddr_storage where;
	socklen_t len = sizeof(where);
	char host[64], port[16];

	if (getsockname(h->listen_fd, (struct sockaddr *)&where, &len) < 0 ||
	    getnameinfo((struct sockaddr *)&where, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
		snprintf(h->address, sizeof(h->address), "unknown");
		return;
	}
	snprintf(h->address, sizeof(h->address), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
		 port);
}

/* libmicrohttpd logs nothing of its own: what matters is in our answers. */
static void no_log(void *cls, const char *fmt, va_list ap)
{
	(void)cls;
	(void)fmt;
	(void)ap;
}

int http_new(const char *listen, const struct snapshot *s, struct http **ret, struct err *e)
{
	struct http *h = calloc(1, sizeof(*h));

	if (!h)
		return err_nomem(e);
	pages_show(&h->pages, s);
	patience_init(&h->patience);
	h->listen_fd = listen_open(listen, PATIENCE_CONNECTIONS, e);
	if (h->listen_fd < 0) {
		int r = h->listen_fd;

		free(h);
		return r;
	}
	name_address(h);
	h->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, h,
		MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL, MHD_OPTION_LISTEN_SOCKET, h->listen_fd,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)PATIENCE_CONNECTIONS,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)INACTIVE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384, MHD_OPTION_NOTIFY_CONNECTION,
		patience_connection, &h->patience, MHD_OPTION_NOTIFY_COMPLETED, patience_completed,
		&h->patience, MHD_OPTION_END);
	if (!h->daemon) {
		close(h->listen_fd);
		free(h);
		return err_set(e, -EIO, "listen %s: the HTTP server does not start", listen);
	}
	*ret = h;
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	MHD_stop_daemon(h->daemon); /* closes the listening socket */
	pages_release(&h->pages);
	free(h);
}

int http_fd(const struct http *h)
{
	return MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

void http_run(struct http *h)
{
	patience_check(&h->patience);
	MHD_run(h->daemon);
}

void http_show(struct http *h, const struct snapshot *s)
{
	pages_show(&h->pages, s);
}

void http_set_history(struct http *h, const struct history *history)
{
	h->pages.history = history;
}

void http_set_token(struct http *h, const char *token)
{
	snprintf(h->token, sizeof(h->token), "%s", token);
}

bool http_take_reload(struct http *h)
{
	bool wants = h->wants_reload;

	h->wants_reload = false;
	return wants;
}

const char *http_address(const struct http *h)
{
	return h->address;
}
