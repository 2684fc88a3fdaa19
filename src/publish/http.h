/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PUBLISH_HTTP_H
#define PUBLISH_HTTP_H

/*
 * The HTTP server: libmicrohttpd without threads, driven by the caller's
 * epoll loop through one descriptor. GET and HEAD only; at most 64
 * connections; a connection that sends no complete request header within 10 s
 * is closed, and so is one that then does not send its body and take the answer
 * within 10 s, or is silent that long.
 *
 * POST /-/reload, where a token was set and is sent as "Authorization: Bearer
 * TOKEN", asks the caller for a reload.
 *
 *   /metrics       Prometheus text      /healthz  200 while the loop runs
 *   /api/v1/power  JSON                 /readyz   200 once a first estimate was made
 *   /              for people: HTML for whoever accepts it, else a list of these
 */

#include "base/err.h"
#include "publish/history.h"
#include "publish/snapshot.h"

struct http;

/*
 * Listen on "ADDRESS:PORT", "[V6]:PORT" or ":PORT". `s` is read at every
 * request, on the caller's thread, from http_run(). -EADDRINUSE and others
 * name the address.
 */
int http_new(const char *listen, const struct snapshot *s, struct http **ret, struct err *e);
void http_free(struct http *h);

#define HTTP_TOKEN_MIN 16
#define HTTP_TOKEN_MAX 256

/* What POST /-/reload must send; "" (as at first) switches it off. Copied. */
void http_set_token(struct http *h, const char *token);

/* Whether a reload was asked for since the last call. */
bool http_take_reload(struct http *h);

/* The descriptor to wait on for reading. */
int http_fd(const struct http *h);

/* Serve what is ready; call when the descriptor is readable and at every tick. */
void http_run(struct http *h);

/* Serve `s` from now on; call whenever it has changed. */
void http_show(struct http *h, const struct snapshot *s);

/* The last hour, for the page; borrowed. None as at first. */
void http_set_history(struct http *h, const struct history *history);

/* Where it listens, "127.0.0.1:9102"; with port 0, the port the kernel chose. */
const char *http_address(const struct http *h);

#endif
