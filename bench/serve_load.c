// SPDX-License-Identifier: Apache-2.0
/*
 * A load on a model server, on plaintext: serve_load PORT CALLS CONNECTIONS IDLE [PID]
 *
 * Opens IDLE connections that only shake hands, then makes CALLS calls of
 * EstimatePower over CONNECTIONS others, one at a time on each, and prints one
 * JSON object: calls a second, latencies, and the resident memory of process
 * PID after a tenth of the calls and after all of them.
 *
 * It speaks just enough HTTP/2 for that, byte for byte the same request each
 * time, so that what is measured is the server: gRPC's own client costs as
 * much as its server. A call counts as answered when a message came before
 * the end of its stream: an error has none.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <netinet/tcp.h>

#define FRAME_HEAD  9
#define BUFFER_SIZE 65536
#define CALLS_MOST  20000000
#define PEERS_MOST  20000
#define PATIENCE_MS 10000
#define BUCKETS	    4000 /* of 5 us */
#define BUCKET_NS   5000

enum { FRAME_DATA, FRAME_HEADERS, FRAME_SETTINGS = 4, FRAME_PING = 6, FRAME_GOAWAY };
enum { FLAG_ACK = 1, FLAG_END_STREAM = 1, FLAG_END_HEADERS = 4 };

struct peer {
	int fd;
	uint32_t stream;
	bool answered; /* a message came on this stream */
	int64_t begin_ns;
	size_t have;
	unsigned char *in; /* BUFFER_SIZE */
};

static struct sockaddr_in address;
static unsigned char request[512]; /* HEADERS and DATA; stream numbers are filled in */
static size_t request_len, data_at;
static uint64_t buckets[BUCKETS], answered, failed;

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static size_t put_frame(unsigned char *to, size_t len, unsigned type, unsigned flags)
{
	const unsigned char head[FRAME_HEAD] = {(unsigned char)(len >> 16),
						(unsigned char)(len >> 8), (unsigned char)len,
						(unsigned char)type, (unsigned char)flags};

	memcpy(to, head, sizeof(head));
	return FRAME_HEAD;
}

/* A header as a literal that enters no table: RFC 7541, 6.2.2. */
static size_t put_header(unsigned char *to, const char *name, const char *value)
{
	size_t n = strlen(name), v = strlen(value), at = 0;

	to[at++] = 0;
	to[at++] = (unsigned char)n;
	memcpy(to + at, name, n);
	at += n;
	to[at++] = (unsigned char)v;
	memcpy(to + at, value, v);
	return at + v;
}

/* One feature of EstimationRequest: field 1, an entry of key 1 and value 2. */
static size_t put_feature(unsigned char *to, const char *name, double value)
{
	size_t n = strlen(name), at = 0;

	to[at++] = 1 << 3 | 2;
	to[at++] = (unsigned char)(2 + n + 9);
	to[at++] = 1 << 3 | 2;
	to[at++] = (unsigned char)n;
	memcpy(to + at, name, n);
	at += n;
	to[at++] = 2 << 3 | 1;
	memcpy(to + at, &value,
	       sizeof(value)); /* little-endian, as is every machine we build for */
	return at + sizeof(value);
}

static void make_request(void)
{
	size_t at = FRAME_HEAD, begin;

	at += put_header(request + at, ":method", "POST");
	at += put_header(request + at, ":scheme", "http");
	at += put_header(request + at, ":path", "/PowerEstimationService/EstimatePower");
	at += put_header(request + at, ":authority", "localhost");
	at += put_header(request + at, "te", "trailers");
	at += put_header(request + at, "content-type", "application/grpc");
	put_frame(request, at - FRAME_HEAD, FRAME_HEADERS, FLAG_END_HEADERS);
	data_at = at;
	begin = at + FRAME_HEAD + 5;
	at = begin;
	at += put_feature(request + at, "cpu_utilization", 0.5);
	at += put_feature(request + at, "vcpus", 4);
	at += put_feature(request + at, "context_switch_rate", 1000);
	memset(request + begin - 5, 0, 5);
	request[begin - 1] = (unsigned char)(at - begin);
	put_frame(request + data_at, at - data_at - FRAME_HEAD, FRAME_DATA, FLAG_END_STREAM);
	request_len = at;
}

