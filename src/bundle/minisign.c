// SPDX-License-Identifier: Apache-2.0
/*
 * minisign's file formats over libsodium: see minisign.h.
 *
 *   public key   "Ed" id[8] key[32]
 *   secret key   "Ed" kdf[2] "B2" salt[32] ops[8] mem[8] id[8] key[64] sum[32]
 *                sum = BLAKE2b-256("Ed" id key); kdf 0 0 = not encrypted
 *   signature    "ED" id[8] sig[64], then sign(sig, trusted comment)[64]
 *
 * each in base64 on the line below an "untrusted comment:" line.
 */
#include "bundle/minisign.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define BASE64	       sodium_base64_VARIANT_ORIGINAL
#define TRUSTED_PREFIX "trusted comment: "
#define SECRET_BYTES   158
#define PUBLIC_BYTES   42
#define SIG_BYTES      74

void key_id_text(const uint8_t id[8], char ret[MINISIGN_KEY_ID])
{
	for (int i = 0; i < 8; i++)
		snprintf(ret + 2 * i, 3, "%02X", id[7 - i]);
}

static int init(struct err *e)
{
	return sodium_init() < 0 ? err_set(e, -EIO, "libsodium does not start") : 0;
}

int minisign_keygen(struct secret_key *ret_secret, struct public_key *ret_public, struct err *e)
{
	if (init(e) < 0)
		return -EIO;
	randombytes_buf(ret_secret->id, sizeof(ret_secret->id));
	memcpy(ret_public->id, ret_secret->id, sizeof(ret_public->id));
	crypto_sign_keypair(ret_public->key, ret_secret->key);
	return 0;
}

void secret_key_public(const struct secret_key *k, struct public_key *ret)
{
	memcpy(ret->id, k->id, sizeof(ret->id));
	crypto_sign_ed25519_sk_to_pk(ret->key, k->key);
}

void secret_key_wipe(struct secret_key *k)
{
	sodium_memzero(k, sizeof(*k));
}

static void checksum(const struct secret_key *k, uint8_t ret[32])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, 32);
	crypto_generichash_update(&state, (const uint8_t *)"Ed", 2);
	crypto_generichash_update(&state, k->id, sizeof(k->id));
	crypto_generichash_update(&state, k->key, sizeof(k->key));
	crypto_generichash_final(&state, ret, 32);
}

/* Write a comment line and a base64 line to a new file of that mode. */
static int write_new(const char *path, mode_t mode, const char *comment, const uint8_t *bytes,
		     size_t n, struct err *e)
{
	char base64[256], text[512];
	autofd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	int len, r = 0;

	if (fd < 0 && errno == EEXIST)
		return err_set(e, -EEXIST, "%s exists: remove it or choose another name", path);
	if (fd < 0)
		return err_errno(e, "%s", path);
	sodium_bin2base64(base64, sizeof(base64), bytes, n, BASE64);
	len = snprintf(text, sizeof(text), "untrusted comment: %s\n%s\n", comment, base64);
	if (write(fd, text, (size_t)len) != len || fsync(fd) < 0) {
		r = err_errno(e, "%s", path);
		unlink(path); /* ours, and half: a second try must not find it */
	}
	sodium_memzero(base64, sizeof(base64));
	sodium_memzero(text, sizeof(text));
	return r;
}

int secret_key_write(const struct secret_key *k, const char *path, struct err *e)
{
	uint8_t bytes[SECRET_BYTES] = {0};
	int r;

	memcpy(bytes, "Ed", 2);
	memcpy(bytes + 4, "B2", 2);
	memcpy(bytes + 54, k->id, 8);
	memcpy(bytes + 62, k->key, 64);
	checksum(k, bytes + 126);
	r = write_new(path, 0600, "minisign unencrypted secret key", bytes, sizeof(bytes), e);
	sodium_memzero(bytes, sizeof(bytes));
	return r;
}

