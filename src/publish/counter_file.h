/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PUBLISH_COUNTER_FILE_H
#define PUBLISH_COUNTER_FILE_H

/* What a counter page is on disk; only src/publish/counter_*.c include this. */

#include "publish/counter_page.h"

/* The bytes "VMWPAGE1" on a little-endian machine. */
#define COUNTER_MAGIC UINT64_C(0x3145474150574d56)

struct counter_slot {
	struct counter_page page;
	uint64_t checksum;
};

struct counter_file {
	uint64_t magic;
	struct counter_slot slots[2];
};

/* FNV-1a over the page's 64-bit words; no padding in it. */
static inline uint64_t counter_checksum(const struct counter_page *p)
{
	const uint64_t *word = (const uint64_t *)(const void *)p;
	uint64_t hash = 14695981039346656037u;

	_Static_assert(sizeof(*p) == (6 + COUNTER_POINTS * (1 + ZONE_RAPL_COUNT)) * 8, "padding");
	for (size_t i = 0; i < sizeof(*p) / sizeof(*word); i++)
		hash = (hash ^ word[i]) * 1099511628211u;
	return hash;
}

#endif
