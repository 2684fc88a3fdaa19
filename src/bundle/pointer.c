// SPDX-License-Identifier: Apache-2.0
/* Which bundle is the newest at a publishing location: see pointer.h. */
#include "bundle/pointer.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "bundle/bundle.h"

#define FIRST_LINE "vmwatts-latest 1"

void pointer_measure(struct pointer *p, const void *data, size_t len)
{
	unsigned char digest[crypto_hash_sha256_BYTES];

	p->bytes = len;
	crypto_hash_sha256(digest, data, len);
	sodium_bin2hex(p->sha256, sizeof(p->sha256), digest, sizeof(digest));
}

void pointer_write(const struct pointer *p, struct text *out)
{
	text_printf(out, FIRST_LINE "\nfile %s\nsequence %lld\nbytes %llu\nsha256 %s\n", p->file,
		    (long long)p->sequence, (unsigned long long)p->bytes, p->sha256);
}

static int check_file(const char *s)
{
	size_t n = strlen(s);

	return n > 4 && n < sizeof(((struct pointer *)0)->file) && s[0] != '.' && s[0] != '-' &&
	       !strcmp(s + n - 4, ".vmw") &&
	       !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")];
}

/* The value of the line that starts with `word`, or NULL; *at moves behind the line. */
static char *line(char **at, const char *word)
{
	char *value = *at, *end = strchr(value, '\n');
	size_t n = strlen(word);

	if (!end || strncmp(value, word, n) != 0)
		return NULL;
	*end = 0;
	*at = end + 1;
	return value + n;
}

static int refuse(struct err *e, const char *what)
{
	return err_set(e, -ERR_FORMAT, "the file `" POINTER_FILE "` there is not ours: %s", what);
}

int pointer_parse(const char *text, size_t len, struct pointer *ret, struct err *e)
{
	char copy[POINTER_MAX + 1], *at = copy, *value;
	struct pointer p = {.file = ""};

	if (len > POINTER_MAX || memchr(text, 0, len))
		return refuse(e, "too long, or no text");
	memcpy(copy, text, len);
	copy[len] = 0;
	value = line(&at, FIRST_LINE);
	if (!value || *value)
		return refuse(e, "its first line is not " FIRST_LINE);
	value = line(&at, "file ");
	if (!value || !check_file(value))
		return refuse(e, "it names no bundle");
	snprintf(p.file, sizeof(p.file), "%s", value);
	value = line(&at, "sequence ");
	if (!value || parse_i64(value, &p.sequence) < 0)
		return refuse(e, "it has no sequence");
	value = line(&at, "bytes ");
	if (!value || parse_u64(value, &p.bytes) < 0 || !p.bytes)
		return refuse(e, "it has no size");
	if (p.bytes > BUNDLE_MAX_BYTES)
		return refuse(e, "no bundle is as large as it says");
	value = line(&at, "sha256 ");
	if (!value || strlen(value) != 64 || value[strspn(value, "0123456789abcdef")])
		return refuse(e, "it has no sha256");
	memcpy(p.sha256, value, POINTER_SHA256);
	*ret = p;
	return 0;
}
