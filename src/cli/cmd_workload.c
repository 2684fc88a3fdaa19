// SPDX-License-Identifier: Apache-2.0
/* vmwatts workload: known work, phase by phase, for a recorder to watch. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "workload/guard.h"
#include "workload/budget.h"
#include "workload/run.h"

#define DIRECTORY "/var/tmp"

/* ---- list and show ---- */

static const struct command_help list_help = {
	.usage = "workload list [--json]",
	.about = "The ready-made plans, and the kinds of load that a plan may use."};

static void list_text(struct text *t)
{
	text_printf(t, "%-8s %9s %7s  %s\n", "plan", "minutes", "phases", "about");
	for (size_t i = 0; i < n_ready_plans; i++) {
		autofree struct plan *p = NULL;

		if (plan_open(ready_plans[i].name, &p, NULL) < 0)
			continue; /* a test reads them all */
		text_printf(t, "%-8s %9.1f %7zu  %s\n", p->name, plan_seconds(p) / 60, p->n_phases,
			    ready_plans[i].about);
	}
	text_printf(t, "\n%-14s %s\n", "kind of load", "what it does");
	for (size_t i = 0; i < n_load_kinds; i++)
		text_printf(t, "%-14s %s\n", load_kinds[i].name, load_kinds[i].about);
}

static void list_json(struct text *t)
{
	text_add(t, "{\"plans\":[");
	for (size_t i = 0; i < n_ready_plans; i++) {
		autofree struct plan *p = NULL;

		if (plan_open(ready_plans[i].name, &p, NULL) < 0)
			continue;
		text_printf(t, "%s{\"name\":\"%s\",\"about\":", i ? "," : "", ready_plans[i].name);
		text_json_string(t, ready_plans[i].about);
		text_add(t, ",\"seconds\":");
		text_json_number(t, plan_seconds(p));
		text_printf(t, ",\"phases\":%zu}", p->n_phases);
	}
	text_add(t, "],\"kinds\":[");
	for (size_t i = 0; i < n_load_kinds; i++) {
		text_printf(t, "%s{\"name\":\"%s\",\"about\":", i ? "," : "", load_kinds[i].name);
		text_json_string(t, load_kinds[i].about);
		text_add(t, "}");
	}
	text_add(t, "]}\n");
}

static int cmd_list(int argc, char **argv)
{
	static char name[] = "workload list";
	struct text t = {.s = NULL};
	bool json = false;
	const struct option_spec options[] = {{"json", NULL, OPTION_FLAG, &json, "print JSON"}};
	int r;

	argv[0] = name;
	r = cli_parse(argc, argv, &list_help, options, array_size(options), NULL);
	if (r >= 0)
		return r;
	if (json)
		list_json(&t);
	else
		list_text(&t);
	return cli_print(name, &t);
}

static const struct command_help show_help = {
	.usage = "workload show PLAN [--json]",
	.about = "A ready-made plan as the YAML that run reads: copy it, change it, run it.",
	.example = "  vmwatts workload show cpu > mine.yaml\n"
		   "  vmwatts workload run mine.yaml"};

static void show_json(const struct plan *p, struct text *t)
{
	text_add(t, "{\"name\":");
	text_json_string(t, p->name);
	text_add(t, ",\"phases\":[");
	for (size_t i = 0; i < p->n_phases; i++) {
		const struct phase *phase = &p->phases[i];

		text_printf(t, "%s{\"name\":\"%s\",\"seconds\":", i ? "," : "", phase->name);
		text_json_number(t, phase->duration_s);
		text_add(t, ",\"loads\":[");
		for (size_t k = 0; k < phase->n_loads; k++)
			text_printf(t, "%s\"%s\"", k ? "," : "", phase->loads[k].kind->name);
		text_add(t, "]}");
	}
	text_add(t, "]}\n");
}

static int cmd_show(int argc, char **argv)
{
	static char name[] = "workload show";
	autofree struct plan *p = NULL;
	struct string_list rest = {0};
	struct text t = {.s = NULL};
	struct err e = ERR_INIT;
	bool json = false;
	const struct option_spec options[] = {
		{"json", NULL, OPTION_FLAG, &json, "the names, lengths and loads as JSON"}};
	int r;

	argv[0] = name;
	r = cli_parse(argc, argv, &show_help, options, array_size(options), &rest);
	if (r >= 0)
		return r;
	if (rest.n != 1)
		err_set(&e, -ERR_USAGE, "one plan is needed; vmwatts workload list shows them");
	else if (!plan_ready_text(rest.items[0]))
		err_set(&e, -ENOENT, "no plan '%s'; vmwatts workload list shows them",
			rest.items[0]);
	else
		plan_open(rest.items[0], &p, &e);
	if (e.code)
		return cli_fail(name, &e);
	if (json)
		show_json(p, &t);
	else
		text_add(&t, plan_ready_text(rest.items[0]));
	return cli_print(name, &t);
}

/* ---- run ---- */

static const struct command_help run_help = {
	.usage = "workload run PLAN|FILE.yaml [options]",
	.about = "Runs the phases of a plan with stress-ng. Before each phase its name is written "
		 "to the\nlabel file, for a recorder to read; at the end the file is empty. Sizes "
		 "follow the memory\nthat is available; what would swap or fill the disk is "
		 "refused. Whatever ends it, also\nkill -9, nothing it started stays behind.",
	.example = "  vmwatts workload run quick\n"
		   "  vmwatts workload run full --scale 0.5 --label-file /run/phase"};

