// SPDX-License-Identifier: Apache-2.0
/* vmwatts record host: the power a host gives to its VMs, into a trace. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "record/host_record.h"
#include "record/qemu.h"

#define KEPLER_MIB 32 /* of a page: some 50,000 processes */
#define STORE_MIB  24 /* of an answer; some ten times as much while it is read */

struct arguments {
	struct host_options o;
	struct string_list vms, receive;
	const char *max_size;
	const char *source, *interval, *duration, *from, *to, *step, *chunk, *weight;
	double timeout_s;
	long long parallel;
	bool all, list, json;
};

static const struct command_help help = {
	.usage = "record host --source kepler|prometheus|rapl --vm NAME... --out HOST.vmt "
		 "[options]",
	.about = "Records the power that a host's meter gives to each VM, as the label that a "
		 "model\n"
		 "is trained on, into a trace; an existing one is gone on with. Three meters:\n"
		 "Kepler's own page (kepler), read every second although Kepler refreshes every 5 "
		 "s\n"
		 "or so, so that its pace can be seen; the history in Prometheus or a store with "
		 "its\n"
		 "HTTP API (prometheus), VMs in groups, time in chunks, going on where an earlier\n"
		 "run ended; and this host's own RAPL counters, shared out by CPU time with "
		 "Kepler's\n"
		 "formula (rapl, as root). A VM is named by name, uuid or pid. Ctrl-C ends "
		 "cleanly.\n"
		 "With --receive it takes in what guests push (`vmwatts record guest --push`), so "
		 "that\n"
		 "one file holds both sides: over TCP with TLS and a token a VM "
		 "(tcp://ADDRESS:PORT),\n"
		 "from QEMU's socket of a virtio-serial port (virtio:VM=SOCKET), or over vsock\n"
		 "(vsock://PORT; unverified). --receive without --vm, --all and --source takes in\n"
		 "what is pushed, and no meter.",
	.example =
		"  vmwatts record host --list\n"
		"  vmwatts record host --vm web --out web.vmt\n"
		"  vmwatts record host --source rapl --all --duration 30m --out host.vmt\n"
		"  vmwatts record host --source prometheus --url http://prometheus:9090 \\\n"
		"      --all --from -24h --out fleet.vmt\n"
		"  vmwatts record host --vm web --out web.vmt --receive virtio:web=/run/web.sock"};

/* "-24h", "-7d", "now", seconds since the epoch, or 2026-01-02T03:04:05[.5](Z|+01:00). */
static bool parse_when(const char *s, int64_t now_ns, int64_t *ret_ns)
{
	struct tm tm = {0};
	double seconds = 0, days;
	int64_t offset_ns;
	size_t n = strlen(s);
	const char *rest;
	char sign;
	int hours, minutes, used = 0;

	if (!strcmp(s, "now") || (*s == '-' && parse_duration_ns(s, &offset_ns) == 0)) {
		*ret_ns = now_ns + (*s == '-' ? offset_ns : 0);
		return true;
	}
	if (*s == '-' && n > 2 && s[n - 1] == 'd' && parse_double_n(s, n - 1, &days) == 0) {
		*ret_ns = now_ns + (int64_t)(days * 86400e9);
		return true;
	}
	if (parse_double(s, &seconds) == 0 && seconds >= 0 && seconds < 9e9) {
		*ret_ns = llround(seconds * 1000) * 1000000;
		return true;
	}
	rest = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!rest)
		return false;
	n = *rest == '.' ? 1 + strspn(rest + 1, "0123456789") : 0;
	if (n && parse_double_n(rest, n, &seconds) < 0)
		return false;
	rest += n;
	if (strcmp(rest, "Z") != 0) {
		if (sscanf(rest, "%c%2d:%2d%n", &sign, &hours, &minutes, &used) != 3 ||
		    rest[used] || (sign != '+' && sign != '-'))
			return false;
		seconds -= (sign == '-' ? -60 : 60) * (hours * 60 + minutes);
	}
	*ret_ns = timegm(&tm) * 1000000000ll + llround(seconds * 1000) * 1000000;
	return true;
}

/* A duration option in seconds within [least, most]; `text` NULL leaves *ret. */
static bool take_duration(const char *name, const char *text, double least, double most,
			  double *ret, struct err *e)
{
	int64_t ns;

	if (!text)
		return true;
	if (parse_duration_ns(text, &ns) < 0 || (double)ns < least * 1e9 ||
	    (double)ns > most * 1e9) {
		err_set(e, -ERR_USAGE,
			"--%s takes a duration such as 5s or 10m, %g s to %g h, not "
			"'%.40s'",
			name, least, most / 3600, text);
		return false;
	}
	*ret = (double)ns * 1e-9;
	return true;
}

