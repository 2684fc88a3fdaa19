// SPDX-License-Identifier: Apache-2.0
/* What there is, and what a phase may have of it: see budget.h. */
#include "workload/budget.h"

#include <errno.h>
#include <linux/magic.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define MIB	     (UINT64_C(1) << 20)
#define WORKER_LEAST MIB
#define CPUS_MOST    65536

static bool find_kib(const char *text, const char *key, uint64_t *ret_bytes)
{
	const char *at = strstr(text, key);

	if (!at)
		return false;
	at += strlen(key);
	if (!scan_u64(&at, ret_bytes))
		return false;
	*ret_bytes *= 1024;
	return true;
}

/* One of the two kinds of cgroups: where it is mounted, its line of /proc/PID/cgroup, its files. */
struct cgroup_kind {
	const char *mount, *line, *most, *used, *gives_way;
};

static const struct cgroup_kind cgroup_kinds[] = {
	{"/sys/fs/cgroup", "\n0::", "memory.max", "memory.current", "\ninactive_file "},
	{"/sys/fs/cgroup/memory", ":memory:", "memory.limit_in_bytes", "memory.usage_in_bytes",
	 "\ntotal_inactive_file "},
};

static bool read_number(const struct root *r, const char *folder, const char *name,
			uint64_t *ret_bytes)
{
	char path[1024], text[64];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return root_read_line(r, path, text, sizeof(text)) > 0 && parse_u64(text, ret_bytes) == 0;
}

/* Of what is counted as used, files that give way to programs, as MemAvailable takes them too. */
static uint64_t reclaimable(const struct root *r, const char *folder, const char *key)
{
	char path[1024], text[8192];
	const char *at;
	uint64_t bytes;

	snprintf(path, sizeof(path), "%s/memory.stat", folder);
	if (root_read(r, path, text, sizeof(text)) <= 0)
		return 0;
	at = strstr(text, key);
	if (!at)
		return 0;
	at += strlen(key);
	return scan_u64(&at, &bytes) ? bytes : 0;
}

/* What a cgroup may still take; UINT64_MAX where it has no limit. */
static uint64_t left_of(const struct root *r, const char *folder, const struct cgroup_kind *k)
{
	uint64_t most, used, gives_way;

	if (!read_number(r, folder, k->most, &most) || !read_number(r, folder, k->used, &used))
		return UINT64_MAX;
	gives_way = reclaimable(r, folder, k->gives_way);
	used -= gives_way < used ? gives_way : used;
	return most > used ? most - used : 0;
}

/* What our cgroup of that kind, and each that it is in, may still take. */
static uint64_t cgroup_left(const struct root *r, const struct cgroup_kind *k)
{
	char text[4096] = "\n", folder[64 + 512];
	uint64_t least = UINT64_MAX;
	const char *own = "";

	if (root_read(r, "/proc/self/cgroup", text + 1, sizeof(text) - 1) > 0) {
		const char *line = strstr(text, k->line);

		own = line ? line + strlen(k->line) : "";
	}
	snprintf(folder, sizeof(folder), "%s%.*s", k->mount, (int)strcspn(own, "\n"), own);
	for (;;) {
		uint64_t left = left_of(r, folder, k);
		char *slash = strrchr(folder, '/');

		least = left < least ? left : least;
		if (slash < folder + strlen(k->mount))
			return least;
		*slash = 0;
	}
}

static int read_memory(const struct root *r, struct budget *ret, struct err *e)
{
	char text[8192];

	if (root_read(r, "/proc/meminfo", text, sizeof(text)) <= 0 ||
	    !find_kib(text, "MemAvailable:", &ret->memory_bytes))
		return err_set(e, -ENODATA,
			       "%s/proc/meminfo does not say MemAvailable: no memory phase is safe",
			       r->prefix);
	for (size_t i = 0; i < array_size(cgroup_kinds); i++) {
		uint64_t left = cgroup_left(r, &cgroup_kinds[i]);

		if (left < ret->memory_bytes)
			ret->memory_bytes = left;
	}
	/* "32768K" */
	if (root_read_line(r, "/sys/devices/system/cpu/cpu0/cache/index3/size", text,
			   sizeof(text)) <= 0 ||
	    parse_size(text, &ret->cache_bytes) < 0)
		ret->cache_bytes = 0;
	return 0;
}

