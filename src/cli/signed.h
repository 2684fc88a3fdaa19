/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SIGNED_H
#define CLI_SIGNED_H

/* A bundle as commands write it: OUT and its signature beside it. */

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bundle/minisign.h"
#include "model/model.h"

#define SIGNED_MAX_SIZE (900u << 10) /* fits a ConfigMap */

#define SIGNED_SEQUENCE_NOW LLONG_MIN

/* What a command line says of the bundle to write. */
struct signed_as {
	const char *out, *name, *version, *expires; /* expires NULL: never */
	long long sequence;			    /* SIGNED_SEQUENCE_NOW: as created_s */
	/* Set by signed_check; created is now, or SOURCE_DATE_EPOCH, so that the same input gives
	 * the same bytes. */
	int64_t created_s, expires_s;
};

/* Check it, before the work that would be lost: ERR_USAGE, or why OUT cannot be written. */
int signed_check(struct signed_as *as, struct err *e);

/* Write OUT and OUT.minisig; *ret_len is the bundle's bytes. -EFBIG over max_size. */
int signed_write(const struct model_set *s, const char *out, const struct secret_key *key,
		 uint64_t max_size, size_t *ret_len, struct err *e);

/* One line of JSON on stdout: the bundle that was written to `out`, and its card. 0 or 1. */
int signed_print(const char *command, const struct model_set *s, const char *out, size_t len);

#endif
