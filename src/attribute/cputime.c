// SPDX-License-Identifier: Apache-2.0
/* CPU time of a command and its children: see cputime.h. */
#include "attribute/cputime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "attribute/processes.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "collect/sample.h"

#define NS_PER_S 1000000000
#define DEPTH	 64	   /* of a tree of processes */
#define LEAVE_NS 200000000 /* for a cgroup whose last process is on its way out */

const char *cputime_name(enum cputime_method m)
{
	return m == CPUTIME_CGROUP ? "cgroup" : "rusage";
}

/* ---- a cgroup of its own ---- */

/* Where the cgroup v2 tree is mounted: alone, or beside v1's. */
static int find_mount(const struct root *root, char *ret, size_t size, struct err *e)
{
	static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	char path[64], line[256];

	for (size_t i = 0; i < array_size(places); i++) {
		snprintf(path, sizeof(path), "%s/cgroup.controllers", places[i]);
		if (root_read_line(root, path, line, sizeof(line)) < 0)
			continue;
		snprintf(ret, size, "%s", places[i]);
		return 0;
	}
	return err_set(e, -ENOENT, "no cgroup v2 tree is mounted below /sys/fs/cgroup");
}

/* Our own cgroup in it. */
static int find_own(const struct root *root, char *ret, size_t size, struct err *e)
{
	char text[4096], mount[64], path[PROCESS_CGROUP];
	int r = find_mount(root, mount, sizeof(mount), e);

	if (r < 0)
		return r;
	if (root_read(root, "/proc/self/cgroup", text, sizeof(text)) < 0 ||
	    !process_parse_cgroup(text, path))
		return err_set(e, -ENOENT, "/proc/self/cgroup names no cgroup v2");
	if ((size_t)snprintf(ret, size, "%s%s", mount, strcmp(path, "/") ? path : "") >= size)
		return err_set(e, -ENAMETOOLONG, "the name of our cgroup is too long");
	return 0;
}

int64_t cputime_parse_stat(const char *text)
{
	static const char key[] = "usage_usec ";
	const char *at = strncmp(text, key, sizeof(key) - 1) ? strstr(text, "\nusage_usec ") : text;
	uint64_t us;

	if (!at)
		return -1;
	at += *at == '\n';
	at += sizeof(key) - 1;
	return scan_u64(&at, &us) && us < INT64_MAX / 1000 ? (int64_t)us * 1000 : -1;
}

static int64_t cgroup_ns(const struct cputime *c)
{
	char text[2048];

	return fd_read_again(c->stat_fd, text, sizeof(text)) > 0 ? cputime_parse_stat(text) : -1;
}

static int open_file(const struct cputime *c, const char *name, int flags)
{
	char path[sizeof(c->folder) + 32];

	snprintf(path, sizeof(path), "%s/%s", c->folder, name);
	return open(path, flags | O_CLOEXEC);
}

static int open_cgroup(struct cputime *c, struct err *e)
{
	static unsigned count;
	char own[sizeof(c->folder) - 64];
	struct root root;
	int r = root_init(&root, NULL, e);

	if (r == 0)
		r = find_own(&root, own, sizeof(own), e);
	if (r < 0)
		return r;
	snprintf(c->folder, sizeof(c->folder), "%s/vmwatts-run-%d-%u", own, (int)getpid(), count++);
	if (mkdir(c->folder, 0755) < 0) {
		c->folder[0] = 0;
		return err_errno(e, "our cgroup %s cannot be divided", own);
	}
	c->procs_fd = open_file(c, "cgroup.procs", O_WRONLY);
	c->stat_fd = open_file(c, "cpu.stat", O_RDONLY);
	if (c->procs_fd < 0 || c->stat_fd < 0 || cgroup_ns(c) < 0)
		return err_set(e, -ENODATA, "%s counts no CPU time for us", c->folder);
	return 0;
}