int public_key_write(const struct public_key *k, const char *path, struct err *e)
{
	uint8_t bytes[PUBLIC_BYTES];
	char comment[64], id[MINISIGN_KEY_ID];

	key_id_text(k->id, id);
	snprintf(comment, sizeof(comment), "minisign public key %s", id);
	memcpy(bytes, "Ed", 2);
	memcpy(bytes + 2, k->id, 8);
	memcpy(bytes + 10, k->key, 32);
	return write_new(path, 0644, comment, bytes, sizeof(bytes), e);
}

/* The second line of a two-line file, decoded; it must be exactly n bytes. */
static int read_second_line(const char *path, const char *what, uint8_t *bytes, size_t n,
			    bool secret, struct err *e)
{
	char text[1024];
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t len;
	char *line;
	size_t got;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "%s %s", what, path);
	if (secret && file_check_secret(path, &st, e) < 0)
		return e->code;
	len = read(fd, text, sizeof(text) - 1);
	if (len < 0)
		return err_errno(e, "%s %s", what, path);
	text[len] = 0;
	line = strchr(text, '\n');
	if (!line || strncmp(text, "untrusted comment:", 18) != 0)
		return err_set(e, -ERR_FORMAT, "%s %s: not a minisign key file", what, path);
	line++;
	line[strcspn(line, "\r\n")] = 0;
	if (sodium_base642bin(bytes, n, line, strlen(line), NULL, &got, NULL, BASE64) < 0 ||
	    got != n || memcmp(bytes, "Ed", 2) != 0)
		return err_set(e, -ERR_FORMAT, "%s %s: not a minisign %s", what, path, what);
	sodium_memzero(text, sizeof(text));
	return 0;
}

int secret_key_read(const char *path, struct secret_key *ret, struct err *e)
{
	uint8_t bytes[SECRET_BYTES], sum[32];
	struct secret_key k;
	int r;

	if (init(e) < 0)
		return -EIO;
	r = read_second_line(path, "secret key", bytes, sizeof(bytes), true, e);
	if (r < 0)
		return r;
	if (bytes[2] || bytes[3])
		return err_set(
			e, -ERR_FORMAT,
			"secret key %s is encrypted: `vmwatts model keygen` makes one that is not",
			path);
	memcpy(k.id, bytes + 54, 8);
	memcpy(k.key, bytes + 62, 64);
	checksum(&k, sum);
	r = sodium_memcmp(sum, bytes + 126, sizeof(sum));
	sodium_memzero(bytes, sizeof(bytes));
	if (r == 0)
		*ret = k;
	secret_key_wipe(&k);
	return r == 0 ? 0 : err_set(e, -ERR_FORMAT, "secret key %s is damaged", path);
}

int public_key_read(const char *path, struct public_key *ret, struct err *e)
{
	uint8_t bytes[PUBLIC_BYTES];
	int r;

	if (init(e) < 0)
		return -EIO;
	r = read_second_line(path, "public key", bytes, sizeof(bytes), false, e);
	if (r < 0)
		return r;
	memcpy(ret->id, bytes + 2, 8);
	memcpy(ret->key, bytes + 10, 32);
	return 0;
}

int minisign_sign(const void *data, size_t len, const struct secret_key *k,
		  const char *trusted_comment, struct text *ret, struct err *e)
{
	uint8_t hash[64], bytes[SIG_BYTES], global_message[64 + 256], global[64];
	size_t comment_len = strlen(trusted_comment);
	char base64[128];

	if (init(e) < 0)
		return -EIO;
	if (comment_len > 200 || strpbrk(trusted_comment, "\r\n"))
		return err_set(e, -EINVAL, "trusted comment: one line of at most 200 characters");
	crypto_generichash(hash, sizeof(hash), data, len, NULL, 0);
	memcpy(bytes, "ED", 2);
	memcpy(bytes + 2, k->id, 8);
	crypto_sign_detached(bytes + 10, NULL, hash, sizeof(hash), k->key);
	memcpy(global_message, bytes + 10, 64);
	memcpy(global_message + 64, trusted_comment, comment_len);
	crypto_sign_detached(global, NULL, global_message, 64 + comment_len, k->key);

	text_add(ret, "untrusted comment: signature by vmwatts\n");
	text_add(ret, sodium_bin2base64(base64, sizeof(base64), bytes, sizeof(bytes), BASE64));
	text_printf(ret, "\n" TRUSTED_PREFIX "%s\n", trusted_comment);
	text_add(ret, sodium_bin2base64(base64, sizeof(base64), global, sizeof(global), BASE64));
	text_add(ret, "\n");
	return ret->failed ? err_nomem(e) : 0;
}

