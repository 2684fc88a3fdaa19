// SPDX-License-Identifier: Apache-2.0
/*
 * vmwatts run: the energy of one command, estimated in this process. The command
 * keeps stdin, stdout and the terminal; the text goes to stderr, as time(1) and
 * perf(1) do it, JSON and CSV to stdout.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/live.h"
#include "attribute/measure.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/run_rapl.h"
#include "cli/run_report.h"

#define INTERVAL_MIN_NS INT64_C(100000000)
#define INTERVAL_MAX_NS INT64_C(10000000000)
#define RUNS_MAX	10000

static const struct command_help help = {
	.usage = "run [-n N] [--json | --csv] [options] -- COMMAND...",
	.about = "Runs a command and says what it and its children cost: joules with a 90 % "
		 "interval, mean and\npeak watts per zone. Over each row the command's share of "
		 "the VM's busy CPU time is charged\nwith that share of its active watts. No "
		 "agent is needed: the bundle that the configuration\nnames answers, else the "
		 "built-in prior.\n"
		 "The command keeps stdin, stdout, the terminal and its signals. Its exit code is "
		 "passed on\n(128 + signal; 127 where it is not found; with -n the first that is "
		 "not 0). The text goes to\nstderr, JSON and CSV to stdout.\n"
		 "CPU time is counted by a cgroup (v2) of the command's own where one may be made, "
		 "else by\nrusage and /proc; which one it was is said.",
	.example = "  vmwatts run -- make -j4\n"
		   "  vmwatts run -n 10 --warm-up 1 --json --out energy.json -- ./benchmark"};

struct request {
	struct live_options live;
	struct measure_options measure;
	long long n, warm_ups;
	bool json, csv;
	const char *interval, *method, *out, *rows;
	FILE *out_file, *rows_file; /* NULL: not asked for */
	bool with_rapl;
	struct run_rapl rapl;
	size_t run; /* the one at work, from 1; 0: a warm-up */
};

/* ---- the VM's watts ---- */

static bool source_tick(void *live, double least_busy_s)
{
	return live_tick(live, least_busy_s);
}

static const struct row *source_row(void *live)
{
	return live_row(live);
}

static const struct estimate *source_estimate(void *live)
{
	return live_estimate(live);
}

/* ---- rows as CSV ---- */

static void add_cell(struct text *t, double v)
{
	text_add(t, ",");
	text_number_digits(t, v, 10);
}

static void write_row(const struct request *q, const struct energy_row *row,
		      const struct energy *so_far)
{
	double share = busy_share(row->cpu_s, row->busy_s);
	autotext struct text t = {.s = NULL};

	if (!q->run)
		return;
	text_printf(&t, "%zu", q->run);
	add_cell(&t, so_far->rows_s);
	add_cell(&t, row->dt_s);
	add_cell(&t, row->cpu_s);
	add_cell(&t, share);
	for (int z = 0; z < ZONE_RAPL_COUNT; z++) {
		const struct zone_estimate *zone = &row->estimate->zone[z];

		if (zone->valid)
			add_cell(&t, zone->active_w * share);
		else
			text_add(&t, ",");
	}
	if (!t.failed)
		fprintf(q->rows_file, "%s\n", t.s); /* checked when it is closed */
}

static void begin_rows(struct request *q)
{
	fprintf(q->rows_file, "run,time_s,seconds,cpu_seconds,share");
	for (int z = 0; z < ZONE_RAPL_COUNT; z++)
		fprintf(q->rows_file, ",%s_watts", zone_name((enum zone)z));
	fprintf(q->rows_file, "\n");
}

/* ---- files, opened before anything runs ---- */

static int open_file(const char *path, FILE **ret, struct err *e)
{
	if (!path)
		return 0;
	*ret = fopen(path, "we");
	return *ret ? 0 : err_errno(e, "%s", path);
}

static int open_files(struct request *q, struct err *e)
{
	int r = open_file(q->out, &q->out_file, e);

	if (r == 0)
		r = open_file(q->rows, &q->rows_file, e);
	if (r == 0 && q->rows_file)
		begin_rows(q);
	return r;
}

static void close_file(const char *path, FILE *f, struct err *e)
{
	bool failed;

	if (!f)
		return;
	failed = ferror(f);
	if ((fclose(f) || failed) && !e->code)
		err_errno(e, "cannot write %s", path);
}

static void close_files(struct request *q, struct err *e)
{
	close_file(q->out, q->out_file, e);
	close_file(q->rows, q->rows_file, e);
}

static void on_row(void *user, const struct energy_row *row, const struct energy *so_far)
{
	struct request *q = user;

	if (q->rows_file)
		write_row(q, row, so_far);
	if (q->with_rapl)
		run_rapl_add(&q->rapl, row);
}

/* ---- the runs ---- */

/* Returns how many of `runs` are filled; less than asked for where it was interrupted. */
static size_t measure_all(struct request *q, struct measure_result *runs, int *ret_code,
			  struct err *e)
{
	struct measure_result warm = {.exit_code = 0};
	size_t n = 0;

	*ret_code = 0;
	for (long long i = -q->warm_ups; i < q->n && !e->code; i++) {
		struct measure_result *to = i < 0 ? &warm : &runs[i];

		q->run = i < 0 ? 0 : (size_t)i + 1;
		if (measure_command(&q->measure, to, e) < 0) {
			*ret_code = to->exit_code;
			break;
		}
		n += i >= 0;
		if (!*ret_code)
			*ret_code = to->exit_code;
		if (to->interrupted)
			break;
	}
	return n;
}

