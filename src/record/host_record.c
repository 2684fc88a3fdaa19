// SPDX-License-Identifier: Apache-2.0
/* Recording a host's side: see host_record.h. */
#include "record/host_record.h"

#include <errno.h>
#include <math.h>
#include <sys/resource.h>
#include <unistd.h>

#define BACKOFF_MAX_NS 30000000000

static const char *const source_names[] = {"kepler", "prometheus", "rapl", "none"};

struct host_pace host_pace(const struct host_options *o)
{
	int64_t now_ns = kernel_linux.monotonic_ns();

	return (struct host_pace){
		.step_ns = (int64_t)(o->interval_s * 1e9),
		.next_ns = now_ns,
		.end_ns = o->duration_s > 0 ? now_ns + (int64_t)(o->duration_s * 1e9) : INT64_MAX,
		.stop_fd = o->http.stop_fd,
		.beside = o->http.beside};
}

bool host_pace_wait(struct host_pace *p, unsigned failures)
{
	int64_t now_ns = kernel_linux.monotonic_ns(), pause_ns = p->step_ns;

	for (; failures > 1 && pause_ns < BACKOFF_MAX_NS; failures--)
		pause_ns *= 2;
	if (pause_ns > p->step_ns && pause_ns > BACKOFF_MAX_NS)
		pause_ns = BACKOFF_MAX_NS > p->step_ns ? BACKOFF_MAX_NS : p->step_ns;
	p->next_ns += pause_ns;
	/* Steps that were missed are not made up for. */
	while (p->next_ns < now_ns)
		p->next_ns += p->step_ns;
	if (p->next_ns > p->end_ns) {
		if (p->end_ns > now_ns)
			host_stop_wait(p->stop_fd, p->beside, p->end_ns);
		return false;
	}
	return !host_stop_wait(p->stop_fd, p->beside, p->next_ns);
}

void host_pace_show(const struct host_run *run, const struct host_pace *p)
{
	double left_s = (double)(p->end_ns - kernel_linux.monotonic_ns()) * 1e-9;
	size_t vms = host_out_vms(run->out);
	unsigned long long rows = host_out_rows(run->out);

	if (p->end_ns == INT64_MAX)
		host_progress(run->talk, "%llu rows of %zu VM%s; Ctrl-C ends", rows, vms,
			      vms == 1 ? "" : "s");
	else
		host_progress(run->talk, "%llu rows of %zu VM%s, %.0f s left", rows, vms,
			      vms == 1 ? "" : "s", fmax(left_s, 0));
}

static void report_json(const struct host_run *run, struct text *t)
{
	struct rusage usage = {0};
	double rows = (double)host_out_rows(run->out);

	getrusage(RUSAGE_SELF, &usage);
	text_add(t, "{\"out\":");
	text_json_string(t, run->o->out);
	text_printf(t, ",\"source\":\"%s\",\"rows\":%.0f,\"seconds\":%.3f,\"rows_per_second\":%.0f",
		    source_names[run->o->source], rows, run->seconds,
		    run->seconds > 0 ? rows / run->seconds : 0.0);
	text_printf(t, ",\"failed_reads\":%llu,\"peak_rss_kib\":%ld,",
		    (unsigned long long)run->failures, usage.ru_maxrss);
	host_out_json(run->out, t);
	if (run->receiver) {
		text_add(t, ",");
		receiver_json(run->receiver, t);
	}
	text_add(t, "}\n");
}

static void report(const struct host_run *run)
{
	double rows = (double)host_out_rows(run->out);

	host_progress_end(run->talk);
	if (run->o->source != HOST_NO_METER)
		host_say(run->talk, "%s: %.0f rows of %zu VMs in %.1f s, %.0f rows/s%s",
			 run->o->out, rows, host_out_vms(run->out), run->seconds,
			 run->seconds > 0 ? rows / run->seconds : 0.0,
			 run->failures ? "; some reads failed" : "");
	if (run->receiver)
		receiver_say(run->receiver);
}

int host_no_meter_run(struct host_run *run, struct err *e)
{
	struct host_pace pace = host_pace(run->o);

	(void)e;
	do
		host_progress(run->talk, "%llu rows pushed; Ctrl-C ends",
			      (unsigned long long)receiver_rows(run->receiver));
	while (host_pace_wait(&pace, 0));
	return 0;
}

static int serve_receiver(void *user)
{
	struct host_run *run = user;

	return run->receiver_err.code ? run->receiver_err.code
				      : receiver_serve(run->receiver, &run->receiver_err);
}

static int open_receiver(struct host_run *run, struct host_options *o, struct err *e)
{
	struct trace_writer *writer = host_out_writer(run->out);

	trace_writer_limit(writer, o->max_bytes);
	if (!o->receive.n)
		return 0;
	/* Guests may fill half, or all where no meter needs room. */
	o->receive.limits.disk_bytes =
		o->source == HOST_NO_METER ? o->max_bytes : (o->max_bytes + 1) / 2;
	if (receiver_open(&o->receive, writer, o->out, run->talk, &run->receiver, e) < 0)
		return e->code;
	run->beside = (struct host_beside){
		.fd = receiver_fd(run->receiver), .serve = serve_receiver, .user = run};
	o->http.beside = &run->beside;
	return 0;
}

static int run_source(struct host_run *run, struct err *e)
{
	static int (*const sources[])(struct host_run *, struct err *) = {
		[HOST_KEPLER] = host_kepler_run,
		[HOST_PROMETHEUS] = host_prometheus_run,
		[HOST_RAPL] = host_rapl_run,
		[HOST_NO_METER] = host_no_meter_run,
	};
	int r = sources[run->o->source](run, e);

	host_progress_end(run->talk);
	if (r == 0 && run->receiver_err.code)
		r = err_set(e, run->receiver_err.code, "%s", run->receiver_err.msg);
	if (host_out_sync(run->out, r < 0 ? NULL : e) < 0 && r == 0)
		r = e->code;
	return r;
}

/* Rows of either side. */
static bool has_rows(const struct host_run *run)
{
	return host_out_rows(run->out) || (run->receiver && receiver_rows(run->receiver));
}

int host_record(const struct host_options *options, struct host_talk *talk, struct text *json,
		struct err *e)
{
	struct host_options o = *options;
	struct host_run run = {.o = &o, .talk = talk};
	int64_t begin_ns = kernel_linux.monotonic_ns();
	bool there = access(o.out, F_OK) == 0;
	size_t cut = 0;
	int r = host_out_open(o.out, &run.out, &cut, e);

	if (r < 0)
		return r;
	if (cut)
		host_say(talk, "%s: %zu bytes of a broken-off row were cut off", o.out, cut);
	r = open_receiver(&run, &o, e);
	if (r == 0)
		r = run_source(&run, e);
	run.seconds = (double)(kernel_linux.monotonic_ns() - begin_ns) * 1e-9;
	if (r == 0 || has_rows(&run))
		report(&run);
	if (r == 0 && json)
		report_json(&run, json);
	if (r < 0 && !there && !has_rows(&run))
		unlink(o.out);
	receiver_close(run.receiver);
	host_out_close(run.out);
	return r;
}