/* Move what still lives in it to where it came from. */
static void empty(const struct cputime *c)
{
	char text[4096], word[24], path[sizeof(c->folder) + 16];
	autofd int in = open_file(c, "cgroup.procs", O_RDONLY), out = -1;
	const char *at = text;
	uint64_t pid;
	ssize_t n;

	snprintf(path, sizeof(path), "%.*s/cgroup.procs",
		 (int)(strrchr(c->folder, '/') - c->folder), c->folder);
	out = open(path, O_WRONLY | O_CLOEXEC);
	n = in < 0 || out < 0 ? -1 : read(in, text, sizeof(text) - 1);
	while (n > 0 && text[n - 1] != '\n')
		n--; /* of more than there is room for, the rest is moved the next time */
	if (n <= 0)
		return;
	text[n] = 0;
	for (; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		if (!scan_u64(&at, &pid))
			continue;
		n = snprintf(word, sizeof(word), "%llu", (unsigned long long)pid);
		if (write(out, word, (size_t)n) < 0)
			return;
	}
}

static void close_cgroup(struct cputime *c)
{
	const struct timespec step = {0, 10000000};

	for (int64_t waited_ns = 0; c->folder[0] && waited_ns < LEAVE_NS;
	     waited_ns += step.tv_nsec) {
		if (rmdir(c->folder) == 0 || errno != EBUSY)
			break;
		empty(c);
		nanosleep(&step, NULL);
	}
	c->folder[0] = 0;
	cleanup_fd(&c->procs_fd);
	cleanup_fd(&c->stat_fd);
	c->procs_fd = c->stat_fd = -1;
}

/* ---- what we reaped, and what lives below us ---- */

static int64_t timeval_ns(const struct timeval *t)
{
	return (int64_t)t->tv_sec * NS_PER_S + (int64_t)t->tv_usec * 1000;
}

static int64_t ticks_ns(uint64_t ticks)
{
	return (int64_t)ticks * (NS_PER_S / USER_HZ);
}

/* Of the processes below `pid`, and of those that they reaped. */
static int64_t below_ns(const struct process_table *t, int pid, int depth)
{
	int64_t sum_ns = 0;

	for (size_t i = 0; depth < DEPTH && i < t->n; i++) {
		const struct process *p = &t->items[i];

		if (p->parent != pid)
			continue;
		sum_ns += ticks_ns(p->ticks + p->reaped_ticks);
		sum_ns += below_ns(t, p->pid, depth + 1);
	}
	return sum_ns;
}

/* While one is reaped between the two readings it is in neither: cputime_ns does not fall. */
static int64_t rusage_ns(struct cputime *c)
{
	struct err why = ERR_INIT;
	struct rusage usage;

	if (process_table_read(&c->table, &c->root, false, NULL, &why) < 0 ||
	    getrusage(RUSAGE_CHILDREN, &usage) < 0)
		return -1;
	return timeval_ns(&usage.ru_utime) + timeval_ns(&usage.ru_stime) +
	       below_ns(&c->table, (int)getpid(), 0);
}

static int open_rusage(struct cputime *c, struct err *e)
{
	int r = root_init(&c->root, NULL, e);

	if (r == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		r = err_errno(e, "orphans cannot be adopted");
	return r;
}

/* ---- either ---- */

static int64_t read_ns(struct cputime *c)
{
	return c->method == CPUTIME_CGROUP ? cgroup_ns(c) : rusage_ns(c);
}

int cputime_open(struct cputime *c, enum cputime_method m, struct err *e)
{
	int r;

	*c = (struct cputime){.method = m, .procs_fd = -1, .stat_fd = -1};
	r = m == CPUTIME_CGROUP ? open_cgroup(c, e) : open_rusage(c, e);
	if (r == 0) {
		c->base_ns = read_ns(c);
		r = c->base_ns < 0 ? err_set(e, -ENODATA, "no CPU time can be read") : 0;
	}
	if (r < 0)
		cputime_close(c);
	return r;
}

int64_t cputime_ns(struct cputime *c)
{
	int64_t now_ns = read_ns(c) - c->base_ns;

	if (now_ns > c->last_ns)
		c->last_ns = now_ns;
	return c->last_ns;
}

void cputime_close(struct cputime *c)
{
	if (c->method == CPUTIME_CGROUP)
		close_cgroup(c);
	process_table_release(&c->table);
}
