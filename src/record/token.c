// SPDX-License-Identifier: Apache-2.0
/* Tokens, and the host's table of them: see token.h. */
#include "record/token.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define FILE_MAX   (1u << 20)
#define TOKEN_SIZE 32
#define VARIANT	   sodium_base64_VARIANT_URLSAFE_NO_PADDING

static void hash_of(const char *token, char ret[TOKEN_HASH])
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, (const unsigned char *)token, strlen(token));
	sodium_bin2hex(ret, TOKEN_HASH, hash, sizeof(hash));
}

/* The whole of a file that nobody but its owner may read or write. */
static int read_secret(const char *path, char **ret, struct err *e)
{
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	autofree char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)FILE_MAX)
		return err_set(e, -EINVAL, "%s: not a file of tokens", path);
	if (file_check_secret(path, &st, e) < 0)
		return e->code;
	text = calloc(1, (size_t)st.st_size + 1);
	if (!text)
		return err_nomem(e);
	n = read(fd, text, (size_t)st.st_size);
	if (n < 0)
		return err_errno(e, "%s", path);
	text[n] = 0;
	*ret = steal(text);
	return 0;
}

int token_read(const char *path, char ret[TOKEN_TEXT], struct err *e)
{
	autofree char *text = NULL;
	size_t n;

	if (read_secret(path, &text, e) < 0)
		return e->code;
	n = strcspn(text, "\r\n");
	if (n < 16 || n >= TOKEN_TEXT || strcspn(text, " \t") < n ||
	    text[n + strspn(text + n, "\r\n")])
		return err_set(e, -ERR_CONFIG, "%s: holds no token; vmwatts record token makes one",
			       path);
	memcpy(ret, text, n);
	ret[n] = 0;
	return 0;
}

/* A line without its end; false for what is none. */
static bool take_line(const char *line, size_t len, struct token_line *ret)
{
	size_t digits = strspn(line, "0123456789abcdefABCDEF"), i;

	if (digits != TOKEN_HASH - 1 || len < digits + 2 || len - digits > CHANNEL_VM ||
	    line[digits] != ' ')
		return false;
	for (i = 0; i < digits; i++)
		ret->hash[i] = (char)(line[i] >= 'A' && line[i] <= 'F' ? line[i] | 32 : line[i]);
	ret->hash[i] = 0;
	memcpy(ret->vm, line + digits + 1, len - digits - 1);
	ret->vm[len - digits - 1] = 0;
	return channel_vm_name(ret->vm);
}

static void add_line(struct token_table *t, const struct token_line *line)
{
	bool known = false;

	for (size_t i = 0; i < t->n && !known; i++)
		known = !strcmp(t->lines[i].vm, line->vm);
	t->n_vms += !known;
	t->lines[t->n++] = *line;
}

int token_table_read(const char *path, struct token_table *ret, struct err *e)
{
	struct token_table t = {.n = 0};
	autofree char *text = NULL;
	const char *line;
	size_t n = 1, number = 1;

	if (read_secret(path, &text, e) < 0)
		return e->code;
	for (const char *p = text; *p; p++)
		n += *p == '\n';
	t.lines = calloc(n, sizeof(*t.lines));
	if (!t.lines)
		return err_nomem(e);
	for (line = text; *line; number++) {
		size_t len = strcspn(line, "\n");
		struct token_line l;

		if (len && *line != '#' && !take_line(line, len, &l)) {
			token_table_release(&t);
			return err_set(e, -ERR_CONFIG, "%s:%zu: not 'HASH NAME'", path, number);
		}
		if (len && *line != '#')
			add_line(&t, &l);
		line += len + (line[len] == '\n');
	}
	*ret = t;
	return 0;
}

void token_table_release(struct token_table *t)
{
	free(t->lines);
	*t = (struct token_table){.n = 0};
}

const char *token_table_find(const struct token_table *t, const char *token)
{
	const char *vm = NULL;
	char hash[TOKEN_HASH];

	hash_of(token, hash);
	for (size_t i = 0; i < t->n; i++) {
		if (sodium_memcmp(hash, t->lines[i].hash, sizeof(hash)) == 0)
			vm = t->lines[i].vm;
	}
	return vm;
}

static int write_whole(int fd, const char *path, const char *text, size_t n, struct err *e)
{
	ssize_t written = write(fd, text, n);

	if (written >= 0 && written != (ssize_t)n)
		errno = ENOSPC;
	if (written != (ssize_t)n || fsync(fd) < 0)
		return err_errno(e, "%s", path);
	return 0;
}

/* The line goes in first: a token that nobody knows opens nothing. */
static int append_line(const char *path, const char *token, const char *vm, struct err *e)
{
	autofd int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct token_table known = {.n = 0};
	char line[TOKEN_HASH + CHANNEL_VM + 2], hash[TOKEN_HASH];

	if (fd < 0)
		return err_errno(e, "%s", path);
	if (token_table_read(path, &known, e) < 0)
		return e->code;
	token_table_release(&known);
	hash_of(token, hash);
	snprintf(line, sizeof(line), "%s %s\n", hash, vm);
	return write_whole(fd, path, line, strlen(line), e);
}

int token_make(const char *vm, const char *table, const char *out, struct err *e)
{
	unsigned char bytes[TOKEN_SIZE];
	char token[TOKEN_TEXT];
	autofd int fd = -1;
	int r;

	if (!channel_vm_name(vm))
		return err_set(e, -ERR_USAGE, "a VM's name has 1 to %d characters, no control ones",
			       CHANNEL_VM - 1);
	if (sodium_init() < 0)
		return err_set(e, -ENOSYS, "no random numbers on this machine");
	randombytes_buf(bytes, sizeof(bytes));
	sodium_bin2base64(token, sizeof(token), bytes, sizeof(bytes), VARIANT);
	fd = open(out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(e, "%s", out);
	r = append_line(table, token, vm, e);
	if (r == 0) {
		token[strlen(token) + 1] = 0;
		token[strlen(token)] = '\n';
		r = write_whole(fd, out, token, strlen(token), e);
	}
	if (r < 0)
		unlink(out);
	sodium_memzero(token, sizeof(token));
	return r;
}