struct shown {
	const struct plan *plan;
	bool terminal, json;
	double begin_s;
	int percent;	  /* as shown last */
	struct text *out; /* JSON of the phases so far */
};

static double wall_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void note_phase(struct shown *s, const struct run_progress *p)
{
	text_printf(s->out, "%s{\"name\":\"%s\",\"begin_s\":", p->phase ? "," : "",
		    s->plan->phases[p->phase].name);
	text_json_number(s->out, s->begin_s);
	text_add(s->out, ",\"end_s\":");
	text_json_number(s->out, wall_s());
	text_add(s->out, "}");
}

static void show_progress(void *context, const struct run_progress *p)
{
	struct shown *s = context;
	const char *name = s->plan->phases[p->phase].name;
	char line[128];

	snprintf(line, sizeof(line), "phase %3zu/%zu %-32.32s", p->phase + 1, s->plan->n_phases,
		 name);
	if (p->moment == RUN_PHASE_BEGINS) {
		s->begin_s = wall_s();
		if (!s->terminal)
			fprintf(stderr, "phase %zu/%zu %s\n", p->phase + 1, s->plan->n_phases,
				name);
	}
	if (s->terminal && (p->moment == RUN_PHASE_BEGINS || (int)(100 * p->done) != s->percent))
		cli_progress(line, p->done);
	s->percent = (int)(100 * p->done);
	if (s->json && p->moment == RUN_PHASE_ENDS)
		note_phase(s, p);
}

struct arguments {
	const char *label_file, *directory;
	double scale;
	bool json;
};

/* The worker's part: the exit code. */
static int work(const struct plan *p, const struct arguments *a, const struct guard *g,
		struct scratch *scratch, struct err *e)
{
	struct text out = {.s = NULL};
	struct shown shown = {
		.plan = p, .terminal = isatty(STDERR_FILENO), .json = a->json, .out = &out};
	struct run_options o = {.scale = a->scale,
				.label_file = a->label_file,
				.scratch = scratch->path,
				.groups = g->groups,
				.progress = show_progress,
				.context = &shown};
	int r;

	text_printf(&out, "{\"plan\":\"%s\",\"phases\":[", p->name);
	r = run_plan(p, &o, e);
	scratch_remove(scratch);
	if (r < 0 && shown.terminal)
		fprintf(stderr, "\n");
	text_add(&out, "]}\n");
	if (r == 0 && a->json)
		return cli_print("workload run", &out);
	text_release(&out);
	return r < 0 ? cli_fail("workload run", e) : 0;
}

static int run_guarded(const struct plan *p, const struct arguments *a, struct err *e)
{
	struct scratch scratch = {.path = "", .fd = -1};
	struct guard g;
	int r = run_check(p, a->directory, e);

	if (r == 0)
		r = label_write(a->label_file, "", e);
	if (r == 0)
		r = scratch_make(&scratch, a->directory, e);
	if (r == 0)
		r = guard_split(&g, e);
	if (r == 1)
		return work(p, a, &g, &scratch, e);
	scratch_remove(&scratch);
	if (r < 0)
		return cli_fail("workload run", e);
	if (g.status >= 0)
		return g.status; /* the worker has said why */
	label_write(a->label_file, "", NULL);
	err_set(e, -EINTR, "the run was killed; nothing of it is left");
	return cli_fail("workload run", e);
}

static int check_arguments(const struct string_list *rest, const struct arguments *a, struct err *e)
{
	struct stat st;

	if (rest->n != 1)
		return err_set(e, -ERR_USAGE,
			       "one plan or file is needed; vmwatts workload list shows the plans");
	if (!(a->scale >= 0.001 && a->scale <= 1000))
		return err_set(e, -ERR_USAGE, "--scale takes 0.001 to 1000");
	if (stat(a->directory, &st) < 0)
		return err_errno(e, "--dir %s", a->directory);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, -ENOTDIR, "--dir %s is not a directory", a->directory);
	return 0;
}

static int action_run(int argc, char **argv)
{
	static char name[] = "workload run";
	struct arguments a = {
		.label_file = getenv("VMWATTS_LABEL_FILE"), .directory = DIRECTORY, .scale = 1};
	autofree struct plan *p = NULL;
	struct string_list rest = {0};
	struct err e = ERR_INIT;
	const struct option_spec options[] = {
		{"scale", "X", OPTION_DOUBLE, &a.scale, "stretch every phase (default 1)"},
		{"label-file", "F", OPTION_STRING, &a.label_file,
		 "where the name of the phase is written (default: VMWATTS_LABEL_FILE, else none)"},
		{"dir", "D", OPTION_STRING, &a.directory,
		 "where disk phases write, in a folder of their own (default " DIRECTORY ")"},
		{"json", NULL, OPTION_FLAG, &a.json, "print when each phase began and ended"},
	};
	int r;

	argv[0] = name;
	r = cli_parse(argc, argv, &run_help, options, array_size(options), &rest);
	if (r >= 0)
		return r;
	if (a.label_file && !*a.label_file)
		a.label_file = NULL;
	if (check_arguments(&rest, &a, &e) < 0 || plan_open(rest.items[0], &p, &e) < 0)
		return cli_fail(name, &e);
	return run_guarded(p, &a, &e);
}

static const struct command actions[] = {
	{"list", "the ready-made plans, and kinds of load", cmd_list, NULL},
	{"show", "a ready-made plan as YAML", cmd_show, NULL},
	{"run", "run a plan", action_run, NULL},
};

int cmd_workload(int argc, char **argv)
{
	return cli_main(argc, argv, "vmwatts workload", actions, array_size(actions));
}
