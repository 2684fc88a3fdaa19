/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_TOKENS_H
#define SERVE_TOKENS_H

/*
 * Who may call: bearer tokens, of which the server keeps SHA-256 only. The
 * file is what `vmwatts record token` adds to, with two words more where they
 * are wanted:
 *
 *   # comment
 *   HASH (64 hexadecimal digits) NAME [SCOPES [RATE]]
 *
 * SCOPES is a list with commas of estimate, info and load (estimate,info when
 * not said); RATE is rows a second on average, with bursts of twice as many
 * (0, or not said: no limit). NAME has no spaces here. The file is refused
 * where group or others may read or write it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum token_scope { SCOPE_TOKEN_ESTIMATE = 1, SCOPE_TOKEN_INFO = 2, SCOPE_TOKEN_LOAD = 4 };

struct tokens; /* owned by the caller of tokens_read */

enum token_verdict { TOKEN_FINE, TOKEN_UNKNOWN, TOKEN_OUT_OF_SCOPE, TOKEN_TOO_OFTEN };

int tokens_read(const char *path, struct tokens **ret, struct err *e);
int tokens_parse(const char *text, const char *name, struct tokens **ret, struct err *e);
void tokens_free(struct tokens *t); /* NULL is fine */
size_t tokens_count(const struct tokens *t);

/*
 * Whether `token` (not NUL-terminated, `len` bytes) may do what needs `scope`
 * for `rows` rows at `now_ns`. How long it takes says nothing about a token:
 * what is looked up is its hash, and the whole of that is compared.
 * *ret_name, the caller's, lives as long as `t`; NULL where unknown.
 */
enum token_verdict tokens_ask(struct tokens *t, const char *token, size_t len,
			      enum token_scope scope, double rows, int64_t now_ns,
			      const char **ret_name);

#endif
