// SPDX-License-Identifier: Apache-2.0
/* Lines, progress, and the signal to end: see host_talk.h. */
#include "record/host_talk.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/kernel.h"
#include "base/text.h"

struct host_talk host_talk(FILE *to)
{
	return (struct host_talk){.to = to, .terminal = isatty(fileno(to)) == 1};
}

static void wipe(struct host_talk *t)
{
	if (t->shown)
		fprintf(t->to, "\r%*s\r", (int)t->shown, "");
	t->shown = 0;
}

void host_say(struct host_talk *t, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	wipe(t);
	text_say(t->to, "vmwatts record host: %s", line); /* names and reasons are others' words */
	fflush(t->to);
}

void host_progress(struct host_talk *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!t->terminal)
		return;
	wipe(t);
	va_start(ap, fmt);
	n = vfprintf(t->to, fmt, ap);
	va_end(ap);
	t->shown = n > 0 ? (size_t)n : 0;
	fflush(t->to);
}

void host_progress_end(struct host_talk *t)
{
	if (t->shown)
		fputc('\n', t->to);
	t->shown = 0;
}

int host_stop_open(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

bool host_stop_wait(int stop_fd, const struct host_beside *beside, int64_t until_ns)
{
	struct pollfd p[] = {{.fd = stop_fd, .events = POLLIN},
			     {.fd = beside ? beside->fd : -1, .events = POLLIN}};

	for (;;) {
		int64_t left_ns = until_ns - kernel_linux.monotonic_ns();
		struct timespec ts = {.tv_sec = left_ns > 0 ? left_ns / 1000000000 : 0,
				      .tv_nsec = left_ns > 0 ? left_ns % 1000000000 : 0};
		int n = ppoll(p, array_size(p), &ts, NULL);

		if (n == 0)
			return false;
		if (n < 0 && errno != EINTR)
			return true;
		if (n < 0)
			continue;
		if (p[0].revents || beside->serve(beside->user) < 0)
			return true;
		if (left_ns <= 0)
			return false;
	}
}
