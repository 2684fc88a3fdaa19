/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MAPPED_H
#define BASE_MAPPED_H

/*
 * Mapped files that are written, and a disk that fails under them: a file
 * system that an error made read-only, one that is full and copies what it
 * writes (btrfs), a file that somebody cut off. A store then raises SIGBUS.
 * Where it is into a mapping that is watched here, memory takes the file's
 * place and the store succeeds; the owner asks mapped_lost() and knows that
 * nothing is kept from then on. For programs of one thread.
 */

#include <stdbool.h>
#include <stddef.h>

/* Watch a mapping that mmap() gave, until mapped_forget(). */
void mapped_watch(void *at, size_t size);
void mapped_forget(const void *at);

/* Whether memory took its place. */
bool mapped_lost(const void *at);

#endif
