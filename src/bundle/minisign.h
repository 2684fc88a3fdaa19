/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUNDLE_MINISIGN_H
#define BUNDLE_MINISIGN_H

/*
 * Ed25519 signatures in minisign's file formats, by libsodium, so that anyone
 * can check a bundle with `minisign -Vm FILE -p KEY.pub`. We write the
 * prehashed kind (BLAKE2b-512 of the file) and accept no other: a legacy
 * signature would have to be verified over the whole file in memory twice.
 * Secret keys are unencrypted (kdf "none"), files of mode 0600.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

#define MINISIGN_KEY_ID 17 /* 16 hexadecimal digits and NUL */

struct public_key {
	uint8_t id[8];
	uint8_t key[32];
};

struct secret_key {
	uint8_t id[8];
	uint8_t key[64];
};

/* As minisign prints a key id: most significant byte first. */
void key_id_text(const uint8_t id[8], char ret[MINISIGN_KEY_ID]);

int minisign_keygen(struct secret_key *ret_secret, struct public_key *ret_public, struct err *e);

/* PATH must not exist. */
int secret_key_write(const struct secret_key *k, const char *path, struct err *e);
int public_key_write(const struct public_key *k, const char *path, struct err *e);

/* A secret key that group or others may read is refused; so is an encrypted one. */
int secret_key_read(const char *path, struct secret_key *ret, struct err *e);
int public_key_read(const char *path, struct public_key *ret, struct err *e);

/* The public half of a secret key. */
void secret_key_public(const struct secret_key *k, struct public_key *ret);
void secret_key_wipe(struct secret_key *k);

/* The text of the .minisig file for data[len]. */
int minisign_sign(const void *data, size_t len, const struct secret_key *k,
		  const char *trusted_comment, struct text *ret, struct err *e);

struct signature {
	uint8_t id[8];
	uint8_t sig[64], global[64];
	char trusted_comment[256];
};

/* Parse a .minisig text (NUL-terminated). ERR_SIGNATURE. */
int signature_parse(const char *text, struct signature *ret, struct err *e);

/* ERR_SIGNATURE unless `s` is k's signature of data[len] and of the trusted comment. */
int signature_verify(const struct signature *s, const struct public_key *k, const void *data,
		     size_t len, struct err *e);

#endif
