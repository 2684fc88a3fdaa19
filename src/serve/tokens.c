// SPDX-License-Identifier: Apache-2.0
/* See tokens.h. */
#include "serve/tokens.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/parse.h"

#define FILE_MAX   (16u << 20)
#define HASH_BYTES crypto_hash_sha256_BYTES
#define NAME_SIZE  128

struct token {
	unsigned char hash[HASH_BYTES];
	char name[NAME_SIZE];
	unsigned scopes;
	double rate, left; /* rows a second; rows that may be asked at once */
	int64_t at_ns;	   /* when `left` was right; 0: never used */
};

struct tokens {
	size_t n;
	struct token items[]; /* by hash */
};

static int by_hash(const void *a, const void *b)
{
	return memcmp(((const struct token *)a)->hash, ((const struct token *)b)->hash, HASH_BYTES);
}

static bool parse_scopes(char *words, unsigned *ret)
{
	static const char *const names[] = {"estimate", "info", "load"};
	char *save, *word;

	*ret = 0;
	for (word = strtok_r(words, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		size_t i = 0;

		while (i < array_size(names) && strcmp(word, names[i]) != 0)
			i++;
		if (i == array_size(names))
			return false;
		*ret |= 1u << i;
	}
	return *ret != 0;
}

static bool parse_line(char *line, struct token *ret)
{
	char *save, *hash = strtok_r(line, " \t\r", &save), *name = strtok_r(NULL, " \t\r", &save);
	char *scopes = strtok_r(NULL, " \t\r", &save), *rate = strtok_r(NULL, " \t\r", &save);
	size_t n;

	if (!hash || !name || strtok_r(NULL, " \t\r", &save) || strlen(name) >= NAME_SIZE ||
	    strlen(hash) != 2 * HASH_BYTES ||
	    sodium_hex2bin(ret->hash, HASH_BYTES, hash, 2 * HASH_BYTES, NULL, &n, NULL) != 0 ||
	    n != HASH_BYTES)
		return false;
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	ret->scopes = SCOPE_TOKEN_ESTIMATE | SCOPE_TOKEN_INFO;
	if (scopes && !parse_scopes(scopes, &ret->scopes))
		return false;
	return !rate || (parse_double(rate, &ret->rate) == 0 && ret->rate >= 0);
}

int tokens_parse(const char *text, const char *name, struct tokens **ret, struct err *e)
{
	autofree struct tokens *t = NULL;
	size_t lines = 1, number = 0;

	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	t = calloc(1, sizeof(*t) + lines * sizeof(t->items[0]));
	if (!t)
		return err_nomem(e);
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");
		char copy[512];

		number++;
		if (len >= sizeof(copy))
			return err_set(e, -ERR_CONFIG, "%s:%zu: longer than any line of tokens",
				       name, number);
		memcpy(copy, line, len);
		copy[len] = 0;
		if (copy[strspn(copy, " \t\r")] && copy[0] != '#') {
			if (!parse_line(copy, &t->items[t->n]))
				return err_set(e, -ERR_CONFIG,
					       "%s:%zu: not 'HASH NAME [estimate,info,load "
					       "[RATE]]'",
					       name, number);
			t->n++;
		}
		line += len + (line[len] == '\n');
	}
	qsort(t->items, t->n, sizeof(t->items[0]), by_hash);
	*ret = steal(t);
	return 0;
}

int tokens_read(const char *path, struct tokens **ret, struct err *e)
{
	autofree char *text = NULL;
	struct stat st;
	size_t len;
	int r = stat(path, &st) == 0 ? file_check_secret(path, &st, e) : 0;

	if (r == 0)
		r = file_read(path, FILE_MAX, true, &text, &len, e);
	return r < 0 ? r : tokens_parse(text, path, ret, e);
}

void tokens_free(struct tokens *t)
{
	free(t);
}

size_t tokens_count(const struct tokens *t)
{
	return t->n;
}

/* Lines of one hash side by side: the first with the scope, else the first. */
static struct token *find(struct tokens *t, const unsigned char hash[HASH_BYTES],
			  enum token_scope scope)
{
	struct token *found = NULL;
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (memcmp(t->items[middle].hash, hash, HASH_BYTES) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < t->n && sodium_memcmp(t->items[low].hash, hash, HASH_BYTES) == 0; low++) {
		if (!found || (!(found->scopes & scope) && (t->items[low].scopes & scope)))
			found = &t->items[low];
	}
	return found;
}

static bool within_rate(struct token *t, double rows, int64_t now_ns)
{
	double burst = 2 * t->rate, more;

	if (t->rate <= 0)
		return true;
	if (burst < 1)
		burst = 1;
	more = t->at_ns ? (double)(now_ns - t->at_ns) * 1e-9 * t->rate : burst;
	t->left = t->left + more > burst ? burst : t->left + more;
	t->at_ns = now_ns;
	if (t->left < rows)
		return false;
	t->left -= rows;
	return true;
}

enum token_verdict tokens_ask(struct tokens *t, const char *token, size_t len,
			      enum token_scope scope, double rows, int64_t now_ns,
			      const char **ret_name)
{
	unsigned char hash[HASH_BYTES];
	struct token *found;

	crypto_hash_sha256(hash, (const unsigned char *)token, len);
	found = find(t, hash, scope);
	*ret_name = found ? found->name : NULL;
	if (!found)
		return TOKEN_UNKNOWN;
	if (!(found->scopes & scope))
		return TOKEN_OUT_OF_SCOPE;
	return within_rate(found, rows, now_ns) ? TOKEN_FINE : TOKEN_TOO_OFTEN;
}