static int print_report(const struct request *q, const struct run_report *report, struct err *e)
{
	FILE *out = q->out_file ? q->out_file : q->json || q->csv ? stdout : stderr;
	autotext struct text t = {.s = NULL};

	if (q->json)
		run_report_json(report, &t);
	else if (q->csv)
		run_report_csv(report, &t);
	else
		run_report_text(report, &t);
	if (t.failed)
		return err_nomem(e);
	if (fwrite(t.s, 1, t.len, out) != t.len || fflush(out) == EOF)
		return err_errno(e, "cannot write the report");
	return 0;
}

/* Returns the exit code, or 0 with `e` set where no command was run. */
static int run(struct request *q, struct err *e)
{
	autofree struct measure_result *runs = calloc((size_t)q->n, sizeof(*runs));
	struct run_report report = {.argv = q->measure.argv,
				    .runs = runs,
				    .warm_ups = (size_t)q->warm_ups,
				    .idle = q->live.idle,
				    .interval_s = (double)q->measure.interval_ns / 1e9};
	struct live *live = NULL;
	int code = 1, r;

	if (!runs) {
		err_nomem(e);
		return 0;
	}
	r = live_open(&q->live, &live, e);
	if (r < 0)
		return 0;
	q->measure.source = (struct measure_source){source_tick, source_row, source_estimate, live};
	q->measure.on_row = on_row;
	q->measure.user = q;
	if (q->with_rapl && run_rapl_open(&q->rapl, q->measure.interval_ns, e) == 0) {
		q->measure.enter = run_rapl_enter;
		q->measure.enter_user = &q->rapl;
		q->measure.live_rows = true;
	}
	if (!e->code)
		report.n = measure_all(q, runs, &code, e);
	run_rapl_close(&q->rapl);
	report.last = live_snapshot(live);
	if (!e->code && report.n)
		print_report(q, &report, e);
	live_close(live);
	return code;
}

/* What is wrong with the words, or NULL. */
static const char *misuse(struct request *q)
{
	int64_t *ns = &q->measure.interval_ns;

	if (!q->measure.argv)
		return "no command: put it behind --";
	if (q->json && q->csv)
		return "--json and --csv exclude each other";
	if (q->n < 1 || q->n > RUNS_MAX)
		return "-n takes 1 to 10000";
	if (q->warm_ups < 0 || q->warm_ups > RUNS_MAX)
		return "--warm-up takes 0 to 10000";
	if (!q->interval) /* the tree is one interval late */
		q->interval = q->with_rapl ? "100ms" : "250ms";
	if (parse_duration_ns(q->interval, ns) < 0 || *ns < INTERVAL_MIN_NS ||
	    *ns > INTERVAL_MAX_NS)
		return "--interval takes 100ms to 10s";
	q->measure.only = strcmp(q->method, "auto") != 0;
	q->measure.method = !strcmp(q->method, "rusage") ? CPUTIME_RUSAGE : CPUTIME_CGROUP;
	if (q->measure.only && strcmp(q->method, cputime_name(q->measure.method)) != 0)
		return "--accounting takes auto, cgroup or rusage";
	q->live.step_ns = *ns;
	return NULL;
}

int cmd_run(int argc, char **argv)
{
	struct request q = {.n = 1, .method = "auto"};
	struct config_flags *f = &q.live.agent.flags;
	struct string_list command = {0};
	struct err e = ERR_INIT;
	const char *why;
	const struct option_spec options[] = {
		{"n", "N", OPTION_INT, &q.n, "run it N times: mean and spread"},
		{"warm-up", "K", OPTION_INT, &q.warm_ups, "run it K times before, unmeasured"},
		{"idle", NULL, OPTION_FLAG, &q.live.idle,
		 "charge the VM's idle power during the run to it too"},
		{"json", NULL, OPTION_FLAG, &q.json, "the report as JSON, on stdout"},
		{"csv", NULL, OPTION_FLAG, &q.csv, "a line per run and zone, on stdout"},
		{"out", "F", OPTION_STRING, &q.out, "the report into F"},
		{"rows", "F.csv", OPTION_STRING, &q.rows,
		 "the command's watts, row by row, into F"},
		{"interval", "T", OPTION_STRING, &q.interval,
		 "between samples (default 250ms; with --rapl 100ms)"},
		{"rapl", NULL, OPTION_FLAG, &q.with_rapl,
		 "give the command its energy at /sys/class/powercap, for tools that read RAPL"},
		{"accounting", "HOW", OPTION_STRING, &q.method,
		 "cgroup, rusage or auto (cgroup where it can)"},
		{"config", "F", OPTION_STRING, &f->config,
		 "configuration (default " CONFIG_PATH_DEFAULT ", where it is there)"},
		{"vm-model-path", "DIR", OPTION_STRING, &f->vm_model_path,
		 "directory of installed bundles"},
		{"vm-energy-enabled", "BOOL", OPTION_STRING, &f->vm_energy_enabled,
		 "true: measure though the configuration says otherwise"},
		{"log-level", "L", OPTION_STRING, &f->log_level, "default warn"},
	};
	int r = cli_parse(argc, argv, &help, options, array_size(options), &command);
	int code = 1;

	if (r >= 0)
		return r;
	if (command.n) {
		command.items[command.n] = NULL; /* argv ends there anyway */
		q.measure.argv = command.items;
	}
	why = misuse(&q);
	if (why) {
		err_set(&e, -ERR_USAGE, "%s (see vmwatts %s --help)", why, argv[0]);
		return cli_fail(argv[0], &e);
	}
	if (open_files(&q, &e) == 0)
		code = run(&q, &e);
	close_files(&q, &e);
	if (!e.code)
		return code;
	r = cli_fail(argv[0], &e);
	return code ? code : r;
}
