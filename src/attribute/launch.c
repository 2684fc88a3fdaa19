// SPDX-License-Identifier: Apache-2.0
/* A command as a shell would run it: see launch.h. */
#include "attribute/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/kernel.h"

/* What the child tells: that it begins, then perhaps what failed. */
struct word {
	int step, code;
	int64_t at_ns;
};

static bool tell(int fd, enum launch_step step, int code)
{
	const struct word w = {(int)step, code, kernel_linux.monotonic_ns()};

	return write(fd, &w, sizeof(w)) == sizeof(w);
}

static void give_up(int fd, enum launch_step step)
{
	_exit(tell(fd, step, errno) ? 127 : 126);
}

/* In the child: never returns. exec closes `fd`. */
static void become(const struct launch *l, int fd)
{
	if (l->cgroup_fd >= 0 && write(l->cgroup_fd, "0", 1) != 1)
		give_up(fd, LAUNCH_CGROUP);
	errno = l->enter ? -l->enter(l->user) : 0;
	if (errno)
		give_up(fd, LAUNCH_ENTER);
	sigprocmask(SIG_SETMASK, l->signals, NULL);
	tell(fd, LAUNCH_OK, 0);
	execvp(l->argv[0], l->argv);
	give_up(fd, LAUNCH_EXEC);
}

static bool hear(int fd, struct word *ret)
{
	struct word w;
	ssize_t n;

	while ((n = read(fd, &w, sizeof(w))) < 0 && errno == EINTR)
		;
	if (n != sizeof(w))
		return false;
	*ret = w;
	return true;
}

int launch(const struct launch *l, struct launched *ret, struct err *e)
{
	struct word first = {LAUNCH_FORK, 0, 0}, last;
	int fds[2];
	pid_t pid;

	ret->failed = LAUNCH_FORK;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(e, "pipe");
	pid = fork();
	if (pid < 0) {
		close(fds[0]);
		close(fds[1]);
		return err_errno(e, "fork");
	}
	if (pid == 0)
		become(l, fds[1]);
	close(fds[1]);
	last = first;
	if (hear(fds[0], &first)) {
		last = first;
		hear(fds[0], &last);
	}
	close(fds[0]);
	*ret = (struct launched){
		.pid = pid, .failed = (enum launch_step)last.step, .begin_ns = first.at_ns};
	if (last.step == LAUNCH_OK)
		return 0;
	waitpid(pid, NULL, 0);
	errno = last.code;
	return err_errno(e,
			 last.step == LAUNCH_EXEC     ? "cannot run %s"
			 : last.step == LAUNCH_CGROUP ? "%s cannot enter a cgroup of its own"
			 : last.step == LAUNCH_ENTER  ? "%s cannot enter its namespaces"
						      : "%s ended before it began",
			 l->argv[0]);
}
