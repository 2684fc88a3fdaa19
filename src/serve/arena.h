/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_ARENA_H
#define SERVE_ARENA_H

/*
 * Memory for one message: taken in pieces, given back all at once. protobuf-c
 * unpacks a row into some forty pieces; from here they cost an addition each,
 * and the server's memory stays where its largest ordinary message put it.
 */

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *first, *now; /* owned; the first stays over resets */
};

/* Aligned for anything; NULL when there is no memory. */
void *arena_take(struct arena *a, size_t size);

/* Everything taken is gone; memory beyond the first chunk is freed. */
void arena_reset(struct arena *a);
void arena_release(struct arena *a);

#endif
