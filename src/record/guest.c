// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's recorder: see guest.h.
 *
 *   open      collector, trace, label file, command, timer and signals
 *   tick      sample -> (new stream?) -> (new label?) -> row
 *   close     one last row, so that the end of the command is covered
 *
 * A row goes into the trace, into the queue of what is pushed, or into both.
 */
#include "record/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "collect/collector.h"
#include "collect/identity.h"
#include "record/command.h"
#include "trace/sample.h"

#define SYNC_NS	  10000000000 /* what a machine that loses power may lose */
#define META_SIZE 128
#define DRAIN_MS  5000 /* for what is still to be pushed at the end */

struct recorder {
	const struct guest_options *o;
	const struct kernel *kernel;
	struct collector *collector;
	struct sample sample;
	struct trace_writer *trace; /* NULL: pushed only */
	struct push *push;	    /* NULL: not pushed */
	unsigned stream, cpus;	    /* of the stream */
	double *values;		    /* owned; sample_columns(cpus) */
	char label_path[128];	    /* "" without one */
	bool own_label_file;
	char label[TRACE_TEXT];
	char vm[TRACE_TEXT];
	int timer_fd, signal_fd;
	int64_t begin_ns, due_ns, synced_ns;
	pid_t command; /* 0: none, or ended */
	bool stop;
	struct guest_report report;
};

/* ---- what machine this is, as the stream's meta ---- */

struct meta {
	const char *texts[2 * 16];
	char values[16][META_SIZE];
	size_t n;
};

__attribute__((format(printf, 3, 4))) static void add_meta(struct meta *m, const char *key,
							   const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(m->values[m->n], META_SIZE, fmt, args);
	va_end(args);
	if (!m->values[m->n][0])
		return;
	m->texts[2 * m->n] = key;
	m->texts[2 * m->n + 1] = m->values[m->n];
	m->n++;
}

static void add_line(struct meta *m, const struct root *root, const char *key, const char *path)
{
	char line[META_SIZE] = "";

	if (root_read_line(root, path, line, sizeof(line)) > 0)
		add_meta(m, key, "%s", line);
}

static void describe(const struct recorder *g, const struct root *root, struct meta *m)
{
	autofree struct identity *id = calloc(1, sizeof(*id));
	struct err unused = ERR_INIT;
	char interval[NUMBER_TEXT];

	add_meta(m, "recorder", "vmwatts %s", VMWATTS_VERSION);
	add_meta(m, "interval_s", "%s",
		 format_double_digits(interval, (double)g->o->interval_ns / 1e9, 9));
	add_line(m, root, "boot_id", "/proc/sys/kernel/random/boot_id");
	add_line(m, root, "uuid", "/sys/class/dmi/id/product_uuid");
	add_line(m, root, "kernel", "/proc/sys/kernel/osrelease");
	if (!id || identity_read(id, root, &unused) < 0)
		return;
	add_meta(m, "cpu_vendor", "%s", id->vendor);
	add_meta(m, "cpu_model", "%s", id->model_name);
	add_meta(m, "cpu_family", "%u/%u/%u", id->family, id->model, id->stepping);
	add_meta(m, "hypervisor", "%s", id->hypervisor);
	add_meta(m, "vcpus", "%u", id->n_cpus);
}

/* ---- to where it is recorded ---- */

static int write_stream(struct recorder *g, const struct trace_stream *s, struct err *e)
{
	int r = g->trace ? trace_write_stream(g->trace, s, &g->stream, e) : 0;

	return r == 0 && g->push ? push_stream(g->push, s, e) : r;
}

static int write_label(struct recorder *g, const char *label, struct err *e)
{
	int64_t at_ns = g->sample.real_ns;
	int r = g->trace ? trace_write_label(g->trace, g->stream, at_ns, label, e) : 0;

	return r == 0 && g->push ? push_label(g->push, at_ns, label, e) : r;
}

static int write_row(struct recorder *g, struct err *e)
{
	int64_t at_ns = g->sample.real_ns;
	size_t n = sample_columns(g->cpus);
	int r = g->trace ? trace_write_row(g->trace, g->stream, at_ns, g->values, n, e) : 0;

	if (r < 0 || !g->push)
		return r;
	r = push_row(g->push, at_ns, g->values, n, e);
	push_serve(g->push);
	return r;
}

/* ---- one tick ---- */

