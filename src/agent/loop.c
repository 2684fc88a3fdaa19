// SPDX-License-Identifier: Apache-2.0
/* The agent's one loop: a timer, signals and the HTTP server on one epoll. See agent.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "agent/agent.h"
#include "base/notify.h"
#include "agent/parts.h"
#include "bundle/watch.h"
#include "base/cleanup.h"

#define SETTLE_NS	200000000
#define SLOW_CLIENTS_MS 10000

struct loop {
	struct agent *agent;
	int epoll_fd, timer_fd, signal_fd;
	int settle_fd; /* a timer: the store was quiet long enough to be read */
	struct watch store;
	int http_fd; /* as registered */
	bool leave;
};

static int watch(struct loop *l, int fd, struct err *e)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return err_errno(e, "epoll");
	return 0;
}

/* Ticks at even instants of CLOCK_MONOTONIC: a late tick does not delay the next. */
static int arm_timer(struct loop *l, struct err *e)
{
	int64_t step_ns = l->agent->config.sampling_interval_ns;
	int64_t first_ns = l->agent->kernel->monotonic_ns() + step_ns;
	struct itimerspec when = {
		.it_interval = {step_ns / 1000000000, step_ns % 1000000000},
		.it_value = {first_ns / 1000000000, first_ns % 1000000000},
	};

	if (timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		return err_errno(e, "timer");
	return 0;
}

static int open_loop(struct loop *l, struct err *e)
{
	sigset_t signals;
	struct err why = ERR_INIT;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	l->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	l->settle_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->epoll_fd < 0 || l->timer_fd < 0 || l->signal_fd < 0 || l->settle_fd < 0)
		return err_errno(e, "cannot make the event loop");
	if (watch_open(&l->store, &why) < 0)
		log_warn("%s: a new bundle is taken on SIGHUP only", why.msg);
	r = watch(l, l->timer_fd, e);
	if (r == 0)
		r = watch(l, l->signal_fd, e);
	if (r == 0)
		r = watch(l, l->settle_fd, e);
	if (r == 0 && l->store.fd >= 0)
		r = watch(l, l->store.fd, e);
	return r == 0 ? arm_timer(l, e) : r;
}

static void close_loop(struct loop *l)
{
	watch_close(&l->store);
	cleanup_fd(&l->settle_fd);
	cleanup_fd(&l->signal_fd);
	cleanup_fd(&l->timer_fd);
	cleanup_fd(&l->epoll_fd);
}

static int watch_http(struct loop *l, struct err *e)
{
	l->http_fd = http_fd(l->agent->http);
	return watch(l, l->http_fd, e);
}

/* Read the store once a change of several files is through. */
static void settle(struct loop *l)
{
	const struct itimerspec soon = {.it_value = {0, SETTLE_NS}};

	struct itimerspec armed;

	/* Not again: a store that never rests is read all the same. */
	if (timerfd_gettime(l->settle_fd, &armed) == 0 && !armed.it_value.tv_nsec)
		timerfd_settime(l->settle_fd, 0, &soon, NULL);
}

static void watch_store(struct loop *l)
{
	if (watch_directory(&l->store, l->agent->config.model_path))
		settle(l);
}

