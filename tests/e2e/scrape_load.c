// SPDX-License-Identifier: Apache-2.0
/*
 * A scrape load: scrape_load PORT RATE asks 127.0.0.1:PORT for /metrics RATE times a second on four
 * kept connections until SIGTERM. Then one JSON object on stdout: requests, those that failed,
 * counters that stepped back, requests a second and the slowest answer. Exit 1 if any failed
 * or stepped back.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS	   4
#define ANSWER_MAX (1u << 18)
#define SERIES	   12 /* three families of four zones */

static atomic_bool leave;
static struct sockaddr_in address;
static double rate; /* of one thread */

struct client {
	pthread_t thread;
	int fd;
	char answer[ANSWER_MAX];
	double joules[SERIES], reloads;
	uint64_t requests, failed, back;
	int64_t slowest_ns;
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* The whole answer as text; false when it is not one, or not 200. */
static bool ask(struct client *c)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
	size_t got = 0, want = 0;
	const char *body = NULL, *length;

	if (c->fd < 0 || write(c->fd, request, sizeof(request) - 1) != sizeof(request) - 1)
		return false;
	while (!want || got < want) {
		ssize_t n = read(c->fd, c->answer + got, ANSWER_MAX - 1 - got);

		if (n <= 0)
			return false;
		got += (size_t)n;
		c->answer[got] = 0;
		if (!body && (body = strstr(c->answer, "\r\n\r\n"))) {
			length = strstr(c->answer, "Content-Length: ");
			if (!length || length > body)
				return false;
			want = (size_t)(body + 4 - c->answer) + strtoul(length + 16, NULL, 10);
		}
	}
	return !strncmp(c->answer, "HTTP/1.1 200", 12);
}

/*
 * Joules must be there, every one of them, and never fall, nor must the count of reloads; watts of
 * the package must be there.
 */
static bool check(struct client *c)
{
	static const char reloads[] = "\nvmwatts_bundle_reloads_total{result=\"success\"} ";
	const char *count = strstr(c->answer, reloads);
	size_t n = 0;

	if (!count)
		return false;
	if (strtod(count + sizeof(reloads) - 1, NULL) < c->reloads)
		c->back++;
	c->reloads = strtod(count + sizeof(reloads) - 1, NULL);

	for (const char *p = c->answer; (p = strstr(p, "joules_total{")) && n < SERIES; p++, n++) {
		double value = strtod(strstr(p, "} ") + 2, NULL);

		if (value < c->joules[n])
			c->back++;
		c->joules[n] = value;
	}
	return n == SERIES && strstr(c->answer, "\nkepler_node_cpu_watts{");
}

static void *run(void *arg)
{
	struct client *c = arg;
	int64_t step_ns = (int64_t)(1e9 / rate), due_ns = now_ns();

	c->fd = dial();
	while (!leave) {
		int64_t begin_ns = now_ns(), took_ns;
		struct timespec when = {due_ns / 1000000000, due_ns % 1000000000};

		if (due_ns > begin_ns) {
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
			begin_ns = now_ns();
		}
		due_ns += step_ns;
		c->requests++;
		if (!ask(c) || !check(c)) {
			if (!c->failed++) /* the first one, for whoever looks for the cause */
				fprintf(stderr, "%s\n", c->answer);
			close(c->fd);
			c->fd = dial();
		}
		took_ns = now_ns() - begin_ns;
		c->slowest_ns = took_ns > c->slowest_ns ? took_ns : c->slowest_ns;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static struct client clients[THREADS];
	struct client sum = {.fd = -1};
	int64_t begin_ns = now_ns();
	sigset_t term;
	int got;

	if (argc != 3)
		return 2;
	address = (struct sockaddr_in){.sin_family = AF_INET,
				       .sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	rate = strtod(argv[2], NULL) / THREADS;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&clients[i].thread, NULL, run, &clients[i]);
	sigwait(&term, &got);
	leave = true;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(clients[i].thread, NULL);
		sum.requests += clients[i].requests;
		sum.failed += clients[i].failed;
		sum.back += clients[i].back;
		if (clients[i].slowest_ns > sum.slowest_ns)
			sum.slowest_ns = clients[i].slowest_ns;
	}
	printf("{\"requests\":%llu,\"failed\":%llu,\"stepped_back\":%llu,\"per_second\":%.0f,"
	       "\"slowest_ms\":%.1f}\n",
	       (unsigned long long)sum.requests, (unsigned long long)sum.failed,
	       (unsigned long long)sum.back,
	       (double)sum.requests * 1e9 / (double)(now_ns() - begin_ns),
	       (double)sum.slowest_ns / 1e6);
	return sum.failed || sum.back;
}
