// SPDX-License-Identifier: Apache-2.0
/* A command that runs while it is recorded: see command.h. */
#include "record/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define PATIENCE_MS 5000

/* In the child: never returns. An errno goes through `fd`, which exec closes. */
static void become(char *const *argv, const char *label_file, int fd)
{
	sigset_t none;
	int code;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (label_file)
		setenv("VMWATTS_LABEL_FILE", label_file, 1);
	execvp(argv[0], argv);
	code = errno;
	if (write(fd, &code, sizeof(code)) < 0)
		_exit(126);
	_exit(127);
}

int command_start(char *const *argv, const char *label_file, pid_t *ret_pid, struct err *e)
{
	int fds[2], code = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(e, "pipe");
	pid = fork();
	if (pid < 0) {
		close(fds[0]);
		close(fds[1]);
		return err_errno(e, "fork");
	}
	if (!pid)
		become(argv, label_file, fds[1]);
	close(fds[1]);
	n = read(fds[0], &code, sizeof(code));
	close(fds[0]);
	if (n == sizeof(code)) {
		waitpid(pid, NULL, 0);
		errno = code;
		return err_errno(e, "cannot run %s", argv[0]);
	}
	*ret_pid = pid;
	return 0;
}

int command_stop(pid_t pid)
{
	const struct timespec step = {0, 20000000};
	int status = 0;

	kill(pid, SIGTERM);
	for (int waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += 20) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		nanosleep(&step, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return status;
}