/* Copy the line at *p without its end and step behind it; false at the end of the text. */
static bool next_line(const char **p, char *line, size_t size)
{
	size_t n = strcspn(*p, "\n");

	if (!**p || n >= size)
		return false;
	memcpy(line, *p, n);
	line[n] = 0;
	if (n && line[n - 1] == '\r')
		line[n - 1] = 0;
	*p += n + (*(*p + n) == '\n');
	return true;
}

static bool decode(const char *line, uint8_t *bytes, size_t n)
{
	size_t got;

	/* libsodium takes a byte above 127 for a letter of the alphabet, whichever is near. */
	for (const char *p = line; *p; p++) {
		if ((unsigned char)*p > 127)
			return false;
	}
	return sodium_base642bin(bytes, n, line, strlen(line), NULL, &got, NULL, BASE64) == 0 &&
	       got == n;
}

int signature_parse(const char *text, struct signature *ret, struct err *e)
{
	char comment[512], sig[256], trusted[512], global[256];
	uint8_t bytes[SIG_BYTES];
	struct signature s;

	if (init(e) < 0)
		return -EIO;
	if (!next_line(&text, comment, sizeof(comment)) || !next_line(&text, sig, sizeof(sig)) ||
	    !next_line(&text, trusted, sizeof(trusted)) ||
	    !next_line(&text, global, sizeof(global)) || *text ||
	    strncmp(comment, "untrusted comment:", 18) != 0 ||
	    strncmp(trusted, TRUSTED_PREFIX, strlen(TRUSTED_PREFIX)) != 0 ||
	    !decode(sig, bytes, sizeof(bytes)) || !decode(global, s.global, sizeof(s.global)) ||
	    strlen(trusted) - strlen(TRUSTED_PREFIX) >= sizeof(s.trusted_comment))
		return err_set(e, -ERR_SIGNATURE, "signature is not in minisign's format");
	if (memcmp(bytes, "ED", 2) != 0)
		return err_set(
			e, -ERR_SIGNATURE,
			"signature is not a prehashed Ed25519 one (minisign's default since 0.10)");
	memcpy(s.id, bytes + 2, 8);
	memcpy(s.sig, bytes + 10, 64);
	strcpy(s.trusted_comment, trusted + strlen(TRUSTED_PREFIX)); /* fits: checked above */
	*ret = s;
	return 0;
}

int signature_verify(const struct signature *s, const struct public_key *k, const void *data,
		     size_t len, struct err *e)
{
	uint8_t hash[64], message[64 + sizeof(s->trusted_comment)];
	size_t comment_len = strlen(s->trusted_comment);
	char id[MINISIGN_KEY_ID];

	key_id_text(k->id, id);
	crypto_generichash(hash, sizeof(hash), data, len, NULL, 0);
	if (memcmp(s->id, k->id, sizeof(s->id)) != 0 ||
	    crypto_sign_verify_detached(s->sig, hash, sizeof(hash), k->key) != 0)
		return err_set(e, -ERR_SIGNATURE, "not what key %s signed", id);
	memcpy(message, s->sig, 64);
	memcpy(message + 64, s->trusted_comment, comment_len);
	if (crypto_sign_verify_detached(s->global, message, 64 + comment_len, k->key) != 0)
		return err_set(e, -ERR_SIGNATURE, "trusted comment is not what key %s signed", id);
	return 0;
}
