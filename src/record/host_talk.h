/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_HOST_TALK_H
#define RECORD_HOST_TALK_H

/*
 * What a long recording says while it runs, on stderr: lines that stay, and on
 * a terminal one line of progress that is written over. And the end of it: a
 * descriptor that becomes readable on SIGINT or SIGTERM.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct host_talk {
	FILE *to;
	bool terminal;
	size_t shown; /* columns of the progress line that stands there */
};

struct host_talk host_talk(FILE *to);

/* "vmwatts record host: sentence", on a line of its own. */
void host_say(struct host_talk *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Write over the line of progress; nothing when it is no terminal. */
void host_progress(struct host_talk *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* End the line of progress, which stays. */
void host_progress_end(struct host_talk *t);

/* Block SIGINT and SIGTERM; the descriptor they are read from, or -errno. */
int host_stop_open(void);

/* Something else that the recording's loop serves while it waits. */
struct host_beside {
	int fd;			  /* readable: call serve */
	int (*serve)(void *user); /* -errno: the recording is to end */
	void *user;
};

/*
 * Sleep until CLOCK_MONOTONIC is at `until_ns`, and serve what is beside (NULL:
 * nothing): true where the recording is to end.
 */
bool host_stop_wait(int stop_fd, const struct host_beside *beside, int64_t until_ns);

#endif
