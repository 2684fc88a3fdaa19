// SPDX-License-Identifier: Apache-2.0
/* push: a guest's queue, and how it keeps its connection. */
#include "folder.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>

#include "record/push.h"
#include "record/push_queue.h"

static const char *const columns[] = {"a", "b"};
static const char *const meta[] = {"boot_id", "x", "uuid", "another's", "name", "another"};
static const struct trace_stream stream = {TRACE_GUEST, "another", 3, 2, meta, columns};
static const double values[] = {1, 2, 3};

/* ---- the queue ---- */

static void pops_frames_in_order_around_the_end_of_the_ring(void **state)
{
	struct push_queue q;
	struct err e = ERR_INIT;
	const uint8_t *at;
	size_t n;

	(void)state;
	assert_int_equal(push_queue_init(&q, 300, &e), 0);
	push_queue_stream(&q, &stream, &e);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(push_queue_row(&q, i, values, 2, &e), 0);
		while ((n = push_queue_unsent(&q, &at)) > 0)
			push_queue_sent(&q, n);
		while (push_queue_pop(&q))
			;
	}
	assert_int_equal(q.dropped, 0);
	assert_int_equal(q.used + q.frames + q.rows, 0);
	assert_true(q.stream.len > 0);
	push_queue_release(&q);
}

static void drops_rows_that_find_no_room_and_counts_them(void **state)
{
	struct push_queue q;
	struct err e = ERR_INIT;

	(void)state;
	push_queue_init(&q, 300, &e);
	push_queue_stream(&q, &stream, &e);
	for (int i = 0; i < 10; i++)
		push_queue_row(&q, i, values, 2, &e);
	assert_int_equal(q.rows + q.dropped, 10);
	assert_true(q.dropped > 0 && q.rows > 0);
	assert_int_equal(push_queue_pop(&q), 0); /* nothing was sent */
	push_queue_release(&q);
}

static void no_row_goes_before_a_stream_that_waits(void **state)
{
	struct push_queue q;
	struct err e = ERR_INIT;

	(void)state;
	push_queue_init(&q, 60, &e); /* a row fits, the stream does not */
	push_queue_stream(&q, &stream, &e);
	push_queue_row(&q, 1, values, 2, &e);
	assert_int_equal(q.frames, 0);
	assert_int_equal(q.dropped, 1);
	push_queue_release(&q);
}

/* ---- the guest's end, over a port of our own ---- */

/* The clock of all that is tested here, ahead of the kernel's. */
static time_t ahead_s;

int clock_gettime(clockid_t id, struct timespec *ret)
{
	int r = (int)syscall(SYS_clock_gettime, id, ret);

	ret->tv_sec += ahead_s;
	return r;
}

/* A terminal that hands bytes on as they are; its other end is what the guest opens. */
static int open_terminal(char *name, size_t size)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	struct termios raw;

	assert_true(fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0);
	assert_int_equal(tcgetattr(fd, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(fd, TCSANOW, &raw), 0);
	snprintf(name, size, "virtio:%s", ptsname(fd));
	return fd;
}

/* What the guest has to say, once it has said something. */
static size_t hear(struct push *p, int fd, char *buf, size_t size)
{
	ssize_t n = -1;

	for (int i = 0; i < 100 && n <= 0; i++) {
		push_serve(p);
		n = read(fd, buf, size - 1);
		if (n <= 0)
			usleep(1000);
	}
	assert_true(n > 0);
	buf[n] = 0;
	return (size_t)n;
}

static void say(struct push *p, int fd, const char *line)
{
	assert_int_equal(write(fd, line, strlen(line)), strlen(line));
	usleep(2000);
	push_serve(p);
}

/* Rows that come further apart than the patience with a host need no new connection each. */
static void a_guest_that_samples_seldom_stays_connected(void **state)
{
	char name[64], said[4096], line[64];
	int host = open_terminal(name, sizeof(name));
	const struct push_options o = {.to = name};
	struct push_report report;
	struct err e = ERR_INIT;
	struct push *p;
	unsigned number;

	(void)state;
	assert_int_equal(push_open(&o, &p, &e), 0);
	assert_int_equal(push_stream(p, &stream, &e), 0);
	hear(p, host, said, sizeof(said));
	assert_int_equal(sscanf(said, "VMWPUSH1 - %u", &number), 1);
	snprintf(line, sizeof(line), "START %u\n", number);
	say(p, host, line);
	for (unsigned row = 1; row <= 3; row++) {
		assert_int_equal(push_row(p, row, values, 2, &e), 0);
		hear(p, host, said, sizeof(said));
		snprintf(line, sizeof(line), "ACK %u %u\n", number, row + 1);
		say(p, host, line);
		push_report(p, &report);
		assert_string_equal(report.trouble, "");
		assert_int_equal(report.delivered, row);
		ahead_s += 60;
	}
	assert_int_equal(report.starts, 1);
	push_close(p);
	close(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pops_frames_in_order_around_the_end_of_the_ring),
		cmocka_unit_test(drops_rows_that_find_no_room_and_counts_them),
		cmocka_unit_test(no_row_goes_before_a_stream_that_waits),
		cmocka_unit_test(a_guest_that_samples_seldom_stays_connected),
	};

	return cmocka_run_group_tests_name("push", tests, make_dir, remove_dir);
}
