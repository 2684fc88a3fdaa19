/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRAIN_WORK_H
#define RETRAIN_WORK_H

/*
 * The work folder of continuous training: one process at a time in it, and
 * how far its round has come. Files, all written whole and renamed into place:
 *
 *	lock		held (flock) while a process works; holds its pid
 *	state		the round and its last finished step, "word value" lines
 *	recordings	what was taken in and what was refused (intake.h)
 *	data.db		the dataset, which grows
 *	key.pub		the public half of the signing key
 *	candidate.vmw	the last trained bundle, with .minisig and .trials
 *	judged.json	the round's line of the history, before it is one
 *	history.jsonl	one line a round (history.h)
 *
 * A step is in `state` only once all it wrote is in place, so a round that was
 * killed goes on behind its last finished step.
 */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct work {
	char path[PATH_MAX];
	int lock_fd; /* -1: not locked */
};

enum step {
	STEP_NONE,     /* the round before is finished, or this one takes recordings in */
	STEP_TRAINING, /* version and sequence are given */
	STEP_TRAINED,  /* candidate.vmw is there and signed */
	STEP_JUDGED,   /* judged.json is there, `promote` is decided */
	STEP_PUBLISHED,
	STEP_COUNT,
};

struct state {
	int64_t round; /* from 1 on; with STEP_NONE the next one */
	enum step step;
	char version[32];
	int64_t sequence, created_s;
	bool promote;
	/* Of the held-out window: a round that is taken up keeps the one it trained with. */
	double hold_share, hold_s;
	double import_s, train_s; /* durations */
};

/*
 * Make the folder where it is missing, lock it. -EBUSY with the pid of who
 * works there. With `look` nothing is made or locked.
 */
int work_open(const char *path, bool look, struct work *ret, struct err *e);
void work_close(struct work *w);

/* PATH of a file in the folder; `buf` has PATH_MAX bytes. Returns buf. */
const char *work_file(const struct work *w, const char *name, char *buf);

/* A folder without a state is at round 1. ERR_FORMAT when it is damaged. */
int state_load(const struct work *w, struct state *ret, struct err *e);
int state_save(const struct work *w, const struct state *s, struct err *e);

#endif
