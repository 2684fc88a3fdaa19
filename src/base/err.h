/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/*
 * Errors. A function that can fail returns 0 or a negative code: -errno, or
 * one of the domain codes below (from 4000 up, so they never meet an errno).
 * The sentence for a person goes into the caller's `struct err`: one line,
 * naming the thing and the remedy, no newline. A missing counter is a value
 * (NaN), not an error.
 */

#include <stddef.h>

enum err_code {
	ERR_FORMAT = 4000, /* bytes are not what their format says */
	ERR_SIGNATURE,	   /* signature missing, wrong, or by an unknown key */
	ERR_CONFIG,	   /* a value is not allowed */
	ERR_DATA,	   /* the numbers cannot be used for what was asked */
	ERR_USAGE,	   /* the command line is wrong */
	ERR_STALE,	   /* older than what is already installed, or expired */
};

struct err {
	int code; /* 0, or the negative code that was returned */
	char msg[640];
};

#define ERR_INIT                                                                                   \
	{                                                                                          \
		0, ""                                                                              \
	}

/* Fill `e` (NULL is fine) and return `code`, which must be negative. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, with ": <strerror(errno)>" appended; returns -errno. */
int err_errno(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put "prefix: " before the message already in `e`; returns e->code. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Out of memory, in one place. Returns -ENOMEM. */
int err_nomem(struct err *e);

#endif
