// SPDX-License-Identifier: Apache-2.0
/* The command's own powercap tree: see run_rapl.h. */
#include "cli/run_rapl.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/kernel.h"
#include "base/powercap.h"
#include "cli/cli.h"
#include "powercap/enter.h"

#define WAIT_STEP_NS 5000000
#define WAIT_STEPS   1000 /* 5 s */

/* ---- whether namespaces are allowed: tried by a child, which leaves them by ending ---- */

static void try_enter(const char *tree, int fd)
{
	struct err e = ERR_INIT;

	powercap_enter(tree, &e);
	_exit(write(fd, &e, sizeof(e)) == sizeof(e) ? 0 : 1);
}

static int check_namespaces(const char *tree, struct err *e)
{
	struct err said = ERR_INIT;
	int fds[2];
	pid_t pid;
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(e, "pipe");
	pid = fork();
	if (pid == 0)
		try_enter(tree, fds[1]);
	close(fds[1]);
	while ((n = read(fds[0], &said, sizeof(said))) < 0 && errno == EINTR)
		;
	close(fds[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (pid < 0 || n != sizeof(said))
		return err_set(e, -EAGAIN, "--rapl: no process to try namespaces in");
	return said.code ? err_set(e, said.code, "--rapl: %s", said.msg) : 0;
}

/* ---- the server ---- */

static void serve(const char *mode, char *tree, char *page, char *none)
{
	char program[] = "vmwatts-powercap", command[] = "powercap", option_mode[] = "--mode",
	     option_path[] = "--path", option_page[] = "--page", other[] = "--allow-other",
	     level[] = "--log-level", error[] = "error", config[] = "--config", value[8];
	char *argv[] = {program,
			command,
			option_mode,
			value,
			option_path,
			tree,
			option_page,
			page,
			level,
			error,
			config,
			none,
			geteuid() ? NULL : other,
			NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	snprintf(value, sizeof(value), "%s", mode);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	setpgid(0, 0); /* Ctrl-C is for the command */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	_exit(cli_exec_helper(program, argv));
}

static bool shows(const char *tree)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s" POWERCAP_CLASS POWERCAP_MARKER, tree);
	return access(path, R_OK) == 0;
}

static bool start_server(struct run_rapl *r, const char *mode, char *tree, char *page, char *none)
{
	const struct timespec step = {0, WAIT_STEP_NS};

	r->server = fork();
	if (r->server == 0)
		serve(mode, tree, page, none);
	for (int i = 0; r->server > 0 && i < WAIT_STEPS; i++) {
		if (shows(tree))
			return true;
		if (waitpid(r->server, NULL, WNOHANG) == r->server)
			break;
		nanosleep(&step, NULL);
	}
	if (r->server > 0 && kill(r->server, SIGKILL) == 0)
		waitpid(r->server, NULL, 0);
	r->server = 0;
	return false;
}

/* ---- all of it ---- */

static int make_directory(struct run_rapl *r, struct err *e)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	/* Memory rather than a disk, where it may be. */
	if (!runtime || access(runtime, W_OK) < 0 || strlen(runtime) > 32)
		runtime = access("/run", W_OK) == 0 ? "/run" : "/tmp";
	snprintf(r->directory, sizeof(r->directory), "%s/vmwatts-run-XXXXXX", runtime);
	if (!mkdtemp(r->directory)) {
		err_errno(e, "--rapl: %s", r->directory);
		r->directory[0] = 0;
		return e->code;
	}
	return 0;
}

int run_rapl_open(struct run_rapl *r, int64_t tick_ns, struct err *e)
{
	static const uint64_t start[ZONE_RAPL_COUNT];
	static const char nothing[] = "vm_energy_modeling: {}\n";
	char page[96], tree[96], none[96];
	bool kept;
	int error;

	*r = (struct run_rapl){.server = 0};
	error = make_directory(r, e);
	if (error < 0)
		return error;
	snprintf(page, sizeof(page), "%s/" COUNTER_PAGE_NAME, r->directory);
	snprintf(tree, sizeof(tree), "%s/tree", r->directory);
	/* The agent's configuration is none of the server's business. */
	snprintf(none, sizeof(none), "%s/none.yaml", r->directory);
	error = file_replace(none, 0600, nothing, sizeof(nothing) - 1, e);
	if (error < 0)
		return error;
	error = counter_writer_open(&r->writer, page, kernel_linux.monotonic_ns(), tick_ns, start,
				    &kept, e);
	if (error < 0)
		return error;
	if (!start_server(r, "fuse", tree, page, none) &&
	    !start_server(r, "files", tree, page, none))
		return err_set(e, -ENOENT,
			       "--rapl: vmwatts-powercap shows no tree: is it installed beside "
			       "vmwatts or in " VMWATTS_LIBEXECDIR "?");
	return check_namespaces(tree, e);
}

int run_rapl_enter(void *run_rapl)
{
	const struct run_rapl *r = run_rapl;
	struct err e = ERR_INIT;
	char tree[96];

	snprintf(tree, sizeof(tree), "%s/tree", r->directory);
	return powercap_enter(tree, &e);
}

void run_rapl_add(struct run_rapl *r, const struct energy_row *row)
{
	double share = busy_share(row->cpu_s, row->busy_s), uj[ZONE_RAPL_COUNT];

	for (int z = 0; z < ZONE_RAPL_COUNT; z++) {
		const struct zone_estimate *zone = &row->estimate->zone[z];

		uj[z] = zone->valid ? zone->active_w * share * row->dt_s * 1e6 : NAN;
	}
	counter_writer_add(&r->writer, kernel_linux.monotonic_ns(), uj);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	remove(path);
	return 0;
}

void run_rapl_close(struct run_rapl *r)
{
	if (r->server > 0) {
		kill(r->server, SIGTERM);
		waitpid(r->server, NULL, 0);
	}
	counter_writer_close(&r->writer);
	if (r->directory[0])
		nftw(r->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	*r = (struct run_rapl){.server = 0};
}
