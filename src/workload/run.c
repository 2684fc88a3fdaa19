// SPDX-License-Identifier: Apache-2.0
/* Phase after phase: see run.h. */
#include "workload/run.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "workload/budget.h"
#include "workload/stressor.h"

#define TICK_S 1.0 /* at least this often progress is told */

struct run {
	const struct plan *plan;
	const struct run_options *o;
	struct root root; /* this machine */
	char program[PATH_MAX];
	double total_s, before_s; /* of the plan; of the phases that are over */
	struct stressor stressors[PLAN_LOADS_MAX];
	size_t n;
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int label_write(const char *file, const char *name, struct err *e)
{
	char path[PATH_MAX];
	struct stat st;
	FILE *f;
	int bad;

	if (!file)
		return 0;
	if (stat(file, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return err_set(e, -EINVAL, "label file %s: not a regular file", file);
	if (snprintf(path, sizeof(path), "%s.new-%ld", file, (long)getpid()) >= (int)sizeof(path))
		return err_set(e, -ENAMETOOLONG, "label file %s: path too long", file);
	f = fopen(path, "wxe");
	if (!f)
		return err_errno(e, "label file %s", file);
	bad = *name && fprintf(f, "%s\n", name) < 0;
	bad |= fclose(f) == EOF;
	if (bad || rename(path, file) < 0) {
		int r = err_errno(e, "label file %s", file);

		unlink(path);
		return r;
	}
	return 0;
}

int run_check(const struct plan *p, const char *directory, struct err *e)
{
	const struct root here = {.prefix = "", .self = true};
	struct budget have;
	char program[PATH_MAX];
	int r = stressor_find(program, e);

	if (r == 0)
		r = budget_read(&here, directory, &have, e);
	for (size_t i = 0; r == 0 && i < p->n_phases; i++)
		r = budget_check(&p->phases[i], &have, e);
	return r;
}

static void tell(const struct run *run, enum run_moment moment, size_t phase, double at_s)
{
	struct run_progress p = {.moment = moment, .phase = phase};

	p.done = fmin((run->before_s + at_s) / run->total_s, 1);
	if (run->o->progress)
		run->o->progress(run->o->context, &p);
}

static void note_groups(const struct run *run)
{
	for (size_t i = 0; run->o->groups && i < PLAN_LOADS_MAX; i++)
		run->o->groups[i] = i < run->n ? run->stressors[i].pid : 0;
}

static int start_loads(struct run *run, const struct phase *p, double duration_s, struct err *e)
{
	struct budget have;
	struct stressor_options o = {.program = run->program,
				     .scratch = run->o->scratch,
				     .have = &have,
				     .seconds = duration_s};
	int r = budget_read(&run->root, run->o->scratch, &have, e);

	if (r == 0)
		r = budget_check(p, &have, e);
	for (run->n = 0; r == 0 && run->n < p->n_loads;) {
		r = stressor_start(&run->stressors[run->n], &p->loads[run->n], &o, e);
		run->n += r == 0;
		note_groups(run);
	}
	return r;
}

static void stop_loads(struct run *run)
{
	for (size_t i = 0; i < run->n; i++)
		stressor_stop(&run->stressors[i]);
	run->n = 0;
	note_groups(run);
}

/* Pause and resume by what the phase says at this instant; seconds until the next change. */
static double pace(struct run *run, const struct phase *p, double at_s, double duration_s)
{
	double in_period_s = fmod(at_s, RUN_PERIOD_S), wait_s = TICK_S;

	for (size_t i = 0; i < run->n; i++) {
		struct stressor *s = &run->stressors[i];
		/* Constant over a period, so that a period is one stretch of work. */
		double share = phase_share(p, s->load, at_s - in_period_s, duration_s);
		double work_s = share * RUN_PERIOD_S;

		if (s->paces_itself)
			work_s = share > 0 ? RUN_PERIOD_S : 0;
		stressor_pause(s, in_period_s >= work_s);
		if (in_period_s < work_s && work_s < RUN_PERIOD_S)
			wait_s = fmin(wait_s, work_s - in_period_s);
		if (s->load->n_points > 1 || p->burst_off_s > 0 ||
		    (work_s > 0 && work_s < RUN_PERIOD_S))
			wait_s = fmin(wait_s, RUN_PERIOD_S - in_period_s);
	}
	return wait_s;
}

/* Wait for a signal at most `wait_s`: -EINTR when it wants us to end. */
static int wait_signal(double wait_s, struct err *e)
{
	struct timespec t = {(time_t)wait_s, (long)(fmod(wait_s, 1) * 1e9)};
	sigset_t signals;
	int signal_number;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	signal_number = sigtimedwait(&signals, NULL, &t);
	if (signal_number < 0 || signal_number == SIGCHLD)
		return 0;
	return err_set(e, -EINTR, "stopped by SIG%s", sigabbrev_np(signal_number));
}

static int check_loads(struct run *run, const struct phase *p, struct err *e)
{
	char words[200];

	for (size_t i = 0; i < run->n; i++) {
		if (!stressor_has_left(&run->stressors[i]))
			continue;
		stressor_last_words(run->o->scratch, words, sizeof(words));
		return err_set(e, -EIO, "stress-ng left phase %s (%s) early: %s", p->name,
			       p->loads[i].kind->name, words);
	}
	return 0;
}

static int run_phase(struct run *run, size_t index, struct err *e)
{
	const struct phase *p = &run->plan->phases[index];
	double duration_s = p->duration_s * run->o->scale, begin_s, at_s;
	int r = label_write(run->o->label_file, p->name, e);

	if (r < 0)
		return r;
	tell(run, RUN_PHASE_BEGINS, index, 0);
	begin_s = now_s();
	r = start_loads(run, p, duration_s, e);
	while (r == 0 && (at_s = now_s() - begin_s) < duration_s) {
		double wait_s = pace(run, p, at_s, duration_s);

		r = wait_signal(fmin(wait_s, duration_s - at_s), e);
		if (r == 0)
			r = check_loads(run, p, e);
		if (r == 0)
			tell(run, RUN_GOES_ON, index, fmin(at_s, duration_s));
	}
	if (r == 0)
		tell(run, RUN_PHASE_ENDS, index, duration_s);
	stop_loads(run);
	run->before_s += duration_s;
	return r;
}

int run_plan(const struct plan *p, const struct run_options *o, struct err *e)
{
	struct run run = {.plan = p, .o = o, .root = {.prefix = "", .self = true}};
	int r = stressor_find(run.program, e);

	run.total_s = plan_seconds(p) * o->scale;
	for (size_t i = 0; r == 0 && i < p->n_phases; i++)
		r = run_phase(&run, i, e);
	if (label_write(o->label_file, "", r < 0 ? NULL : e) < 0 && r == 0)
		r = -EIO;
	return r;
}
