// SPDX-License-Identifier: Apache-2.0
/* Sets of CPUs: see cpus.h. */
#include "pinning/cpus.h"

#include <string.h>

#include "base/parse.h"

#define WORDS (CPUS_MAX / 64)

unsigned cpus_count(const struct cpus *c)
{
	unsigned n = 0;

	for (int i = 0; i < WORDS; i++)
		n += (unsigned)__builtin_popcountll(c->bits[i]);
	return n;
}

bool cpus_equal(const struct cpus *a, const struct cpus *b)
{
	return !memcmp(a, b, sizeof(*a));
}

bool cpus_within(const struct cpus *a, const struct cpus *b)
{
	for (int i = 0; i < WORDS; i++) {
		if (a->bits[i] & ~b->bits[i])
			return false;
	}
	return true;
}

bool cpus_meet(const struct cpus *a, const struct cpus *b)
{
	for (int i = 0; i < WORDS; i++) {
		if (a->bits[i] & b->bits[i])
			return true;
	}
	return false;
}

void cpus_unite(struct cpus *to, const struct cpus *from)
{
	for (int i = 0; i < WORDS; i++)
		to->bits[i] |= from->bits[i];
}

void cpus_keep(struct cpus *to, const struct cpus *from)
{
	for (int i = 0; i < WORDS; i++)
		to->bits[i] &= from->bits[i];
}

void cpus_remove(struct cpus *to, const struct cpus *from)
{
	for (int i = 0; i < WORDS; i++)
		to->bits[i] &= ~from->bits[i];
}

struct cpus cpus_parse(const char *list)
{
	struct cpus c = {{0}};
	uint64_t first, last;

	list += strcspn(list, "0123456789 \n");
	while (*list >= '0' && *list <= '9' && scan_u64(&list, &first)) {
		last = first;
		if (*list == '-' && list[1] >= '0' && list[1] <= '9') {
			list++;
			scan_u64(&list, &last);
		}
		for (uint64_t cpu = first; cpu <= last && cpu < CPUS_MAX; cpu++)
			cpus_add(&c, (unsigned)cpu);
		list += *list == ',';
	}
	return c;
}

struct cpus cpus_read(const struct root *r, const char *path)
{
	char text[4096];

	if (root_read_line(r, path, text, sizeof(text)) <= 0)
		return (struct cpus){{0}};
	return cpus_parse(text);
}

void cpus_write(const struct cpus *c, struct text *t)
{
	bool first = true;

	for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
		unsigned end = cpu;

		if (!cpus_has(c, cpu))
			continue;
		while (cpus_has(c, end + 1))
			end++;
		text_printf(t, end > cpu ? "%s%u-%u" : "%s%u", first ? "" : ",", cpu, end);
		first = false;
		cpu = end;
	}
	if (first)
		text_add(t, "none");
}
