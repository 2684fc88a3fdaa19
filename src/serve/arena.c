// SPDX-License-Identifier: Apache-2.0
/* See arena.h. */
#include "serve/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#define CHUNK_SIZE 65536

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used;
	alignas(max_align_t) unsigned char data[];
};

static struct arena_chunk *add_chunk(struct arena *a, size_t size)
{
	struct arena_chunk *c = malloc(sizeof(*c) + size);

	if (!c)
		return NULL;
	*c = (struct arena_chunk){.size = size};
	if (a->now)
		a->now->next = c;
	else
		a->first = c;
	a->now = c;
	return c;
}

void *arena_take(struct arena *a, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct arena_chunk *c = a->now;
	void *p;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + align - 1) / align * align;
	if (!c || c->size - c->used < size)
		c = add_chunk(a, size > CHUNK_SIZE ? size : CHUNK_SIZE);
	if (!c)
		return NULL;
	p = c->data + c->used;
	c->used += size;
	return p;
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *c = a->first;

	if (!c)
		return;
	for (struct arena_chunk *more = c->next, *next; more; more = next) {
		next = more->next;
		free(more);
	}
	c->next = NULL;
	c->used = 0;
	a->now = c;
	if (c->size > CHUNK_SIZE)
		arena_release(a);
}

void arena_release(struct arena *a)
{
	for (struct arena_chunk *c = a->first, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	*a = (struct arena){NULL, NULL};
}
