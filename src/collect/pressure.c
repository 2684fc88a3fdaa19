// SPDX-License-Identifier: Apache-2.0
/* /proc/pressure/{cpu,memory,io}: stall totals. Kernels without PSI have none of them. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "collect/parsers.h"
#include "collect/source.h"

#define FILES 3

struct pressure {
	int fd[FILES];
};

static void close_all(const struct pressure *p)
{
	for (int i = 0; i < FILES; i++) {
		if (p->fd[i] >= 0)
			close(p->fd[i]);
	}
}

static void pressure_close(void *state)
{
	if (state)
		close_all(state);
	free(state);
}

static int pressure_open(const struct source_context *c, void **state)
{
	static const char *const paths[FILES] = {"/proc/pressure/cpu", "/proc/pressure/memory",
						 "/proc/pressure/io"};
	struct pressure opened, *p;
	int last = -ENOENT, n = 0;

	for (int i = 0; i < FILES; i++) {
		opened.fd[i] = root_open(c->root, paths[i]);
		if (opened.fd[i] < 0)
			last = opened.fd[i];
		else
			n++;
	}
	if (!n)
		return last;
	p = malloc(sizeof(*p));
	if (!p) {
		close_all(&opened);
		return -ENOMEM;
	}
	*p = opened;
	*state = p;
	return 0;
}

static uint64_t read_total(int fd)
{
	char buf[512];

	if (fd < 0 || fd_read_again(fd, buf, sizeof(buf)) < 0)
		return UINT64_MAX;
	return pressure_parse(buf);
}

/* PSI that is compiled in but switched off (psi=0) opens and answers EOPNOTSUPP. */
static int pressure_read(void *state, struct sample *s)
{
	struct pressure *p = state;

	s->psi_cpu_us = read_total(p->fd[0]);
	s->psi_memory_us = read_total(p->fd[1]);
	s->psi_io_us = read_total(p->fd[2]);
	if (s->psi_cpu_us == UINT64_MAX && s->psi_memory_us == UINT64_MAX &&
	    s->psi_io_us == UINT64_MAX)
		return -EOPNOTSUPP;
	return 0;
}

const struct source_ops pressure_source = {pressure_open, pressure_read, pressure_close};
