/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PINNING_CPUS_H
#define PINNING_CPUS_H

/* Sets of CPU numbers, and the kernel's way to write them: "0-3,8". */

#include <stdbool.h>
#include <stdint.h>

#include "base/root.h"
#include "base/text.h"

#define CPUS_MAX 1024 /* numbers beyond are passed over */

struct cpus {
	uint64_t bits[CPUS_MAX / 64];
};

static inline bool cpus_has(const struct cpus *c, unsigned cpu)
{
	return cpu < CPUS_MAX && (c->bits[cpu / 64] >> (cpu % 64) & 1);
}

static inline void cpus_add(struct cpus *c, unsigned cpu)
{
	if (cpu < CPUS_MAX)
		c->bits[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}

unsigned cpus_count(const struct cpus *c);
bool cpus_equal(const struct cpus *a, const struct cpus *b);

/* Every CPU of `a` is in `b`. */
bool cpus_within(const struct cpus *a, const struct cpus *b);
bool cpus_meet(const struct cpus *a, const struct cpus *b);
void cpus_unite(struct cpus *to, const struct cpus *from);
void cpus_keep(struct cpus *to, const struct cpus *from);   /* to &= from */
void cpus_remove(struct cpus *to, const struct cpus *from); /* to &= ~from */

/* Read a list up to its first other character; words such as "domain," before it are skipped. */
struct cpus cpus_parse(const char *list);

/* The list in the file PATH below the root; empty where it cannot be read. */
struct cpus cpus_read(const struct root *r, const char *path);

/* "0-3,8", or "none". */
void cpus_write(const struct cpus *c, struct text *t);

#define cpus_foreach(cpu, set)                                                                     \
	for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++)                                              \
		if (cpus_has((set), cpu))

#endif
