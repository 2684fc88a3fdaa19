/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_HOST_HTTP_H
#define RECORD_HOST_HTTP_H

/*
 * GET over HTTP and HTTPS (libcurl), several at once, bounded in time and
 * bytes. Redirects are not followed, so that a password goes nowhere but where
 * it was meant to. Secrets come from files, never from a URL.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "record/host_talk.h"

struct host_http_options {
	const char *cacert;		  /* NULL: the system's */
	const char *user_file;		  /* holds user:password */
	const char *token_file;		  /* holds a bearer token */
	const char *tenant;		  /* X-Scope-OrgID, which Mimir and Loki want */
	bool insecure;			  /* any certificate is taken */
	double timeout_s;		  /* of one whole request */
	size_t max_bytes;		  /* of one answer, unpacked */
	int stop_fd;			  /* readable: give up with -EINTR */
	const struct host_beside *beside; /* served while waiting; NULL: nothing */
};

struct host_http; /* owned by host_http_new's caller */

int host_http_new(const struct host_http_options *o, struct host_http **ret, struct err *e);
void host_http_free(struct host_http *h); /* NULL is fine; requests in flight are broken off */

/* One request: zeroed by the caller, filled by host_http_start. */
struct host_http_request {
	struct text body;	   /* NUL-terminated where it is not empty */
	long status;		   /* of HTTP; 0 where none came */
	bool done;		   /* the rest is final */
	struct err err;		   /* code 0: status is 200, or 304 to if_none_match */
	bool retry;		   /* the error may pass: no connection, 5xx, 429 */
	const char *if_none_match; /* asked with; kept by host_http_start; NULL: nothing */
	char etag[200];		   /* of the answer; "" where none came, or it is too long */
	bool unchanged;		   /* the ETag still holds: no error, no body */
	int64_t sent_ns, first_ns; /* CLOCK_REALTIME: request sent, answer's first byte */
	struct host_http *owner;
	void *easy;	    /* libcurl's, while in flight */
	void *headers;	    /* libcurl's list */
	char *url;	    /* owned */
	int64_t started_ns; /* CLOCK_REALTIME */
	bool too_large;
};

/* Start a request; a used one is used again with its memory. */
int host_http_start(struct host_http *h, struct host_http_request *q, const char *url,
		    struct err *e);

/* Drive what is in flight until one request is done or `timeout_ms` passed. -EINTR to stop. */
int host_http_wait(struct host_http *h, int timeout_ms, struct err *e);

/* Start and wait for this one. The request's own error is returned too. */
int host_http_get(struct host_http *h, struct host_http_request *q, const char *url, struct err *e);

/* Frees what a request holds, not itself; breaks it off where it is in flight. */
void host_http_request_release(struct host_http_request *q);

/* ERR_USAGE for what is no URL of http or https, or holds a user. */
int host_http_check_url(const char *url, struct err *e);

/* True when the URL's host is this machine. */
bool host_http_is_local(const char *url);

/* Append `s` as a query's value: everything but letters, digits and -._~ as %XX. */
void host_http_escape(struct text *t, const char *s);

#endif
