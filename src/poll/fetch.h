/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLL_FETCH_H
#define POLL_FETCH_H

/* Files of a location, over HTTP or from a folder. */

#include "base/text.h"
#include "poll/poll.h"

struct fetch {
	struct text body; /* to be released */
	char etag[200];	  /* "" where none came */
	bool unchanged;	  /* the ETag still holds: no body */
};

/*
 * NAME below the location, at most `max` bytes. `etag` is asked for, or NULL. -EFBIG over `max`,
 * -ENOENT where there is none.
 */
int fetch_file(const struct poll_options *o, const char *name, size_t max, const char *etag,
	       struct fetch *ret, struct err *e);

#endif