static int take_times(struct arguments *a, struct err *e)
{
	struct host_options *o = &a->o;
	int64_t now_ns = kernel_linux.realtime_ns();

	if (!take_duration("interval", a->interval, 0.1, 3600, &o->interval_s, e) ||
	    !take_duration("duration", a->duration, 0.1, 365 * 86400.0, &o->duration_s, e) ||
	    !take_duration("step", a->step, 0.1, 86400, &o->step_s, e) ||
	    !take_duration("chunk", a->chunk, 1, 7 * 86400.0, &o->chunk_s, e))
		return e->code;
	if (!parse_when(a->from, now_ns, &o->from_ns) || !parse_when(a->to, now_ns, &o->to_ns))
		return err_set(e, -ERR_USAGE,
			       "--from and --to take -24h, -7d, now, seconds since the epoch, or "
			       "2026-01-02T03:04:05Z");
	if (o->source == HOST_PROMETHEUS && o->from_ns >= o->to_ns)
		return err_set(e, -ERR_USAGE, "--from is not before --to");
	return 0;
}

/* Which meter, and where it is. */
static int take_source(struct arguments *a, struct err *e)
{
	static const char *const names[] = {"kepler", "prometheus", "rapl"};
	static const char *const urls[] = {"http://localhost:28282/metrics", NULL, NULL};
	const char *name = a->source ? a->source : names[HOST_KEPLER];
	struct host_options *o = &a->o;
	size_t i = 0;

	if (!a->source && a->receive.n && !a->all && !a->vms.n) {
		o->source = HOST_NO_METER;
		return 0;
	}
	while (i < array_size(names) && strcmp(name, names[i]) != 0)
		i++;
	if (i == array_size(names))
		return err_set(e, -ERR_USAGE, "--source takes kepler, prometheus or rapl");
	o->source = (enum host_source)i;
	if (!o->url)
		o->url = urls[i];
	if (i == HOST_RAPL)
		return 0;
	if (!o->url)
		return err_set(e, -ERR_USAGE, "--url is needed, such as http://prometheus:9090");
	return host_http_check_url(o->url, e);
}

/* What guests may push, and how much there may be of it. */
static int take_receive(struct arguments *a, struct err *e)
{
	struct receive_options *r = &a->o.receive;

	if (a->max_size && (parse_size(a->max_size, &a->o.max_bytes) < 0 || !a->o.max_bytes))
		return err_set(e, -ERR_USAGE, "--max-size takes bytes, such as 100M");
	r->addresses = (const char *const *)a->receive.items;
	r->n = a->receive.n;
	r->limits = receive_limits_default;
	if (!r->n && (r->cert || r->key || r->tokens))
		return err_set(e, -ERR_USAGE, "--cert, --key and --tokens are for --receive");
	return receive_check(r, e);
}

static int take_rest(struct arguments *a, struct err *e)
{
	struct host_options *o = &a->o;

	if (o->source != HOST_NO_METER && !a->all && !a->vms.n)
		return err_set(e, -ERR_USAGE,
			       "--vm NAME or --all is needed; --list shows QEMU's "
			       "processes here");
	if (a->all && a->vms.n)
		return err_set(e, -ERR_USAGE, "--vm and --all exclude each other");
	if (!o->out)
		return err_set(e, -ERR_USAGE, "--out HOST.vmt is needed");
	if (a->parallel < 1 || a->parallel > HOST_PARALLEL_MAX)
		return err_set(e, -ERR_USAGE, "--parallel takes 1 to %d", HOST_PARALLEL_MAX);
	if (!(a->timeout_s >= 0.1 && a->timeout_s <= 3600))
		return err_set(e, -ERR_USAGE, "--timeout takes 0.1 to 3600 seconds");
	if (strcmp(a->weight, "time") != 0 && strcmp(a->weight, "perf") != 0)
		return err_set(e, -ERR_USAGE, "--weight takes time or perf");
	if (o->http.user_file && o->http.token_file)
		return err_set(e, -ERR_USAGE, "--user-file and --token-file exclude each other");
	o->weight = strcmp(a->weight, "perf") ? HOST_WEIGHT_TIME : HOST_WEIGHT_PERF;
	o->parallel = (unsigned)a->parallel;
	o->http.timeout_s = a->timeout_s;
	o->http.max_bytes = (size_t)(o->source == HOST_KEPLER ? KEPLER_MIB : STORE_MIB) << 20;
	o->choice = (struct host_choice){.all = a->all, .words = a->vms.items, .n = a->vms.n};
	return 0;
}

static void list_json(const struct qemu *q, size_t n, struct text *t)
{
	text_add(t, "[");
	for (size_t i = 0; i < n; i++) {
		text_printf(t, "%s{\"pid\":%d,\"name\":", i ? "," : "", q[i].pid);
		text_json_string(t, q[i].name);
		text_add(t, ",\"uuid\":");
		text_json_string(t, q[i].uuid);
		text_printf(t, ",\"manager\":\"%s\",\"threads\":%u,\"in_container\":%s}",
			    q[i].manager, q[i].threads, q[i].in_container ? "true" : "false");
	}
	text_add(t, "]\n");
}

