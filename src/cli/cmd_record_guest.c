// SPDX-License-Identifier: Apache-2.0
/* vmwatts record guest: this machine's raw counters into a trace. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "record/channel.h"
#include "record/guest.h"

#define INTERVAL_MIN_NS 100000000
#define INTERVAL_MAX_NS 3600000000000

static const struct command_help help = {
	.usage = "record guest --out T.vmt | --push CHANNEL [options] [-- COMMAND...]",
	.about = "Records this machine's raw counters, once an interval, into a trace that "
		 "survives\n"
		 "kill -9 and a full disk; an existing trace is gone on with. With a COMMAND it\n"
		 "records while that runs; the command finds the file for its phase labels in\n"
		 "VMWATTS_LABEL_FILE, as `vmwatts workload run` does. `vmwatts dataset import` "
		 "puts\n"
		 "it together with the host's recording. With --push it goes to `vmwatts record "
		 "host\n"
		 "--receive` as it is made, with or without a trace here: over TCP with TLS and a "
		 "token\n"
		 "(tcp://HOST:PORT), a virtio-serial port (virtio:NAME or its device), or vsock\n"
		 "(vsock://CID:PORT; unverified). Sampling never waits for the channel; what the "
		 "host\n"
		 "has not confirmed is kept in 1 MiB of memory and sent again.",
	.example = "  vmwatts record guest --out vm.vmt -- vmwatts workload run quick\n"
		   "  vmwatts record guest --out vm.vmt --interval 5s --duration 1h\n"
		   "  vmwatts record guest --push tcp://host:9103 --push-ca ca.pem \\\n"
		   "      --push-token-file web.token"};

static void show_progress(void *to, double seconds, size_t rows, const char *label)
{
	(void)to;
	fprintf(stderr, "\r%3.0f:%02.0f  %zu samples  %-24.24s", floor(seconds / 60),
		floor(fmod(seconds, 60)), rows, label);
}

static const char *misuse(const struct guest_options *o, const char *interval, const char *duration,
			  const char *max_size, struct guest_options *ret)
{
	*ret = *o;
	if (!o->out && !o->push.to)
		return "--out T.vmt or --push CHANNEL is needed";
	if (o->vm && !channel_vm_name(o->vm)) /* a trace with another one could not be read */
		return "--vm takes a name of 1 to 127 characters, no control ones";
	if (max_size && !o->out)
		return "--max-size is of --out";
	if (parse_duration_ns(interval, &ret->interval_ns) < 0 ||
	    ret->interval_ns < INTERVAL_MIN_NS || ret->interval_ns > INTERVAL_MAX_NS)
		return "--interval takes 100ms to 1h";
	if (duration &&
	    (parse_duration_ns(duration, &ret->duration_ns) < 0 || ret->duration_ns <= 0))
		return "--duration takes a time such as 10m";
	if (max_size && (parse_size(max_size, &ret->max_bytes) < 0 || !ret->max_bytes))
		return "--max-size takes bytes, such as 100M";
	return NULL;
}

/* As a shell would say it. */
static int exit_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int print_json(const char *command, const struct guest_options *o,
		      const struct guest_report *g)
{
	struct text t = {0};

	text_add(&t, "{\"file\":");
	if (o->out)
		text_json_string(&t, o->out);
	else
		text_add(&t, "null");
	text_printf(&t, ",\"samples\":%zu,\"labels\":%zu,\"streams\":%zu,\"late\":%zu", g->rows,
		    g->labels, g->streams, g->late);
	text_printf(&t,
		    ",\"bytes\":%llu,\"cut_bytes\":%zu,\"seconds\":", (unsigned long long)g->bytes,
		    g->cut_bytes);
	text_json_number(&t, g->seconds);
	if (o->push.to)
		text_printf(
			&t,
			",\"push\":{\"delivered\":%llu,\"dropped\":%llu,\"undelivered\":%llu,"
			"\"starts\":%llu}",
			(unsigned long long)g->push.delivered, (unsigned long long)g->push.dropped,
			(unsigned long long)g->push.waiting, (unsigned long long)g->push.starts);
	text_printf(&t, ",\"command_status\":%d}\n", exit_status(g->command_status));
	return cli_print(command, &t);
}

static void talk_push(const struct guest_options *o, const struct push_report *p)
{
	fprintf(stderr, "%s: %llu samples delivered", o->push.to, (unsigned long long)p->delivered);
	if (p->dropped)
		fprintf(stderr, "; %llu dropped, the queue was full",
			(unsigned long long)p->dropped);
	if (p->waiting)
		fprintf(stderr, "; %llu not confirmed at the end", (unsigned long long)p->waiting);
	fprintf(stderr, "\n");
}

