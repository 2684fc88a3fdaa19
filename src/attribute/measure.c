// SPDX-License-Identifier: Apache-2.0
/* One run of a command under the meter: see measure.h. */
#include "attribute/measure.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include "attribute/launch.h"
#include "base/cleanup.h"
#include "base/kernel.h"

#define NS_PER_S       1000000000
#define SHORT_NS       20000000	  /* between attempts to close the last row */
#define PATIENCE       25	  /* of them */
#define RUSAGE_NS      1000000000 /* reading all of /proc is not cheap */
#define RUSAGE_LIVE_NS 250000000  /* but worth it where rows are read as they come */

struct run {
	const struct measure_options *o;
	struct measure_result *result;
	struct cputime cpu;
	sigset_t signals, before;
	pid_t pid; /* 0: it has ended */
	int64_t interval_ns;
	int64_t begin_ns, end_ns; /* of the command, CLOCK_MONOTONIC */
	int64_t row_ns;		  /* end of the last row */
	int64_t counted_ns;	  /* CPU time that rows have had */
};

static int64_t now_ns(void)
{
	return kernel_linux.monotonic_ns();
}

/* ---- signals ---- */

/* Ours to pass on; the terminal's own reach the command without us. */
static void block_signals(struct run *m)
{
	static const int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

	signal(SIGCHLD, SIG_DFL); /* whoever ignores it gets no status */
	sigemptyset(&m->signals);
	sigaddset(&m->signals, SIGCHLD);
	for (size_t i = 0; i < array_size(passed_on); i++)
		sigaddset(&m->signals, passed_on[i]);
	sigprocmask(SIG_BLOCK, &m->signals, &m->before);
}

static void note_end(struct run *m, int status)
{
	struct measure_result *r = m->result;

	m->end_ns = now_ns();
	m->pid = 0;
	r->killed = WIFSIGNALED(status);
	r->exit_code = r->killed ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The command, and the orphans that we adopted. */
static void reap(struct run *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == m->pid)
			note_end(m, status);
	}
}

/* Until something happened or `ns` have passed. */
static void wait_signal(struct run *m, int64_t ns)
{
	const struct timespec t = {ns / NS_PER_S, ns % NS_PER_S};
	siginfo_t info;
	int number = sigtimedwait(&m->signals, &info, &t);

	m->result->interrupted |=
		number > 0 && number != SIGCHLD && number != SIGUSR1 && number != SIGUSR2;
	if (number == SIGCHLD)
		reap(m);
	else if (number > 0 && m->pid && info.si_code <= 0) /* by a process, not the terminal */
		kill(m->pid, number);
}

/* ---- rows ---- */

/* How much of the time from the last row until `ns` the command ran. */
static double ran_s(const struct run *m, int64_t ns)
{
	int64_t from = m->row_ns > m->begin_ns ? m->row_ns : m->begin_ns;
	int64_t to = m->pid ? ns : m->end_ns;

	return to > from ? (double)(to - from) / 1e9 : 0;
}

static bool take_row(struct run *m)
{
	const struct measure_source *s = &m->o->source;
	int64_t cpu_ns = cputime_ns(&m->cpu), at_ns = now_ns();
	struct energy_row row = {.cpu_s = (double)(cpu_ns - m->counted_ns) / 1e9};
	const struct row *features;

	if (!s->tick(s->user, row.cpu_s))
		return false;
	features = s->row(s->user);
	row.estimate = s->estimate(s->user);
	row.dt_s = features->dt_s;
	row.run_s = ran_s(m, at_ns);
	row.vcpus = features->v[FEATURE_VCPUS];
	row.busy_s = features->v[FEATURE_CPU_BUSY_VCPUS] * row.dt_s;
	energy_add(&m->result->energy, &row);
	m->counted_ns = cpu_ns;
	m->row_ns = at_ns;
	if (m->o->on_row)
		m->o->on_row(m->o->user, &row, &m->result->energy);
	return true;
}

static void sample_until_end(struct run *m)
{
	int64_t due_ns = m->begin_ns + m->interval_ns;

	while (m->pid) {
		int64_t left_ns = due_ns - now_ns();

		if (left_ns > 0) {
			wait_signal(m, left_ns);
			continue;
		}
		take_row(m);
		due_ns += m->interval_ns;
		if (due_ns < now_ns()) /* we were stopped, or the machine slept */
			due_ns = now_ns() + m->interval_ns;
	}
	for (int i = 0; i < PATIENCE && !take_row(m); i++)
		wait_signal(m, SHORT_NS);
}

/* ---- start ---- */

static int start_by(struct run *m, enum cputime_method method, enum launch_step *failed,
		    struct err *e)
{
	struct launch l = {.argv = m->o->argv,
			   .signals = &m->before,
			   .enter = m->o->enter,
			   .user = m->o->enter_user};
	struct launched launched;
	int64_t least_ns = m->o->live_rows ? RUSAGE_LIVE_NS : RUSAGE_NS;
	int r = cputime_open(&m->cpu, method, e);

	*failed = LAUNCH_CGROUP;
	if (r < 0)
		return r;
	m->result->method = method;
	m->interval_ns = m->o->interval_ns;
	if (method == CPUTIME_RUSAGE && m->interval_ns < least_ns)
		m->interval_ns = least_ns;
	l.cgroup_fd = m->cpu.procs_fd;
	m->row_ns = now_ns();
	r = launch(&l, &launched, e);
	*failed = launched.failed;
	m->pid = r == 0 ? launched.pid : 0;
	m->begin_ns = launched.begin_ns;
	if (r < 0)
		cputime_close(&m->cpu);
	return r;
}

static int start(struct run *m, struct err *e)
{
	const struct measure_options *o = m->o;
	enum launch_step failed;
	int r = start_by(m, o->method, &failed, e);

	if (r < 0 && failed == LAUNCH_CGROUP && o->method == CPUTIME_CGROUP && !o->only) {
		snprintf(m->result->why, sizeof(m->result->why), "%s", e->msg);
		*e = (struct err)ERR_INIT;
		r = start_by(m, CPUTIME_RUSAGE, &failed, e);
	}
	if (r < 0)
		m->result->exit_code = failed != LAUNCH_EXEC ? 1 : r == -ENOENT ? 127 : 126;
	return r;
}

int measure_command(const struct measure_options *o, struct measure_result *ret, struct err *e)
{
	struct run m = {.o = o, .result = ret};
	int r;

	*ret = (struct measure_result){.exit_code = 0};
	energy_init(&ret->energy);
	block_signals(&m);
	o->source.tick(o->source.user, 0); /* what was before is not the command's */
	r = start(&m, e);
	if (r == 0) {
		sample_until_end(&m);
		cputime_close(&m.cpu);
		energy_close(&ret->energy, (double)(m.end_ns - m.begin_ns) / 1e9);
	}
	wait_signal(&m, 0); /* a Ctrl-C for the command must not end us now */
	sigprocmask(SIG_SETMASK, &m.before, NULL);
	return r;
}
