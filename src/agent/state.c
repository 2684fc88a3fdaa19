// SPDX-License-Identifier: Apache-2.0
/* The file of joules: see state.h. */
#include "agent/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mapped.h"

#define STATE_NAME "joules"

static const char magic[8] = "VMWJOUL1";

struct slot {
	uint64_t sequence; /* the higher one of two good slots counts */
	struct state_zone zones[ZONE_RAPL_COUNT];
	uint64_t checksum;
};

struct state_file {
	char magic[8];
	struct slot slots[2];
};

/* FNV-1a over everything before the checksum. */
static uint64_t slot_checksum(const struct slot *s)
{
	const unsigned char *p = (const unsigned char *)s;
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < offsetof(struct slot, checksum); i++)
		hash = (hash ^ p[i]) * 1099511628211u;
	return hash;
}

static bool slot_good(const struct slot *s)
{
	if (s->checksum != slot_checksum(s))
		return false;
	for (int z = 0; z < ZONE_RAPL_COUNT; z++) {
		if (!(s->zones[z].active_j >= 0 && isfinite(s->zones[z].active_j) &&
		      s->zones[z].idle_j >= 0 && isfinite(s->zones[z].idle_j)))
			return false;
	}
	return true;
}

void state_init(struct state *s)
{
	*s = (struct state){.fd = -1};
}

static int open_file(const char *directory, int *ret_fd, struct err *e)
{
	char path[PATH_MAX];
	autofd int fd = -1;
	size_t n = (size_t)snprintf(path, sizeof(path), "%s", directory);

	if (n + sizeof("/" STATE_NAME) > sizeof(path))
		return err_set(e, -ENAMETOOLONG, "state_directory %s: path too long", directory);
	if (file_make_directories(path, 0750, e) < 0)
		return err_prefix(e, "state_directory");
	strcpy(path + n, "/" STATE_NAME); /* fits: checked above */
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(e, "state_directory %s", directory);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, -errno, "state_directory %s is in use by another agent",
			       directory);
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* A new file is made whole; one that is there must be ours. */
static int check_size(int fd, const char *directory, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(e, "state_directory %s", directory);
	if (st.st_size == 0) {
		struct state_file empty = {.slots = {{.sequence = 0}}};

		memcpy(empty.magic, magic, sizeof(magic));
		empty.slots[0].checksum = slot_checksum(&empty.slots[0]);
		if (write(fd, &empty, sizeof(empty)) != sizeof(empty))
			return err_errno(e, "state_directory %s", directory);
		return 0;
	}
	if (st.st_size != sizeof(struct state_file))
		return err_set(e, -ERR_FORMAT,
			       "%s/" STATE_NAME " is no file of joules: move it away", directory);
	return 0;
}

static int read_slots(struct state *s, const char *directory, struct err *e)
{
	const struct slot *best = NULL;

	if (memcmp(s->file->magic, magic, sizeof(magic)) != 0)
		return err_set(e, -ERR_FORMAT,
			       "%s/" STATE_NAME " is no file of joules: move it away", directory);
	for (int i = 0; i < 2; i++) {
		const struct slot *slot = &s->file->slots[i];

		if (slot_good(slot) && (!best || slot->sequence > best->sequence))
			best = slot;
	}
	if (!best)
		return err_set(e, -ERR_FORMAT, "%s/" STATE_NAME " is damaged: move it away",
			       directory);
	s->sequence = best->sequence;
	memcpy(s->zones, best->zones, sizeof(s->zones));
	return 0;
}

static void drop(struct state *s)
{
	mapped_forget(s->file);
	if (s->file)
		munmap(s->file, sizeof(*s->file));
	if (s->fd >= 0)
		close(s->fd); /* and with it the lock */
	s->file = NULL;
	s->fd = -1;
}

int state_open(struct state *s, const char *directory, struct err *e)
{
	void *at;
	int r;

	state_init(s);
	r = open_file(directory, &s->fd, e);
	if (r == 0)
		r = check_size(s->fd, directory, e);
	if (r == 0) {
		at = mmap(NULL, sizeof(*s->file), PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
		if (at == MAP_FAILED) {
			r = err_errno(e, "state_directory %s", directory);
		} else {
			s->file = at;
			mapped_watch(at, sizeof(*s->file));
		}
	}
	if (r == 0)
		r = read_slots(s, directory, e);
	if (r < 0)
		drop(s);
	return r;
}

void state_commit(struct state *s)
{
	struct slot *slot;

	if (!s->file)
		return;
	s->sequence++;
	slot = &s->file->slots[s->sequence % 2];
	/* A kill between these lines leaves a bad checksum: the other slot counts. */
	slot->checksum = 0;
	atomic_signal_fence(memory_order_seq_cst);
	slot->sequence = s->sequence;
	memcpy(slot->zones, s->zones, sizeof(s->zones));
	atomic_signal_fence(memory_order_seq_cst);
	slot->checksum = slot_checksum(slot);
	if (!mapped_lost(s->file))
		return;
	log_error("the file of joules cannot be written any more (its disk failed or is full, or "
		  "it was cut off): joules go on, and are not kept");
	drop(s);
}

void state_close(struct state *s)
{
	state_commit(s);
	if (!s->file)
		return;
	msync(s->file, sizeof(*s->file), MS_SYNC);
	drop(s);
}