static void talk(const struct guest_options *o, const struct guest_report *g)
{
	const char *name = o->out ? o->out : "recorded";

	if (g->cut_bytes)
		fprintf(stderr, "%s: %zu bytes of a broken-off frame were cut off\n", o->out,
			g->cut_bytes);
	fprintf(stderr, "%s: %zu samples over %.0f s, %zu labels, %llu bytes", name, g->rows,
		g->seconds, g->labels, (unsigned long long)g->bytes);
	if (g->late)
		fprintf(stderr, "; %zu samples came late", g->late);
	fprintf(stderr, "\n");
	if (o->push.to)
		talk_push(o, &g->push);
}

/* Rows that are nowhere: neither here nor, as far as it said, at the host. */
static int check_push(const struct guest_options *o, const struct guest_report *g, struct err *e)
{
	if (!o->push.to || o->out || g->push.delivered)
		return 0;
	return err_set(e, -ERR_DATA, "nothing was delivered to %s%s%s", o->push.to,
		       g->push.trouble[0] ? ": " : "", g->push.trouble);
}

static void say_push(void *user, const char *sentence)
{
	const struct guest_options *o = user;

	fprintf(stderr, "%s%s: %s\n", o->progress ? "\n" : "", o->push.to, sentence);
}

static int record(const char *command, const struct guest_options *o, bool json)
{
	struct guest_report report;
	struct err e = ERR_INIT;
	int r = record_guest(o, &report, &e);

	if (o->progress)
		fprintf(stderr, "\n");
	if (report.rows && !json)
		talk(o, &report);
	if (report.rows && json)
		print_json(command, o, &report);
	if (r == 0)
		r = check_push(o, &report, &e);
	if (r < 0)
		return cli_fail(command, &e);
	if (report.command_cut)
		fprintf(stderr, "%s was stopped: --duration is over\n", o->command[0]);
	if (report.command_cut || !report.command_status)
		return 0;
	err_set(&e, -ERR_DATA, "%s ended with status %d; the recording until then is kept",
		o->command[0], exit_status(report.command_status));
	return cli_fail(command, &e);
}

int cmd_record_guest(int argc, char **argv)
{
	struct guest_options o = {.out = NULL}, checked;
	const char *interval = "1s", *duration = NULL, *max_size = NULL, *why;
	struct string_list command = {0};
	struct err e = ERR_INIT;
	bool no_perf = false, json = false;
	const struct option_spec options[] = {
		{"out", "T.vmt", OPTION_STRING, &o.out, "the trace; gone on with where it exists"},
		{"interval", "T", OPTION_STRING, &interval, "between samples (default 1s)"},
		{"duration", "T", OPTION_STRING, &duration,
		 "stop after it, and COMMAND too (default: Ctrl-C)"},
		{"vm", "NAME", OPTION_STRING, &o.vm, "this VM's name (default: the host name)"},
		{"label-file", "F", OPTION_STRING, &o.label_file,
		 "file whose line says what is going on"},
		{"push", "CHANNEL", OPTION_STRING, &o.push.to, "send it to a host as it is made"},
		{"push-ca", "CA.pem", OPTION_STRING, &o.push.ca,
		 "who signed the host's certificate (default: the system's)"},
		{"push-token-file", "F", OPTION_STRING, &o.push.token_file,
		 "the token that `vmwatts record token` made for this VM"},
		{"max-size", "BYTES", OPTION_STRING, &max_size, "stop before the trace is larger"},
		{"no-perf", NULL, OPTION_FLAG, &no_perf, "leave perf events alone"},
		{"root", "DIR", OPTION_STRING, &o.root, "read DIR/proc and DIR/sys instead"},
		{"json", NULL, OPTION_FLAG, &json, "report as JSON"},
	};
	int r = cli_parse(argc, argv, &help, options, array_size(options), &command);

	if (r >= 0)
		return r;
	why = misuse(&o, interval, duration, max_size, &checked);
	if (why) {
		err_set(&e, -ERR_USAGE, "%s (see vmwatts %s --help)", why, argv[0]);
		return cli_fail(argv[0], &e);
	}
	checked.perf = !no_perf;
	checked.push.say = say_push;
	checked.push.user = &checked;
	/* A command has its own things to show. */
	checked.progress = isatty(STDERR_FILENO) && !command.n ? show_progress : NULL;
	if (command.n) {
		command.items[command.n] = NULL;
		checked.command = command.items;
	}
	return record(argv[0], &checked, json);
}
