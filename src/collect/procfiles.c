// SPDX-License-Identifier: Apache-2.0
/*
 * The sources that are one /proc text each: a descriptor kept open, a buffer
 * sized at open, a parser. The buffer grows only when the kernel's text has
 * outgrown it (CPUs or interrupts added), never in a steady tick.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "collect/parsers.h"
#include "collect/source.h"

#define BUFFER_MIN (16u << 10)
#define BUFFER_MAX (8u << 20)

struct text_file {
	int fd;
	size_t size;
	char *buf;
	bool (*parse)(const char *text, struct sample *s);
};

static void text_close(void *state)
{
	struct text_file *t = state;

	if (!t)
		return;
	if (t->fd >= 0)
		close(t->fd);
	free(t->buf);
	free(t);
}

static int text_open(const struct source_context *c, const char *path, size_t size,
		     bool (*parse)(const char *, struct sample *), void **state)
{
	struct text_file *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->parse = parse;
	t->size = size;
	t->buf = malloc(size);
	t->fd = root_open(c->root, path);
	if (t->fd >= 0 && t->buf) {
		*state = t;
		return 0;
	}
	r = t->fd < 0 ? t->fd : -ENOMEM;
	text_close(t);
	return r;
}

static int text_read(void *state, struct sample *s)
{
	struct text_file *t = state;
	ssize_t n = fd_read_again(t->fd, t->buf, t->size);

	while (n == -E2BIG && t->size < BUFFER_MAX) {
		char *grown = realloc(t->buf, 2 * t->size);

		if (!grown)
			return -ENOMEM;
		t->buf = grown;
		t->size *= 2;
		n = fd_read_again(t->fd, t->buf, t->size);
	}
	if (n < 0)
		return (int)n;
	return t->parse(t->buf, s) ? 0 : -EBADMSG;
}

/* About 130 bytes a CPU line, and an "intr" line of some hundred numbers. */
static int stat_open(const struct source_context *c, void **state)
{
	return text_open(c, "/proc/stat", BUFFER_MIN + 256 * (size_t)c->cpus_cap, stat_parse,
			 state);
}

static int meminfo_open(const struct source_context *c, void **state)
{
	return text_open(c, "/proc/meminfo", BUFFER_MIN, meminfo_parse, state);
}

static int vmstat_open(const struct source_context *c, void **state)
{
	return text_open(c, "/proc/vmstat", BUFFER_MIN, vmstat_parse, state);
}

static int loadavg_open(const struct source_context *c, void **state)
{
	return text_open(c, "/proc/loadavg", 4096, loadavg_parse, state);
}

static int diskstats_open(const struct source_context *c, void **state)
{
	return text_open(c, "/proc/diskstats", BUFFER_MIN, diskstats_parse, state);
}

/* /proc/net is a link to the reader's own namespace: a host's tree has it under pid 1. */
static int netdev_open(const struct source_context *c, void **state)
{
	int r = -ENOENT;

	if (c->root->prefix[0])
		r = text_open(c, "/proc/1/net/dev", BUFFER_MIN, netdev_parse, state);
	return r < 0 ? text_open(c, "/proc/net/dev", BUFFER_MIN, netdev_parse, state) : r;
}

const struct source_ops stat_source = {stat_open, text_read, text_close};
const struct source_ops meminfo_source = {meminfo_open, text_read, text_close};
const struct source_ops vmstat_source = {vmstat_open, text_read, text_close};
const struct source_ops loadavg_source = {loadavg_open, text_read, text_close};
const struct source_ops diskstats_source = {diskstats_open, text_read, text_close};
const struct source_ops netdev_source = {netdev_open, text_read, text_close};
