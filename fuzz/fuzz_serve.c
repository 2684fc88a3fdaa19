// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a message to the model server, and as a file of tokens: refused, or a row of
 * numbers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/estimator.h"
#include "serve/answer.h"
#include "serve/arena.h"
#include "serve/tokens.h"

static struct arena arena;

static void *take(void *a, size_t size)
{
	return arena_take(a, size);
}

static void keep(void *a, void *p)
{
	(void)a;
	(void)p;
}

static void as_message(const uint8_t *data, size_t size)
{
	ProtobufCAllocator alloc = {take, keep, &arena};
	EstimationRequest *m = estimation_request__unpack(&alloc, size, data);
	const struct identity nobody = {.vendor = ""};
	struct feature_index index;
	struct estimate estimate;
	struct question q;
	struct prior prior;
	struct answer a;

	feature_index_init(&index);
	if (m && question_read(&index, m, &q, NULL) == 0) {
		if (!q.known || isinf(q.row.t_s) || q.row.dt_s < 0)
			abort();
		prior_init(&prior, &nobody);
		estimator_stateless_fit(NULL, &prior, &q.row, 1, 0, &estimate);
		answer_write(&estimate, NULL, "fuzzed", &a);
		estimation_response__get_packed_size(&a.message);
	}
	arena_reset(&arena);
}

static void as_tokens(const uint8_t *data, size_t size)
{
	struct tokens *t = NULL;
	char *text = malloc(size + 1);
	const char *name;

	if (!text)
		return;
	memcpy(text, data, size);
	text[size] = 0;
	if (tokens_parse(text, "fuzzed", &t, NULL) == 0 &&
	    tokens_ask(t, "x", 1, SCOPE_TOKEN_LOAD, 1, 1, &name) == TOKEN_FINE)
		abort(); /* nobody wrote the hash of "x" into a corpus */
	tokens_free(t);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	as_message(data, size);
	as_tokens(data, size);
	return 0;
}
