// SPDX-License-Identifier: Apache-2.0
/* vmwatts top: the VM's watts and whose they are, live. In an executable of its own (ncurses). */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/kernel.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/top_view.h"

#define INTERVAL_MIN_NS INT64_C(200000000)
#define INTERVAL_MAX_NS INT64_C(60000000000)
#define NS_PER_S	1000000000

static const struct command_help help = {
	.usage = "top [--interval T] [--batch | --json] [-n N] [options]",
	.about = "Watts of this VM per zone with interval and history, and the processes and "
		 "cgroups that they go\nto: active watts of the package zone by share of busy CPU "
		 "time, of a process with its children\nthat ended. Idle watts are nobody's; what "
		 "no "
		 "process explains (interrupts, what is hidden from\nus) is unattributed; together "
		 "they are the VM's total. No agent is needed, and nothing of it\nleaves the "
		 "screen.\n"
		 "Keys: q quits, p sorts by watts, c by joules (cumulative), space pauses, h "
		 "helps.\n"
		 "Where the terminal cannot be drawn on, the output is --batch. NO_COLOR is "
		 "honoured.",
	.example = "  vmwatts top\n"
		   "  vmwatts top --json -n 1 | jq '.processes[:5]'"};

int64_t top_now_ns(void)
{
	return kernel_linux.monotonic_ns();
}

static void sleep_until(int64_t due_ns)
{
	const struct timespec t = {due_ns / NS_PER_S, due_ns % NS_PER_S};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static int print_interval(const struct top *t, bool json, struct err *e)
{
	autotext struct text out = {.s = NULL};

	if (json)
		top_json(t, &out);
	else
		top_text(t, &out);
	if (out.failed)
		return err_nomem(e);
	if (fwrite(out.s, 1, out.len, stdout) != out.len || fflush(stdout) == EOF)
		return err_errno(e, "cannot write the watts");
	return 0;
}

static int batch(struct top *t, const struct top_options *o, struct err *e)
{
	int64_t step_ns = (int64_t)(o->interval_s * NS_PER_S), due_ns = top_now_ns();
	int r = 0;

	for (long long i = 0; r >= 0 && i < o->n;) {
		due_ns += step_ns;
		if (due_ns < top_now_ns())
			due_ns = top_now_ns() + step_ns;
		sleep_until(due_ns);
		r = top_step(t, e);
		if (r == 1) {
			r = print_interval(t, o->json, e);
			i++;
		}
	}
	return r;
}

static int show(const struct live_options *live, enum top_sort sort, const struct top_options *o,
		struct err *e)
{
	struct top t;
	int r = top_open(&t, live, e);

	t.sort = sort;
	if (r == 0 && !o->batch) {
		r = top_screen(&t, o, e);
		if (r == -ENOTTY) {
			*e = (struct err)ERR_INIT;
			r = batch(&t, o, e);
		}
	} else if (r == 0) {
		r = batch(&t, o, e);
	}
	top_close(&t);
	return r;
}

int cmd_top(int argc, char **argv)
{
	struct live_options live = {.idle = false};
	struct config_flags *f = &live.agent.flags;
	struct top_options o = {.n = LLONG_MAX};
	const char *interval = "1s", *sort = "watts";
	struct err e = ERR_INIT;
	const struct option_spec options[] = {
		{"interval", "T", OPTION_STRING, &interval, "200ms to 1m (default 1s)"},
		{"batch", NULL, OPTION_FLAG, &o.batch, "plain text, one block after the other"},
		{"json", NULL, OPTION_FLAG, &o.json, "one object a line"},
		{"n", "N", OPTION_INT, &o.n, "leave after N intervals"},
		{"sort", "BY", OPTION_STRING, &sort, "watts or joules"},
		{"idle", NULL, OPTION_FLAG, &live.idle, "estimate the VM's idle power too"},
		{"config", "F", OPTION_STRING, &f->config,
		 "configuration (default " CONFIG_PATH_DEFAULT ", where it is there)"},
		{"vm-model-path", "DIR", OPTION_STRING, &f->vm_model_path,
		 "directory of installed bundles"},
		{"vm-energy-enabled", "BOOL", OPTION_STRING, &f->vm_energy_enabled,
		 "true: estimate though the configuration says otherwise"},
		{"log-level", "L", OPTION_STRING, &f->log_level, "default warn"},
	};
	int r = cli_parse(argc, argv, &help, options, array_size(options), NULL);

	if (r >= 0)
		return r;
	if (parse_duration_ns(interval, &live.step_ns) < 0 || live.step_ns < INTERVAL_MIN_NS ||
	    live.step_ns > INTERVAL_MAX_NS)
		err_set(&e, -ERR_USAGE, "--interval takes 200ms to 1m, not '%s'", interval);
	else if (o.batch && o.json)
		err_set(&e, -ERR_USAGE, "--batch and --json exclude each other");
	else if (o.n < 1)
		err_set(&e, -ERR_USAGE, "-n takes 1 or more (default: until it is ended)");
	else if (strcmp(sort, "watts") != 0 && strcmp(sort, "joules") != 0)
		err_set(&e, -ERR_USAGE, "--sort takes watts or joules, not '%s'", sort);
	if (e.code)
		return cli_fail(argv[0], &e);
	o.interval_s = (double)live.step_ns / 1e9;
	o.batch |= o.json;
	show(&live, !strcmp(sort, "watts") ? TOP_BY_WATTS : TOP_BY_JOULES, &o, &e);
	return e.code ? cli_fail(argv[0], &e) : 0;
}
