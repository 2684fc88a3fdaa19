/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SIGNED_H
#define CLI_SIGNED_H

/* A bundle as commands write it: OUT and its signature beside it. */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bundle/minisign.h"
#include "model/model.h"

#define SIGNED_MAX_SIZE (900u << 10) /* fits a ConfigMap */

/* Now, or SOURCE_DATE_EPOCH where it is set, so that the same input gives the same bytes. */
int64_t signed_time(void);

/* Write OUT and OUT.minisig; *ret_len is the bundle's bytes. -EFBIG over max_size. */
int signed_write(const struct model_set *s, const char *out, const struct secret_key *key,
		 uint64_t max_size, size_t *ret_len, struct err *e);

#endif
