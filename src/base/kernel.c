// SPDX-License-Identifier: Apache-2.0
/* The real kernel behind the seam: see kernel.h. */
#include "base/kernel.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static int64_t boottime_ns(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

static int64_t realtime_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

static int64_t thread_cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static int perf_open(const struct perf_event_attr *attr, pid_t pid, int cpu, int group_fd)
{
	long fd = syscall(SYS_perf_event_open, attr, pid, cpu, group_fd, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

static ssize_t perf_read(int fd, void *buf, size_t size)
{
	ssize_t n = read(fd, buf, size);

	return n < 0 ? -errno : n;
}

const struct kernel kernel_linux = {
	.monotonic_ns = monotonic_ns,
	.boottime_ns = boottime_ns,
	.realtime_ns = realtime_ns,
	.thread_cpu_ns = thread_cpu_ns,
	.perf_open = perf_open,
	.perf_read = perf_read,
};
