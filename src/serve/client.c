// SPDX-License-Identifier: Apache-2.0
/*
 * See client.h. One thread reads the socket and keeps the newest question; the
 * other asks the server and writes the answer. Neither ever makes the agent
 * wait: an answer that does not fit into the socket is dropped.
 */
#include "serve/client.h"

#include <errno.h>
#include <grpc/grpc.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "serve/grpclog.h"

#define RESTART_MAX_S 30

/* ---- when to ask ---- */

void breaker_init(struct breaker *b)
{
	*b = (struct breaker){.budget = RETRY_BUDGET};
}

bool breaker_open(const struct breaker *b, int64_t now_ns)
{
	return now_ns < b->until_ns;
}

void breaker_note(struct breaker *b, bool answered, int64_t now_ns, double chance)
{
	double wait_s;

	if (answered) {
		b->failures = 0;
		b->until_ns = 0;
		b->budget = fmin(b->budget + RETRY_EARNED, RETRY_BUDGET);
		return;
	}
	b->failures++;
	if (b->failures < BREAKER_FAILURES)
		return;
	wait_s = fmin(ldexp(1, (int)fmin(b->failures - BREAKER_FAILURES, 10)), BREAKER_MAX_S);
	b->until_ns = now_ns + (int64_t)(wait_s * (0.5 + 0.5 * chance) * 1e9);
}

bool breaker_retry(struct breaker *b, enum remote_reason reason, unsigned attempt, unsigned retries,
		   double chance, double *ret_wait_s)
{
	bool may_pass = reason == REMOTE_UNREACHABLE || reason == REMOTE_TIMEOUT ||
			reason == REMOTE_NAME || reason == REMOTE_BAD_ANSWER;

	if (!may_pass || attempt > retries || b->budget < 1 || b->failures >= BREAKER_FAILURES)
		return false;
	b->budget -= 1;
	*ret_wait_s =
		fmin(0.05 * ldexp(1, (int)(attempt < 8 ? attempt : 8)), 2) * (0.5 + 0.5 * chance);
	return true;
}

/* ---- the worker ---- */

struct worker {
	int fd;
	const struct client_options *o;
	struct client *client;
	struct breaker breaker;
	enum remote_reason last; /* why the breaker opened */
	struct byte_writer out;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	struct remote_question newest;
	bool has_newest, closed;
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* Different in every agent, or they would all come back at once. */
static double chance(void)
{
	uint32_t v = 0;

	if (getrandom(&v, sizeof(v), GRND_NONBLOCK) != sizeof(v))
		v = (uint32_t)now_ns();
	return v / 4294967296.0;
}

static void *read_questions(void *arg)
{
	struct worker *w = arg;
	unsigned char packet[REMOTE_PACKET_MAX];
	struct remote_question q;
	ssize_t n;

	while ((n = recv(w->fd, packet, sizeof(packet), 0)) > 0 || (n < 0 && errno == EINTR)) {
		if (n < 0 || !remote_get_question(packet, (size_t)n, &q))
			continue;
		pthread_mutex_lock(&w->lock);
		w->newest = q;
		w->has_newest = true;
		pthread_cond_signal(&w->changed);
		pthread_mutex_unlock(&w->lock);
	}
	pthread_mutex_lock(&w->lock);
	w->closed = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* The newest question, once there is one; false at the end. */
static bool next_question(struct worker *w, struct remote_question *ret)
{
	bool found;

	pthread_mutex_lock(&w->lock);
	while (!w->has_newest && !w->closed)
		pthread_cond_wait(&w->changed, &w->lock);
	found = !w->closed;
	*ret = w->newest;
	w->has_newest = false;
	pthread_mutex_unlock(&w->lock);
	return found;
}

/* Wait before a retry; true when a newer question has come, or the end. */
static bool overtaken(struct worker *w, double wait_s)
{
	struct timespec until;
	bool newer;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += (long)(fmod(wait_s, 1) * 1e9);
	until.tv_sec += (time_t)wait_s + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&w->lock);
	while (!w->has_newest && !w->closed && r == 0)
		r = pthread_cond_timedwait(&w->changed, &w->lock, &until);
	newer = w->has_newest || w->closed;
	pthread_mutex_unlock(&w->lock);
	return newer;
}

static void tell(struct worker *w, enum remote_reason reason, const struct err *why)
{
	if (reason != w->last && reason != REMOTE_NONE)
		log_warn("remote inference at %s: %s: %s", w->o->url, remote_reason_name(reason),
			 why->msg);
	w->last = reason;
}

static void answer(struct worker *w, const struct remote_question *q)
{
	struct remote_answer a = {.number = q->number, .reason = w->last};
	unsigned attempt = 0;
	double wait_s;

	while (!breaker_open(&w->breaker, now_ns())) {
		struct err why = ERR_INIT;

		client_ask(w->client, q, &a, &why);
		tell(w, a.reason, &why);
		breaker_note(&w->breaker, a.reason == REMOTE_NONE, now_ns(), chance());
		if (a.reason == REMOTE_NONE ||
		    !breaker_retry(&w->breaker, a.reason, ++attempt, w->o->retries, chance(),
				   &wait_s) ||
		    overtaken(w, wait_s))
			break;
	}
	remote_put_answer(&a, &w->out);
	if (!w->out.failed)
		send(w->fd, w->out.data, w->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int work(int fd, const struct client_options *o, struct err *e)
{
	struct worker w = {.fd = fd, .o = o};
	struct remote_question q;
	pthread_t reader;
	int r;

	prctl(PR_SET_NAME, "vmwatts-remote");
	grpclog_take();
	grpc_init();
	breaker_init(&w.breaker);
	pthread_mutex_init(&w.lock, NULL);
	pthread_cond_init(&w.changed, NULL);
	r = client_open(o, &w.client, e);
	if (r == 0 && pthread_create(&reader, NULL, read_questions, &w) != 0)
		r = err_set(e, -EAGAIN, "no thread");
	if (r == 0) {
		while (next_question(&w, &q))
			answer(&w, &q);
		pthread_join(reader, NULL);
	}
	client_close(w.client);
	byte_writer_release(&w.out);
	grpc_shutdown_blocking();
	return r;
}

/* ---- the keeper ---- */

/* In a child of its own: a crash in a parser of network bytes is not the end of it. */
static pid_t begin_work(int fd, const struct client_options *o)
{
	pid_t pid = fork();
	struct err e = ERR_INIT;

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (work(fd, o, &e) == 0)
		_exit(0);
	log_error("remote inference: %s", e.msg);
	_exit(1);
}

int client_run(int fd, const struct client_options *o, struct err *e)
{
	unsigned wait_s = 1;

	for (;;) {
		int64_t begin_ns = now_ns();
		pid_t pid = begin_work(fd, o);
		int status = 0;

		if (pid < 0)
			return err_errno(e, "no process");
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (WIFEXITED(status))
			return WEXITSTATUS(status) ? err_set(e, -EIO, "it cannot work") : 0;
		log_error("the worker of remote inference was ended by signal %d; again in %u s",
			  WTERMSIG(status), wait_s);
		sleep(wait_s);
		if (now_ns() - begin_ns > INT64_C(60000000000))
			wait_s = 1;
		else
			wait_s = 2 * wait_s < RESTART_MAX_S ? 2 * wait_s : RESTART_MAX_S;
	}
}