static int list(const char *command, const char *root_path, bool json)
{
	autofree struct qemu *q = NULL;
	struct err e = ERR_INIT;
	struct text t = {0};
	struct root root;
	size_t n = 0;

	if (root_init(&root, root_path, &e) < 0 || qemu_find(&root, &q, &n, &e) < 0)
		return cli_fail(command, &e);
	if (json)
		list_json(q, n, &t);
	else if (!n)
		fprintf(stderr,
			"vmwatts %s: no QEMU process here; start the VM first, or run this "
			"on its host\n",
			command);
	else
		text_printf(&t, "%-8s %-24s %-36s  %-9s %s\n", "pid", "name", "uuid", "manager",
			    "threads");
	for (size_t i = 0; !json && i < n; i++)
		text_printf(&t, "%-8d %-24s %-36s  %-9s %u%s\n", q[i].pid, q[i].name, q[i].uuid,
			    q[i].manager, q[i].threads,
			    q[i].in_container ? ", in a container" : "");
	return t.s ? cli_print(command, &t) : 0;
}

static int record(const char *command, struct arguments *a)
{
	struct host_talk talk = host_talk(stderr);
	autofd int stop_fd = host_stop_open();
	struct err e = ERR_INIT;
	struct text json = {0};

	a->o.http.stop_fd = stop_fd;
	if (a->o.http.insecure)
		host_say(&talk, "--insecure: whoever answers is believed, and gets the password");
	if (host_record(&a->o, &talk, a->json ? &json : NULL, &e) < 0) {
		text_release(&json);
		return cli_fail(command, &e);
	}
	return a->json ? cli_print(command, &json) : 0;
}

int cmd_record_host(int argc, char **argv)
{
	struct arguments a = {.from = "-24h",
			      .to = "now",
			      .weight = "time",
			      .timeout_s = 30,
			      .parallel = 4,
			      .o = {.interval_s = 1, .kernel = &kernel_linux}};
	struct host_http_options *http = &a.o.http;
	struct err e = ERR_INIT;
	const struct option_spec options[] = {
		{"source", "S", OPTION_STRING, &a.source, "kepler (default), prometheus or rapl"},
		{"url", "U", OPTION_STRING, &a.o.url,
		 "Kepler's page (default http://localhost:28282/metrics), or the store"},
		{"vm", "NAME...", OPTION_LIST, &a.vms, "VMs, by name, uuid or pid"},
		{"all", NULL, OPTION_FLAG, &a.all, "every VM there is"},
		{"out", "HOST.vmt", OPTION_STRING, &a.o.out, "the trace; gone on with if there"},
		{"interval", "T", OPTION_STRING, &a.interval, "between two reads (default 1s)"},
		{"duration", "T", OPTION_STRING, &a.duration, "end after it (default: at Ctrl-C)"},
		{"from", "WHEN", OPTION_STRING, &a.from, "of a store's history (default -24h)"},
		{"to", "WHEN", OPTION_STRING, &a.to, "(default now)"},
		{"step", "T", OPTION_STRING, &a.step,
		 "a grid of query_range (default: the samples as stored, with their times)"},
		{"chunk", "T", OPTION_STRING, &a.chunk,
		 "time asked for at once (default: by size)"},
		{"parallel", "N", OPTION_INT, &a.parallel, "requests to a store at once (4)"},
		{"match", "M", OPTION_STRING, &a.o.match,
		 "more matchers, such as 'job=\"kepler\"'"},
		{"weight", "W", OPTION_STRING, &a.weight,
		 "shares of rapl: time (default), or perf: by cycles; unverified"},
		{"root", "DIR", OPTION_STRING, &a.o.root, "read DIR/proc and DIR/sys instead"},
		{"cacert", "F", OPTION_STRING, &http->cacert,
		 "who signed the server's certificate"},
		{"insecure", NULL, OPTION_FLAG, &http->insecure, "take any certificate"},
		{"user-file", "F", OPTION_STRING, &http->user_file, "a file with user:password"},
		{"token-file", "F", OPTION_STRING, &http->token_file, "a file with a bearer token"},
		{"tenant", "ID", OPTION_STRING, &http->tenant, "X-Scope-OrgID, for Mimir"},
		{"timeout", "S", OPTION_DOUBLE, &a.timeout_s, "for one answer (default 30)"},
		{"receive", "CHANNEL...", OPTION_LIST, &a.receive, "take in what guests push"},
		{"cert", "F", OPTION_STRING, &a.o.receive.cert, "our certificate, for tcp://"},
		{"key", "F", OPTION_STRING, &a.o.receive.key, "and its key"},
		{"tokens", "F", OPTION_STRING, &a.o.receive.tokens,
		 "who may push; `vmwatts record token` adds to it"},
		{"max-size", "BYTES", OPTION_STRING, &a.max_size,
		 "stop before the trace is larger; guests share half of it"},
		{"list", NULL, OPTION_FLAG, &a.list, "print this host's QEMU processes, and leave"},
		{"json", NULL, OPTION_FLAG, &a.json, "a summary, or the list, as JSON"},
	};
	int r = cli_parse(argc, argv, &help, options, array_size(options), NULL);

	if (r >= 0)
		return r;
	if (a.list)
		return list(argv[0], a.o.root, a.json);
	if (take_source(&a, &e) < 0 || take_times(&a, &e) < 0 || take_rest(&a, &e) < 0 ||
	    take_receive(&a, &e) < 0)
		return cli_fail(argv[0], &e);
	return record(argv[0], &a);
}
