/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_METHODS_H
#define SERVE_METHODS_H

/*
 * The methods this server has, as a table: bytes of a message in, bytes or a
 * status out. Nothing here does I/O, but for LoadModels, which reads a store.
 * calls.c moves the bytes.
 */

#include <grpc/status.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "serve/answer.h"
#include "serve/arena.h"
#include "serve/models.h"
#include "serve/reflection.h"
#include "serve/stats.h"
#include "serve/tokens.h"

/* What all calls share. */
struct service {
	struct models *models;
	struct feature_index index;
	struct reflection reflection;
	struct stats stats;
	pthread_mutex_t tokens_lock;
	struct tokens *tokens; /* NULL: nobody needs one */
	atomic_bool draining;
};

void service_init(struct service *s, struct models *m);

/* Exchange the tokens; the old ones are freed. */
void service_set_tokens(struct service *s, struct tokens *t);

/* What one call brings along. */
struct caller {
	const char *token; /* of "authorization: Bearer TOKEN"; NULL: none */
	size_t token_len;
	struct session *session; /* of a stream; NULL for unary calls */
};

/* What a message is answered with. */
struct outcome {
	grpc_status_code code;
	char why[192];
	const uint8_t *data; /* in the arena; NULL unless code is GRPC_STATUS_OK */
	size_t len;
};

enum method_kind {
	METHOD_UNARY,
	METHOD_STREAM, /* every message is answered by one */
	METHOD_WATCH,  /* one message; answers when something changes */
};

struct method {
	const char *path;
	enum method_kind kind;
	unsigned scope; /* enum token_scope; 0: open to everyone */
	void (*answer)(struct service *s, const struct caller *c, const uint8_t *data, size_t len,
		       struct arena *a, struct outcome *ret);
};

extern const struct method methods[];
extern const size_t n_methods; /* at most STATS_METHODS - 1 */

/* What metrics call it; any index beyond the table is "other". */
const char *method_label(size_t index);

/* Whether the caller may go on; else `ret` says why not. `rows` are charged to its token. */
bool service_admit(struct service *s, const struct caller *c, unsigned scope, double rows,
		   struct outcome *ret);

/* The health of the server as a message, for Watch. */
void health_answer(struct service *s, struct arena *a, struct outcome *ret);

/* A stream's past; NULL when there is no memory. */
struct session *session_new(void);
void session_free(struct session *s); /* NULL is fine */

#endif