static int read_disk(const char *directory, struct budget *ret, struct err *e)
{
	struct statfs s;

	if (statfs(directory, &s) < 0)
		return err_errno(e, "--dir %s", directory);
	ret->disk_bytes = (uint64_t)s.f_bavail * (uint64_t)s.f_bsize;
	ret->disk_total_bytes = (uint64_t)s.f_blocks * (uint64_t)s.f_bsize;
	ret->disk_in_memory = s.f_type == TMPFS_MAGIC || s.f_type == RAMFS_MAGIC;
	return 0;
}

/* Those that we may run on. A kernel of many CPUs refuses a set that has less room than its own. */
static unsigned count_cpus(void)
{
	unsigned n = 0;

	for (unsigned most = CPU_SETSIZE; !n && most <= CPUS_MOST; most *= 2) {
		size_t size = CPU_ALLOC_SIZE(most);
		cpu_set_t *allowed = CPU_ALLOC(most);

		if (allowed && sched_getaffinity(0, size, allowed) == 0)
			n = (unsigned)CPU_COUNT_S(size, allowed);
		CPU_FREE(allowed);
	}
	return n ? n : 1;
}

int budget_read(const struct root *r, const char *directory, struct budget *ret, struct err *e)
{
	struct budget have = {.cpus = count_cpus()};
	int result = read_memory(r, &have, e);

	if (result == 0 && directory)
		result = read_disk(directory, &have, e);
	if (result < 0)
		return result;
	*ret = have;
	return 0;
}

unsigned load_workers(const struct load *l, const struct budget *have)
{
	return l->workers ? l->workers : have->cpus;
}

/* All workers together. */
static double load_bytes(const struct load *l, const struct budget *have)
{
	bool disk = l->kind->class == CLASS_DISK;

	if (!strcmp(l->kind->name, "memory-cache"))
		return (double)have->cache_bytes;
	if (!l->kind->size_parts)
		return 0;
	if (l->size_bytes)
		return (double)l->size_bytes;
	return l->size_percent / 100 * (double)(disk ? have->disk_bytes : have->memory_bytes);
}

uint64_t load_worker_bytes(const struct load *l, const struct budget *have)
{
	double bytes;

	if (!l->kind->size_parts)
		return 0;
	bytes = load_bytes(l, have) / load_workers(l, have) / l->kind->size_parts;
	return bytes < (double)WORKER_LEAST ? WORKER_LEAST : (uint64_t)bytes;
}

static double phase_bytes(const struct phase *p, const struct budget *have, enum load_class class)
{
	double sum = 0;

	for (size_t i = 0; i < p->n_loads; i++) {
		if (p->loads[i].kind->class == class)
			sum += load_bytes(&p->loads[i], have);
	}
	return sum;
}

static int check_memory(const struct phase *p, const struct budget *have, struct err *e)
{
	double asked = phase_bytes(p, have, CLASS_MEMORY);
	double safe = BUDGET_MEMORY_SHARE * (double)have->memory_bytes;

	if (asked <= safe)
		return 0;
	return err_set(e, -ENOMEM,
		       "phase %s asks for %.0f MiB of memory, of %.0f MiB available only %.0f "
		       "%% are taken so that nothing swaps: lower its size to %.0f MiB (or its "
		       "sizes to %.0f%% together), or free memory",
		       p->name, asked / (double)MIB, (double)(have->memory_bytes / MIB),
		       100 * BUDGET_MEMORY_SHARE, floor(safe / (double)MIB),
		       100 * BUDGET_MEMORY_SHARE);
}

static int check_disk(const struct phase *p, const struct budget *have, struct err *e)
{
	double asked = phase_bytes(p, have, CLASS_DISK);
	double keep = fmax(BUDGET_DISK_KEEP_SHARE * (double)have->disk_total_bytes,
			   (double)BUDGET_DISK_KEEP_BYTES);

	if (asked <= 0)
		return 0;
	if (have->disk_in_memory)
		return err_set(
			e, -EINVAL,
			"phase %s is for a disk, and the directory of its files is in memory "
			"(tmpfs): give --dir D on a disk",
			p->name);
	if (asked + keep <= (double)have->disk_bytes)
		return 0;
	return err_set(e, -ENOSPC,
		       "phase %s asks for %.0f MiB of disk, of %.0f MiB free %.0f MiB stay free: "
		       "lower its size, free space, or give --dir D on another disk",
		       p->name, asked / (double)MIB, (double)(have->disk_bytes / MIB),
		       keep / (double)MIB);
}

int budget_check(const struct phase *p, const struct budget *have, struct err *e)
{
	int r = check_memory(p, have, e);

	return r < 0 ? r : check_disk(p, have, e);
}
