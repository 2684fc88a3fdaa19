/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

/*
 * Scope-bound ownership. A variable declared `autofree`, `autofd` or
 * `autofclose` is released when it leaves scope; `steal()` hands it over
 * instead. Every destructor takes NULL (or -1).
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define autofree   __attribute__((cleanup(cleanup_free)))
#define autofd	   __attribute__((cleanup(cleanup_fd)))
#define autofclose __attribute__((cleanup(cleanup_fclose)))

/* The value of the pointer `p`, which is NULL from here on. */
#define steal(p)                                                                                   \
	__extension__({                                                                            \
		__typeof__(p) *steal_at = &(p);                                                    \
		__typeof__(p) steal_value = *steal_at;                                             \
		*steal_at = NULL;                                                                  \
		steal_value;                                                                       \
	})

static inline int steal_fd(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}

#define array_size(a) (sizeof(a) / sizeof((a)[0]))

#endif