/* The store has changed by itself: only the bundle is read anew. */
static void on_settled(struct loop *l)
{
	struct err e = ERR_INIT;
	uint64_t expirations;
	bool changed;

	if (read(l->settle_fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		return;
	if (agent_reload_bundle(l->agent, &changed, &e) < 0)
		log_error("reload: %s; the agent keeps what it had", e.msg);
	else if (changed)
		log_info("reloaded: %s has changed", l->agent->config.model_path);
}

static void reload(struct loop *l)
{
	int64_t step_ns = l->agent->config.sampling_interval_ns;
	struct http *http = l->agent->http;
	struct err e = ERR_INIT;
	int r;

	notify_manager("RELOADING=1");
	r = agent_reload(l->agent, &e);
	if (r == 0 && l->agent->http != http) {
		r = watch_http(l, &e); /* closing the old one took it off the epoll */
		log_info("now serving http://%s/metrics", http_address(l->agent->http));
	}
	if (r == 0 && l->agent->config.sampling_interval_ns != step_ns)
		r = arm_timer(l, &e);
	if (r < 0)
		log_error("reload: %s; the agent keeps what it had", e.msg);
	else
		log_info("reloaded");
	watch_store(l);
	notify_manager("READY=1");
}

static void on_http(struct loop *l)
{
	if (!l->agent->http)
		return;
	http_run(l->agent->http);
	if (http_take_reload(l->agent->http))
		reload(l);
}

static void on_signal(struct loop *l)
{
	struct signalfd_siginfo info;

	while (read(l->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload(l);
		else
			l->leave = true;
	}
}

static void on_timer(struct loop *l)
{
	uint64_t expirations;

	if (read(l->timer_fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		return;
	agent_tick(l->agent);
	on_http(l); /* deadlines of slow clients */
	watch_store(l);
	notify_manager("WATCHDOG=1");
}

static int run_loop(struct loop *l, struct err *e)
{
	while (!l->leave) {
		struct epoll_event events[8];
		int n = epoll_wait(l->epoll_fd, events, array_size(events), SLOW_CLIENTS_MS);

		if (n < 0 && errno != EINTR)
			return err_errno(e, "epoll");
		if (n == 0) /* long ticks, and as many silent clients as may be: no other comes */
			on_http(l);
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == l->timer_fd)
				on_timer(l);
			else if (events[i].data.fd == l->signal_fd)
				on_signal(l);
			else if (events[i].data.fd == l->http_fd)
				on_http(l);
			else if (events[i].data.fd == l->settle_fd)
				on_settled(l);
			else if (events[i].data.fd == l->store.fd && watch_read(&l->store))
				settle(l);
		}
	}
	return 0;
}

/* The page that powercap trees show: beside the joules, under their lock. */
static void open_counters(struct agent *a)
{
	const struct counters_options o = {
		.directory = a->config.state_directory,
		.now_ns = a->kernel->monotonic_ns(),
		.tick_ns = a->config.sampling_interval_ns,
		.window_ns = a->config.collection_interval_ns,
		.state = &a->state,
	};
	struct err e = ERR_INIT;

	if (counters_open(&a->counters, &o, &e) < 0)
		log_warn("%s: powercap counters stand still", e.msg);
}

/* A second agent, or no writable directory: counters start at 0, and everyone can see it. */
static void open_state(struct agent *a)
{
	struct err e = ERR_INIT;

	if (state_open(&a->state, a->config.state_directory, &e) < 0)
		log_warn("%s: joule counters start at 0 and are not kept, powercap counters stand "
			 "still",
			 e.msg);
	else
		open_counters(a);
	meter_show_joules(a->meter);
}

static int serve(struct loop *l, struct err *e)
{
	struct agent *a = l->agent;
	int r = open_loop(l, e);

	if (r == 0)
		r = http_new(a->config.listen, meter_snapshot(a->meter), &a->http, e);
	if (r == 0)
		r = watch_http(l, e);
	if (r == 0)
		r = agent_start_sampling(a, e);
	if (r < 0)
		return r;
	http_set_token(a->http, a->token);
	http_set_history(a->http, &a->history);
	open_state(a);
	a->watches = true;
	agent_begin_probation(a, NULL);
	watch_directory(&l->store, a->config.model_path);
	log_info("serving http://%s/metrics and /api/v1/power, model %s, every %g s",
		 http_address(a->http), meter_snapshot(a->meter)->model_version,
		 (double)a->config.sampling_interval_ns / 1e9);
	if (!a->config.enabled)
		log_warn("enabled is false: no power is published");
	notify_manager("READY=1");
	r = run_loop(l, e);
	notify_manager("STOPPING=1");
	agent_tick(a); /* what was used since the last one is counted too */
	log_info("leaving");
	return r;
}

int agent_run(const struct agent_options *o, struct err *e)
{
	struct agent *a = malloc(sizeof(*a));
	struct loop l = {.agent = a,
			 .epoll_fd = -1,
			 .timer_fd = -1,
			 .signal_fd = -1,
			 .settle_fd = -1,
			 .store = {.fd = -1, .wd = -1}};
	int r;

	if (!a)
		return err_nomem(e);
	r = agent_init(a, o, e);
	if (r == 0)
		r = serve(&l, e);
	agent_release(a);
	close_loop(&l);
	free(a);
	return r;
}
