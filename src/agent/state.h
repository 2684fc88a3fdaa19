/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_STATE_H
#define AGENT_STATE_H

/*
 * Joules that outlive the agent: a small file in the state directory, mapped
 * and written in place, so that kill -9 loses nothing that was counted. Two
 * slots with sequence numbers and checksums are written in turn, so that a
 * crash of the machine in the middle of a write leaves the slot before.
 * The file is locked: two agents never count into one. Where its disk fails
 * meanwhile, joules go on in memory.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/zone.h"

struct state_zone {
	double active_j, idle_j;
};

struct state_file; /* what is mapped */

struct state {
	struct state_zone zones[ZONE_RAPL_COUNT];
	uint64_t sequence;
	int fd;			 /* -1: nothing is kept */
	struct state_file *file; /* NULL: nothing is kept */
};

/* Nothing is kept; joules start at 0. */
void state_init(struct state *s);

/*
 * Open DIRECTORY/joules, making both where missing, and read what was counted.
 * On failure nothing is kept: -EWOULDBLOCK when another agent holds it,
 * ERR_FORMAT when the file is not ours (it is left alone), or -errno.
 */
int state_open(struct state *s, const char *directory, struct err *e);

static inline bool state_kept(const struct state *s)
{
	return s->file != NULL;
}

/* Write zones[]; a few hundred nanoseconds, no system call. Nothing is kept where that fails. */
void state_commit(struct state *s);

/* Commit, flush to disk, unlock. */
void state_close(struct state *s);

#endif
