/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_KERNEL_H
#define BASE_KERNEL_H

/*
 * The seam to the kernel: clocks and perf events, as a table that tests
 * replace. Everything else we ask of the kernel are files below a root.
 */

#include <stdint.h>
#include <sys/types.h>

struct perf_event_attr;

struct kernel {
	int64_t (*monotonic_ns)(void); /* CLOCK_MONOTONIC: stands still in suspend */
	int64_t (*boottime_ns)(void);  /* CLOCK_BOOTTIME: goes on in suspend */
	int64_t (*realtime_ns)(void);  /* CLOCK_REALTIME: may step */
	int64_t (*thread_cpu_ns)(void);
	/* As perf_event_open(2) and read(2): an fd or a length, or -errno. */
	int (*perf_open)(const struct perf_event_attr *attr, pid_t pid, int cpu, int group_fd);
	ssize_t (*perf_read)(int fd, void *buf, size_t size);
};

extern const struct kernel kernel_linux;

#endif
