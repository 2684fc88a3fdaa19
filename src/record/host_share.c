// SPDX-License-Identifier: Apache-2.0
/* A process's share of the node's energy: see host_share.h. */
#include "record/host_share.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

bool share_process_parse(const char *text, struct share_process *ret)
{
	/* Field 2 is the name in parentheses, which may hold anything; 14 and 15
	 * are user and system time, 22 is when it started. */
	const char *at = strrchr(text, ')');
	uint64_t value[23] = {0}, pid;

	if (!at || !scan_u64(&text, &pid) || strlen(at) < 4)
		return false;
	at += 4; /* ") S" */
	for (int field = 4; field <= 22; field++) {
		at += strspn(at, " ");
		at += *at == '-';
		if (!scan_u64(&at, &value[field]))
			return false;
	}
	*ret = (struct share_process){
		.pid = (int)pid, .start_ticks = value[22], .cpu_ticks = value[14] + value[15]};
	return true;
}

bool share_cpu_parse(const char *text, uint64_t *ret_total, uint64_t *ret_idle)
{
	/* user nice system idle iowait irq softirq steal; guest time is in user */
	uint64_t value[8] = {0}, total = 0;
	size_t n = 0;

	if (strncmp(text, "cpu ", 4) != 0)
		return false;
	text += 4;
	while (n < 8 && scan_u64(&text, &value[n]))
		total += value[n++];
	if (n < 4)
		return false;
	*ret_total = total;
	*ret_idle = value[3] + value[4];
	return true;
}

static int by_pid(const void *a, const void *b)
{
	const struct share_process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static int add(struct share_snapshot *s, const struct share_process *p)
{
	if (s->n == s->cap) {
		size_t cap = s->cap * 2 + 256;
		struct share_process *grown = reallocarray(s->items, cap, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		s->items = grown;
		s->cap = cap;
	}
	s->items[s->n++] = *p;
	return 0;
}

static int read_processes(const struct root *root, DIR *dir, struct share_snapshot *s)
{
	for (struct dirent *d; (d = readdir(dir));) {
		struct share_process p;
		char path[64], text[1024];
		uint64_t pid;

		if (parse_u64(d->d_name, &pid) < 0 || pid > INT32_MAX)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		if (root_read(root, path, text, sizeof(text)) < 0 || !share_process_parse(text, &p))
			continue; /* it ended meanwhile */
		if (add(s, &p) < 0)
			return -ENOMEM;
	}
	return 0;
}

int share_read(const struct root *root, struct share_snapshot *s, struct err *e)
{
	char path[640], text[8192];
	ssize_t n;
	DIR *dir;
	int r;

	snprintf(path, sizeof(path), "%s/proc", root->prefix);
	dir = opendir(path);
	if (!dir)
		return err_errno(e, "%s", path);
	s->n = 0;
	r = read_processes(root, dir, s);
	closedir(dir);
	if (r < 0)
		return err_nomem(e);
	if (s->n)
		qsort(s->items, s->n, sizeof(*s->items), by_pid);
	/* The first line is all that is wanted; hosts with many CPUs have a long file. */
	n = root_read(root, "/proc/stat", text, sizeof(text));
	text[sizeof(text) - 1] = 0;
	if ((n < 0 && n != -E2BIG) || !share_cpu_parse(text, &s->total_ticks, &s->idle_ticks))
		return err_set(e, -ERR_DATA, "%s/stat cannot be read", path);
	return 0;
}

void share_release(struct share_snapshot *s)
{
	free(s->items);
	*s = (struct share_snapshot){0};
}

double share_usage_ratio(const struct share_snapshot *before, const struct share_snapshot *now)
{
	double total = (double)(int64_t)(now->total_ticks - before->total_ticks);
	double idle = (double)(int64_t)(now->idle_ticks - before->idle_ticks);

	/* iowait, and with it the sum, may fall by a tick */
	if (!(total > 0) || !(idle >= 0))
		return total > 0 ? 1 : 0;
	return idle < total ? 1 - idle / total : 0;
}

static uint64_t growth(const struct share_process *before, const struct share_process *now)
{
	if (!before || before->pid != now->pid || before->start_ticks != now->start_ticks)
		return now->cpu_ticks;
	return now->cpu_ticks > before->cpu_ticks ? now->cpu_ticks - before->cpu_ticks : 0;
}

uint64_t share_ticks_of_all(const struct share_snapshot *before, const struct share_snapshot *now)
{
	uint64_t sum = 0;
	size_t k = 0;

	for (size_t i = 0; i < now->n; i++) {
		while (k < before->n && before->items[k].pid < now->items[i].pid)
			k++;
		sum += growth(k < before->n ? &before->items[k] : NULL, &now->items[i]);
	}
	return sum;
}

static const struct share_process *find(const struct share_snapshot *s, int pid)
{
	const struct share_process key = {.pid = pid};

	return s->n ? bsearch(&key, s->items, s->n, sizeof(key), by_pid) : NULL;
}

uint64_t share_ticks_of(const struct share_snapshot *before, const struct share_snapshot *now,
			int pid)
{
	const struct share_process *p = find(now, pid);

	return p ? growth(find(before, pid), p) : 0;
}

double share_energy_j(double node_j, double usage_ratio, double part, double all)
{
	if (!(all > 0))
		return node_j * 0; /* NaN stays NaN */
	return node_j * usage_ratio * (part < all ? part / all : 1);
}
