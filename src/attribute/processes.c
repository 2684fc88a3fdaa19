// SPDX-License-Identifier: Apache-2.0
/* All processes and their CPU time: see processes.h. */
#include "attribute/processes.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define FIELD_PARENT   1 /* behind the name and the letter of the state */
#define FIELD_USER     11
#define FIELD_SYSTEM   12
#define FIELD_REAPED   13
#define FIELD_REAPED_2 14
#define FIELD_START    19
#define PROCESSES_MAX  (4u << 20) /* the kernel's own limit of PIDs */

/* ---- texts ---- */

/* A name may hold blanks and brackets: it ends at the last closing one. */
bool process_parse_stat(const char *text, struct process *ret)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')'), *at = text;
	uint64_t pid, fields[FIELD_START + 1] = {0};
	size_t n;

	if (!scan_u64(&at, &pid) || pid > INT32_MAX || !open || !close || close < open ||
	    close[1] != ' ' || !close[2] || close[3] != ' ')
		return false;
	at = close + 4;
	for (int i = FIELD_PARENT; i <= FIELD_START; i++) {
		while (*at == ' ')
			at++;
		at += *at == '-'; /* of fields that we do not use */
		if (!scan_u64(&at, &fields[i]))
			return false;
	}
	n = (size_t)(close - open) - 1;
	n = n < PROCESS_NAME ? n : PROCESS_NAME - 1;
	*ret = (struct process){.pid = (int)pid,
				.parent = (int)(fields[FIELD_PARENT] & INT32_MAX),
				.start_ticks = fields[FIELD_START],
				.ticks = fields[FIELD_USER] + fields[FIELD_SYSTEM],
				.reaped_ticks = fields[FIELD_REAPED] + fields[FIELD_REAPED_2]};
	memcpy(ret->name, open + 1, n);
	ret->name[n] = 0;
	return true;
}

static const char *next_line(const char *at)
{
	at += strcspn(at, "\n");
	return at + (*at == '\n');
}

static void copy_line(const char *from, char ret[PROCESS_CGROUP])
{
	size_t n = strcspn(from, "\n");

	n = n < PROCESS_CGROUP ? n : PROCESS_CGROUP - 1;
	memcpy(ret, from, n);
	ret[n] = 0;
}

bool process_parse_cgroup(const char *text, char ret[PROCESS_CGROUP])
{
	for (const char *at = text; *at; at = next_line(at)) {
		if (strncmp(at, "0::", 3) != 0)
			continue;
		copy_line(at + 3, ret);
		return true;
	}
	return false;
}

/* Where v2 holds everything in its root, whatever of v1 tells more. */
static void name_cgroup(const char *text, char ret[PROCESS_CGROUP])
{
	if (!process_parse_cgroup(text, ret))
		ret[0] = 0;
	for (const char *at = text; strlen(ret) <= 1 && *at; at = next_line(at)) {
		const char *path = memchr(at, '/', strcspn(at, "\n"));

		if (path && path[1] && path[1] != '\n')
			copy_line(path, ret);
	}
}

/* ---- the table ---- */

void process_table_release(struct process_table *t)
{
	free(t->items);
	*t = (struct process_table){.items = NULL};
}

const struct process *process_find(const struct process_table *t, int pid)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->items[mid].pid == pid)
			return &t->items[mid];
		if (t->items[mid].pid < pid)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static int by_pid(const void *a, const void *b)
{
	const struct process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static void read_cgroup(const struct root *root, const struct process_table *before,
			struct process *p)
{
	const struct process *old = before ? process_find(before, p->pid) : NULL;
	char path[64], text[4096];

	if (old && old->start_ticks == p->start_ticks && old->ticks == p->ticks) {
		memcpy(p->cgroup, old->cgroup, sizeof(p->cgroup));
		return;
	}
	snprintf(path, sizeof(path), "/proc/%d/cgroup", p->pid);
	if (root_read(root, path, text, sizeof(text)) > 0)
		name_cgroup(text, p->cgroup);
}

static bool reserve(struct process_table *t)
{
	size_t cap = t->cap ? 2 * t->cap : 256;
	struct process *grown;

	if (t->n < t->cap)
		return true;
	grown = cap <= PROCESSES_MAX ? reallocarray(t->items, cap, sizeof(*grown)) : NULL;
	if (!grown)
		return false;
	t->items = grown;
	t->cap = cap;
	return true;
}

/* 1: read; 0: it has ended, or is hidden from us. */
static int read_process(struct process_table *t, const struct root *root, int pid)
{
	char path[64], text[1024];
	ssize_t n;

	if (!reserve(t))
		return -ENOMEM;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	n = root_read(root, path, text, sizeof(text));
	if (n == -EACCES || n == -EPERM)
		t->hidden++;
	return n > 0 && process_parse_stat(text, &t->items[t->n]) && t->items[t->n].pid == pid;
}

static int scan(struct process_table *t, const struct root *root, bool cgroups,
		const struct process_table *before, DIR *dir)
{
	for (struct dirent *d; (d = readdir(dir));) {
		uint64_t pid;
		int r;

		if (parse_u64(d->d_name, &pid) < 0 || !pid || pid > INT32_MAX)
			continue;
		r = read_process(t, root, (int)pid);
		if (r < 0)
			return r;
		if (r == 1 && cgroups)
			read_cgroup(root, before, &t->items[t->n]);
		t->n += r == 1;
	}
	return 0;
}

int process_table_read(struct process_table *t, const struct root *root, bool cgroups,
		       const struct process_table *before, struct err *e)
{
	char path[600];
	DIR *dir;
	int r;

	t->n = t->hidden = 0;
	snprintf(path, sizeof(path), "%s/proc", root->prefix);
	dir = opendir(path);
	if (!dir)
		return err_errno(e, "%s", path);
	r = scan(t, root, cgroups, before, dir);
	closedir(dir);
	if (r < 0)
		return err_nomem(e);
	if (t->n)
		qsort(t->items, t->n, sizeof(*t->items), by_pid);
	return 0;
}