static bool send_all(int fd, const void *data, size_t len)
{
	return send(fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* Connect and shake hands; windows are opened once, wide enough for every answer to come. */
static int dial(void)
{
	static const unsigned char hello[] =
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
		"\0\0\6\4\0\0\0\0\0\0\4\x7f\xff\xff\xff" /* SETTINGS: initial window */
		"\0\0\4\10\0\0\0\0\0\x7f\xff\0\0";	 /* WINDOW_UPDATE of the connection */
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	struct timeval patience = {PATIENCE_MS / 1000, 0};

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    !send_all(fd, hello, sizeof(hello) - 1)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void ask(struct peer *p)
{
	const size_t at[] = {5, data_at + 5};

	p->stream += p->stream ? 2 : 1;
	for (size_t i = 0; i < 2; i++) {
		uint32_t n = htonl(p->stream);

		memcpy(request + at[i], &n, sizeof(n));
	}
	p->answered = false;
	p->begin_ns = now_ns();
	if (!send_all(p->fd, request, request_len)) {
		fprintf(stderr, "serve_load: a request was not taken: %s\n", strerror(errno));
		exit(1);
	}
}

static void count(const struct peer *p)
{
	int64_t bucket = (now_ns() - p->begin_ns) / BUCKET_NS;

	buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
	answered += p->answered;
	failed += !p->answered;
}

/* One frame; true when it ends the call. */
static bool take_frame(struct peer *p, const unsigned char *frame, size_t len)
{
	unsigned type = frame[3], flags = frame[4];
	unsigned char reply[FRAME_HEAD + 8];
	uint32_t stream;

	memcpy(&stream, frame + 5, sizeof(stream));
	if (type == FRAME_SETTINGS && !(flags & FLAG_ACK)) {
		memset(reply, 0, sizeof(reply));
		put_frame(reply, 0, FRAME_SETTINGS, FLAG_ACK);
		send_all(p->fd, reply, FRAME_HEAD);
	} else if (type == FRAME_PING && !(flags & FLAG_ACK) && len == 8) {
		memset(reply, 0, sizeof(reply));
		put_frame(reply, 8, FRAME_PING, FLAG_ACK);
		memcpy(reply + FRAME_HEAD, frame + FRAME_HEAD, 8);
		send_all(p->fd, reply, sizeof(reply));
	} else if (type == FRAME_GOAWAY) {
		fprintf(stderr, "serve_load: the server sends a connection away\n");
		exit(1);
	}
	if (ntohl(stream) != p->stream)
		return false;
	if (type == FRAME_DATA && len > 5)
		p->answered = true;
	return (type == FRAME_HEADERS || type == FRAME_DATA) && (flags & FLAG_END_STREAM);
}

/* Read what is there; true when the call has ended. */
static bool receive(struct peer *p)
{
	ssize_t n = recv(p->fd, p->in + p->have, BUFFER_SIZE - p->have, 0);
	size_t at = 0;
	bool ended = false;

	if (n <= 0) {
		fprintf(stderr, "serve_load: a connection has ended\n");
		exit(1);
	}
	p->have += (size_t)n;
	while (p->have - at >= FRAME_HEAD) {
		const unsigned char *f = p->in + at;
		size_t len = (size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2];

		if (p->have - at < FRAME_HEAD + len)
			break;
		ended |= take_frame(p, f, len);
		at += FRAME_HEAD + len;
	}
	memmove(p->in, p->in + at, p->have - at);
	p->have -= at;
	return ended;
}

static struct peer *dial_many(size_t n, bool busy)
{
	struct peer *peers = calloc(n + 1, sizeof(*peers));

	for (size_t i = 0; peers && i < n; i++) {
		peers[i].fd = dial();
		if (peers[i].fd < 0) {
			fprintf(stderr, "serve_load: connection %zu of %zu: %s\n", i + 1, n,
				strerror(errno));
			exit(1);
		}
		peers[i].in = busy ? malloc(BUFFER_SIZE) : NULL;
	}
	return peers;
}

static double resident_mb(const char *pid)
{
	char path[64], line[256];
	double kb = 0;
	FILE *f;

	if (!pid)
		return 0;
	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "VmRSS:", 6))
			kb = strtod(line + 6, NULL);
	}
	if (f)
		fclose(f);
	return kb / 1024;
}

