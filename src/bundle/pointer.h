/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUNDLE_POINTER_H
#define BUNDLE_POINTER_H

/*
 * The file `latest` of a publishing location: which bundle is the newest there.
 * Text, one word and one value a line, in this order:
 *
 *	vmwatts-latest 1
 *	file NAME-VERSION.vmw
 *	sequence 1764017412
 *	bytes 61234
 *	sha256 64 hexadecimal digits
 *
 * It is not signed and proves nothing: it saves downloads and catches broken
 * ones. What is installed is decided by the bundle's signature and sequence.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

#define POINTER_FILE   "latest"
#define POINTER_MAX    1024 /* bytes of the file */
#define POINTER_SHA256 65

struct pointer {
	char file[128]; /* a plain name: letters, digits, '.', '_', '-'; ends in .vmw */
	int64_t sequence;
	uint64_t bytes; /* 1..BUNDLE_MAX_BYTES */
	char sha256[POINTER_SHA256];
};

/* Fill bytes and sha256 for data[len]. */
void pointer_measure(struct pointer *p, const void *data, size_t len);

void pointer_write(const struct pointer *p, struct text *out);

/* `text` need not end in NUL. ERR_FORMAT. */
int pointer_parse(const char *text, size_t len, struct pointer *ret, struct err *e);

#endif
