// SPDX-License-Identifier: Apache-2.0
/* Plain files, renamed into place 20 times a second: see powercap.h. */
#include "powercap/powercap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/kernel.h"
#include "base/parse.h"
#include "powercap/privileges.h"
#include "powercap/tree.h"

#define STEP_NS	  (1000000000 / POWERCAP_FILES_HZ)
#define NODES_MAX 64

struct files {
	const struct powercap_options *options;
	struct counter_reader reader;
	size_t n_nodes;
	mode_t modes[NODES_MAX]; /* as written last */
	char texts[NODES_MAX][TREE_TEXT_MAX];
};

static volatile sig_atomic_t leave; /* a signal handler has nothing else to write to */

static void on_signal(int signal)
{
	(void)signal;
	leave = 1;
}

static int path_of(const struct files *f, const struct tree_node *n, const char *suffix,
		   char path[PATH_MAX], struct err *e)
{
	if (snprintf(path, PATH_MAX, "%s%s%s", f->options->path, n->path, suffix) >= PATH_MAX)
		return err_set(e, -ENAMETOOLONG, "%s: path too long", f->options->path);
	return 0;
}

/* Not synced: after a crash of the machine the next start writes them all. */
static int write_file(const struct files *f, const struct tree_node *n, mode_t mode,
		      const char *text, size_t len, struct err *e)
{
	char path[PATH_MAX], temporary[PATH_MAX];
	autofd int fd = -1;

	if (path_of(f, n, "", path, e) < 0 || path_of(f, n, ".new", temporary, e) < 0)
		return e->code;
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len || fchmod(fd, mode & 0777) < 0 ||
	    rename(temporary, path) < 0)
		return err_errno(e, "%s", path);
	return 0;
}

static int refresh(struct files *f, size_t i, struct err *e)
{
	const struct tree_node *n = &tree_nodes[i];
	mode_t mode = tree_mode(n, &f->reader);
	char text[TREE_TEXT_MAX];
	size_t len = tree_read(n, &f->reader, kernel_linux.monotonic_ns(), text);

	if (f->modes[i] == mode && !strcmp(f->texts[i], text))
		return 0;
	if (write_file(f, n, mode, text, len, e) < 0)
		return e->code;
	memcpy(f->texts[i], text, len + 1);
	f->modes[i] = mode;
	return 0;
}

static int make_link(const struct files *f, const struct tree_node *n, struct err *e)
{
	char path[PATH_MAX], points[PATH_MAX];
	ssize_t len;

	if (path_of(f, n, "", path, e) < 0)
		return e->code;
	len = readlink(path, points, sizeof(points) - 1);
	if (len == (ssize_t)strlen(n->text) && !strncmp(points, n->text, (size_t)len))
		return 0;
	return symlink(n->text, path) < 0 ? err_errno(e, "%s", path) : 0;
}

/* A tree that stands from before: its counters go on. */
static void resume(struct files *f, const struct tree_node *n)
{
	char path[PATH_MAX];
	autofree char *text = NULL;
	struct err e = ERR_INIT; /* there may be none */
	uint64_t uj;
	size_t len;

	if (path_of(f, n, "", path, &e) < 0 ||
	    file_read(path, TREE_TEXT_MAX, false, &text, &len, &e) < 0)
		return;
	text[strcspn(text, "\n")] = 0;
	if (parse_u64(text, &uj) == 0)
		counter_reader_resume(&f->reader, n->zone, uj, kernel_linux.monotonic_ns());
}

static int make_tree(struct files *f, struct err *e)
{
	int r = 0;

	counter_reader_refresh(&f->reader);
	for (size_t i = 0; r == 0 && i < f->n_nodes; i++) {
		const struct tree_node *n = &tree_nodes[i];
		char path[PATH_MAX];

		r = path_of(f, n, "", path, e);
		if (r == 0 && n->kind == TREE_DIRECTORY)
			r = file_make_directories(path, 0755, e);
		else if (r == 0 && n->kind == TREE_LINK)
			r = make_link(f, n, e);
		else if (r == 0 && n->kind == TREE_ENERGY)
			resume(f, n);
	}
	for (size_t i = 0; r == 0 && i < f->n_nodes; i++) {
		if (tree_nodes[i].kind != TREE_DIRECTORY && tree_nodes[i].kind != TREE_LINK)
			r = refresh(f, i, e);
	}
	return r;
}

static int run(struct files *f, struct err *e)
{
	int64_t next_ns = kernel_linux.monotonic_ns();
	int r = 0;

	while (r == 0 && !leave) {
		struct timespec when;

		next_ns += STEP_NS;
		when = (struct timespec){next_ns / 1000000000, next_ns % 1000000000};
		if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) != 0)
			continue;
		counter_reader_refresh(&f->reader);
		for (size_t i = 0; r == 0 && i < f->n_nodes; i++) {
			if (tree_moves(&tree_nodes[i]))
				r = refresh(f, i, e);
		}
		/* Behind, as after a suspend: no need to make up for it. */
		if (kernel_linux.monotonic_ns() - next_ns > 1000000000)
			next_ns = kernel_linux.monotonic_ns();
	}
	return r;
}

int powercap_files(const struct powercap_options *o, struct err *e)
{
	struct files f = {.options = o, .n_nodes = tree_count(o->hwmon)};
	struct sigaction action = {.sa_handler = on_signal};
	int r;

	_Static_assert(NODES_MAX >= 48, "as many as the tree has");
	if (f.n_nodes > NODES_MAX)
		return err_set(e, -E2BIG, "the tree has %zu nodes", f.n_nodes);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	umask(022);
	counter_reader_init(&f.reader, o->page);
	r = make_tree(&f, e);
	if (r == 0) {
		privileges_drop(false);
		if (o->ready)
			o->ready();
		r = run(&f, e);
	}
	counter_reader_release(&f.reader);
	return r;
}