static double percentile_ms(double share)
{
	uint64_t sum = 0, want = (uint64_t)(share * (double)(answered + failed));
	size_t i = 0;

	while (i + 1 < BUCKETS && (sum += buckets[i]) < want)
		i++;
	return (double)(i + 1) * BUCKET_NS / 1e6;
}

/* An idle connection lives when the server has said its part and nothing more. */
static size_t count_alive(const struct peer *idle, size_t n)
{
	size_t alive = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char buf[256];
		ssize_t got = recv(idle[i].fd, buf, sizeof(buf), MSG_DONTWAIT);

		alive += got > 0 || (got < 0 && errno == EAGAIN);
	}
	return alive;
}

static void run(struct peer *peers, size_t n, uint64_t calls, const char *pid, double *ret_early_mb)
{
	struct epoll_event events[64];
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	uint64_t asked = 0;

	for (size_t i = 0; i < n; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = &peers[i]};

		epoll_ctl(epoll, EPOLL_CTL_ADD, peers[i].fd, &e);
		if (asked < calls)
			ask(&peers[i]);
		asked += asked < calls;
	}
	while (answered + failed < calls) {
		int got = epoll_wait(epoll, events, 64, PATIENCE_MS);

		if (got <= 0) {
			fprintf(stderr, "serve_load: no answer for %d s\n", PATIENCE_MS / 1000);
			exit(1);
		}
		for (int i = 0; i < got; i++) {
			struct peer *p = events[i].data.ptr;

			if (!receive(p))
				continue;
			count(p);
			if (answered + failed == calls / 10)
				*ret_early_mb = resident_mb(pid);
			if (asked < calls) {
				asked++;
				ask(p);
			}
		}
	}
	close(epoll);
}

int main(int argc, char **argv)
{
	struct rlimit files = {0, 0};
	struct peer *idle, *busy;
	const char *pid = argc > 5 ? argv[5] : NULL;
	uint64_t calls, n_busy, n_idle;
	double early_mb = 0, idle_mb, seconds;
	int64_t begin_ns;

	if (argc < 5) {
		fprintf(stderr, "usage: serve_load PORT CALLS CONNECTIONS IDLE [PID]\n");
		return 2;
	}
	calls = strtoull(argv[2], NULL, 10);
	n_busy = strtoull(argv[3], NULL, 10);
	n_idle = strtoull(argv[4], NULL, 10);
	if (!calls || calls > CALLS_MOST || !n_busy || n_busy > PEERS_MOST || n_idle > PEERS_MOST)
		return 2;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	address = (struct sockaddr_in){.sin_family = AF_INET,
				       .sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	make_request();
	idle = dial_many(n_idle, false);
	sleep(n_idle ? 1 : 0);
	idle_mb = resident_mb(pid);
	busy = dial_many(n_busy, true);
	begin_ns = now_ns();
	run(busy, n_busy, calls, pid, &early_mb);
	seconds = (double)(now_ns() - begin_ns) * 1e-9;
	printf("{\"calls\":%llu,\"failed\":%llu,\"calls_per_s\":%.0f,\"p50_ms\":%.3f,"
	       "\"p99_ms\":%.3f,\"connections\":%llu,\"idle\":%llu,\"idle_alive\":%zu,"
	       "\"idle_mb\":%.1f,\"tenth_mb\":%.1f,\"end_mb\":%.1f}\n",
	       (unsigned long long)(answered + failed), (unsigned long long)failed,
	       (double)calls / seconds, percentile_ms(0.5), percentile_ms(0.99),
	       (unsigned long long)n_busy, (unsigned long long)n_idle, count_alive(idle, n_idle),
	       idle_mb, early_mb, resident_mb(pid));
	return failed != 0;
}
