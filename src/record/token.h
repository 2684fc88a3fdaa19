/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_TOKEN_H
#define RECORD_TOKEN_H

/*
 * What a guest shows to push: 32 random bytes as URL-safe base64, in a file
 * that only its owner may read. The host keeps SHA-256 of each, so that its
 * file gives no token away, and with it the name that this VM has here:
 *
 *   # comment
 *   HASH (64 hexadecimal digits) NAME
 *
 * A VM may have several lines, as while its token is changed.
 */

#include <stddef.h>

#include "base/err.h"
#include "record/channel.h"

#define TOKEN_TEXT 48 /* with its NUL */
#define TOKEN_HASH 65

struct token_line {
	char hash[TOKEN_HASH];
	char vm[CHANNEL_VM];
};

struct token_table {
	struct token_line *lines; /* owned */
	size_t n, n_vms;
};

/*
 * Make a token for `vm`: into `out`, which must not exist, and as a hash into
 * the host's table, which is made where it is missing; both 0600.
 */
int token_make(const char *vm, const char *table, const char *out, struct err *e);

/* A guest's token. -EPERM where group or others may read or write the file. */
int token_read(const char *path, char ret[TOKEN_TEXT], struct err *e);

/* The host's table, likewise; ERR_CONFIG with the line that is none. */
int token_table_read(const char *path, struct token_table *ret, struct err *e);
void token_table_release(struct token_table *t);

/* Whose token it is, or NULL; takes as long whatever it is. */
const char *token_table_find(const struct token_table *t, const char *token);

#endif
