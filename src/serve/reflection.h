/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_REFLECTION_H
#define SERVE_REFLECTION_H

/*
 * What server reflection answers from: the descriptors of the protocols that
 * this server speaks, compiled in.
 */

#include <stddef.h>
#include <stdint.h>

#define REFLECTION_FILES_MAX	8
#define REFLECTION_SYMBOLS_MAX	64
#define REFLECTION_SERVICES_MAX 8

struct reflection_file {
	char name[64];
	const uint8_t *data; /* a FileDescriptorProto; static */
	size_t len;
};

struct reflection {
	size_t n_files, n_symbols, n_services;
	struct reflection_file files[REFLECTION_FILES_MAX];
	struct {
		char name[96]; /* of the outermost kind: package.Message or package.Service */
		size_t file;
	} symbols[REFLECTION_SYMBOLS_MAX];
	const char *services[REFLECTION_SERVICES_MAX]; /* into symbols */
};

void reflection_init(struct reflection *r);

/* NULL where nothing has that name. A symbol may be a method, a field or a nested message. */
const struct reflection_file *reflection_by_name(const struct reflection *r, const char *name);
const struct reflection_file *reflection_by_symbol(const struct reflection *r, const char *symbol);

#endif