static int start_stream(struct recorder *g, unsigned cpus, struct err *e)
{
	struct meta meta = {.n = 0};
	struct trace_stream s = {.kind = TRACE_GUEST, .vm = g->vm, .meta = meta.texts};
	char **names = sample_column_names(cpus);
	double *grown = realloc(g->values, sample_columns(cpus) * sizeof(*grown));
	struct root root;
	int r = names && grown ? root_init(&root, g->o->root, e) : err_nomem(e);

	if (grown)
		g->values = grown;
	if (r == 0) {
		describe(g, &root, &meta);
		s.n_meta = meta.n;
		s.n_columns = sample_columns(cpus);
		s.columns = (const char *const *)names;
		r = write_stream(g, &s, e);
	}
	sample_column_names_free(names, cpus);
	if (r < 0)
		return r;
	g->cpus = cpus;
	g->report.streams++;
	g->label[0] = 0; /* a stream starts without one */
	return 0;
}

/* The label file's line into `ret`; "" where there is none. */
static void read_label(const struct recorder *g, char ret[TRACE_TEXT])
{
	autofd int fd = g->label_path[0] ? open(g->label_path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t n = fd < 0 ? 0 : read(fd, ret, TRACE_TEXT - 1);
	size_t len = 0;

	ret[n > 0 ? n : 0] = 0;
	while ((unsigned char)ret[len] >= ' ' && ret[len] != 0x7f)
		len++;
	ret[len] = 0;
}

static int note_label(struct recorder *g, struct err *e)
{
	char label[TRACE_TEXT];
	int r;

	read_label(g, label);
	if (!strcmp(label, g->label))
		return 0;
	r = write_label(g, label, e);
	if (r < 0)
		return r;
	memcpy(g->label, label, sizeof(label));
	g->report.labels++;
	return 0;
}

static int take_sample(struct recorder *g, struct err *e)
{
	unsigned cpus;
	int r = 0;

	collector_sample(g->collector, &g->sample);
	/* Where they cannot be read, CPUs are those of before; at first none is known. */
	cpus = sample_has(&g->sample, SOURCE_STAT) ? sample_cpus(&g->sample) : g->cpus;
	if (cpus != g->cpus || !g->report.streams)
		r = start_stream(g, cpus, e);
	if (r == 0)
		r = note_label(g, e);
	if (r < 0)
		return r;
	sample_to_values(&g->sample, g->cpus, g->values);
	r = write_row(g, e);
	if (r < 0)
		return r;
	g->report.rows++;
	g->report.seconds = (double)(g->sample.mono_ns - g->begin_ns) / 1e9;
	if (g->o->progress)
		g->o->progress(g->o->to, g->report.seconds, g->report.rows, g->label);
	if (!g->trace || g->sample.mono_ns - g->synced_ns < SYNC_NS)
		return 0;
	g->synced_ns = g->sample.mono_ns;
	return trace_writer_sync(g->trace, e);
}

/* ---- the loop ---- */

static int tick(struct recorder *g, struct err *e)
{
	uint64_t expirations;
	int64_t now_ns = g->kernel->monotonic_ns();

	if (read(g->timer_fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		return 0;
	g->due_ns += (int64_t)expirations * g->o->interval_ns;
	g->report.late += now_ns - g->due_ns > g->o->interval_ns / 2 || expirations > 1;
	if (g->o->duration_ns && now_ns - g->begin_ns >= g->o->duration_ns) {
		g->stop = true;
		g->report.command_cut = g->command != 0;
	}
	return take_sample(g, e);
}

static void handle_signals(struct recorder *g)
{
	struct signalfd_siginfo info;

	while (read(g->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGCHLD)
			g->stop = true;
		else if (g->command &&
			 waitpid(g->command, &g->report.command_status, WNOHANG) == g->command) {
			g->command = 0;
			g->stop = true;
		}
	}
}

/* What the push waits for into `fd`, and for how long at most. */
static int wait_for_push(const struct recorder *g, struct pollfd *fd)
{
	if (!g->push)
		return -1;
	fd->fd = push_fd(g->push);
	fd->events = push_events(g->push);
	return push_timeout_ms(g->push);
}

static int run(struct recorder *g, struct err *e)
{
	struct pollfd fds[] = {{.fd = g->timer_fd, .events = POLLIN},
			       {.fd = g->signal_fd, .events = POLLIN},
			       {.fd = -1}};
	int r = take_sample(g, e);

	while (r == 0 && !g->stop) {
		if (poll(fds, array_size(fds), wait_for_push(g, &fds[2])) < 0 && errno != EINTR)
			return err_errno(e, "poll");
		if (fds[1].revents)
			handle_signals(g);
		if (fds[0].revents)
			r = tick(g, e);
		else if (g->push)
			push_serve(g->push);
	}
	if (r == 0 && (double)(g->kernel->monotonic_ns() - g->sample.mono_ns) >
			      0.5 * (double)g->o->interval_ns)
		r = take_sample(g, e);
	return r;
}

/* ---- opening and closing ---- */

static int open_signals(struct recorder *g, struct err *e)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	g->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return g->signal_fd < 0 ? err_errno(e, "signalfd") : 0;
}

static int open_timer(struct recorder *g, struct err *e)
{
	int64_t step_ns = g->o->interval_ns, first_ns;
	struct itimerspec when = {.it_interval = {step_ns / 1000000000, step_ns % 1000000000}};

	g->begin_ns = g->due_ns = g->synced_ns = g->kernel->monotonic_ns();
	first_ns = g->begin_ns + step_ns;
	when.it_value = (struct timespec){first_ns / 1000000000, first_ns % 1000000000};
	g->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (g->timer_fd < 0 || timerfd_settime(g->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		return err_errno(e, "timer");
	return 0;
}

static int open_collector(struct recorder *g, struct err *e)
{
	struct collector_options c = {.kernel = g->kernel, .perf = g->o->perf};
	int r = root_init(&c.root, g->o->root, e);

	c.clock_probe = r == 0 && root_is_self(&c.root);
	if (r == 0)
		r = collector_new(&c, &g->collector, e);
	return r == 0 ? sample_init(&g->sample, collector_cpus(g->collector), e) : r;
}

static int open_label_file(struct recorder *g, struct err *e)
{
	autofd int fd = -1;

	if (g->o->label_file) {
		snprintf(g->label_path, sizeof(g->label_path), "%s", g->o->label_file);
		return strlen(g->o->label_file) < sizeof(g->label_path)
			       ? 0
			       : err_set(e, -ENAMETOOLONG, "%s", g->o->label_file);
	}
	if (!g->o->command)
		return 0;
	snprintf(g->label_path, sizeof(g->label_path), "/tmp/vmwatts-label-XXXXXX");
	fd = mkostemp(g->label_path, O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, "%s", g->label_path);
	g->own_label_file = true;
	return 0;
}

static void name_vm(struct recorder *g)
{
	struct utsname u = {.nodename = "vm"};

	uname(&u);
	snprintf(g->vm, sizeof(g->vm), "%s", g->o->vm ? g->o->vm : u.nodename);
}

static int open_all(struct recorder *g, struct err *e)
{
	int r;

	name_vm(g);
	r = open_collector(g, e);
	if (r == 0 && g->o->out)
		r = trace_writer_open(g->o->out, &g->trace, &g->report.cut_bytes, e);
	if (r == 0 && g->o->push.to)
		r = push_open(&g->o->push, &g->push, e);
	if (r < 0)
		return r;
	if (g->trace)
		trace_writer_limit(g->trace, g->o->max_bytes);
	r = open_signals(g, e);
	if (r == 0)
		r = open_label_file(g, e);
	if (r == 0)
		r = open_timer(g, e);
	if (r == 0 && g->o->command)
		r = command_start(g->o->command, g->label_path[0] ? g->label_path : NULL,
				  &g->command, e);
	return r;
}

static void close_all(struct recorder *g)
{
	if (g->command)
		g->report.command_status = command_stop(g->command);
	if (g->own_label_file)
		unlink(g->label_path);
	if (g->trace)
		g->report.bytes = trace_writer_size(g->trace);
	trace_writer_close(g->trace);
	if (g->push) {
		push_drain(g->push, DRAIN_MS);
		push_report(g->push, &g->report.push);
	}
	push_close(g->push);
	collector_free(g->collector);
	sample_release(&g->sample);
	cleanup_fd(&g->timer_fd);
	cleanup_fd(&g->signal_fd);
	free(g->values);
}

int record_guest(const struct guest_options *o, struct guest_report *ret, struct err *e)
{
	struct recorder g = {.o = o, .kernel = &kernel_linux, .timer_fd = -1, .signal_fd = -1};
	int r = open_all(&g, e);

	if (r == 0)
		r = run(&g, e);
	close_all(&g);
	*ret = g.report;
	return r;
}
