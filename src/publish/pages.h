/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PUBLISH_PAGES_H
#define PUBLISH_PAGES_H

/*
 * What is answered to GET, by path. Bodies are rendered on the first request
 * after a tick and shared by all until the snapshot changes.
 */

#include "base/text.h"
#include "publish/history.h"

struct rendered {
	struct text text;
	bool fresh;
};

struct pages {
	const struct snapshot *snapshot;
	const struct history *history; /* NULL: none */
	struct rendered metrics, json, html;
};

struct page {
	unsigned status; /* of HTTP */
	const char *type;
	const char *body; /* borrowed: static, or until the snapshot changes */
	size_t len;
	bool asset; /* the same in every answer of this version */
};

/* `s` is what pages tell from now on. */
void pages_show(struct pages *p, const struct snapshot *s);
void pages_release(struct pages *p);

/* `accept` is that header, or NULL. */
struct page pages_find(struct pages *p, const char *path, const char *accept);

/* A sentence. */
struct page page_plain(unsigned status, const char *body);

#endif
