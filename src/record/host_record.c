// SPDX-License-Identifier: Apache-2.0
/* Recording a host's side: see host_record.h. */
#include "record/host_record.h"

#include <errno.h>
#include <math.h>
#include <sys/resource.h>
#include <unistd.h>

#define BACKOFF_MAX_NS 30000000000

static const char *const source_names[] = {"kepler", "prometheus", "rapl"};

struct host_pace host_pace(const struct host_options *o)
{
	int64_t now_ns = kernel_linux.monotonic_ns();

	return (struct host_pace){
		.step_ns = (int64_t)(o->interval_s * 1e9),
		.next_ns = now_ns,
		.end_ns = o->duration_s > 0 ? now_ns + (int64_t)(o->duration_s * 1e9) : INT64_MAX,
		.stop_fd = o->http.stop_fd};
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
			host_stop_wait(p->stop_fd, p->end_ns);
		return false;
	}
	return !host_stop_wait(p->stop_fd, p->next_ns);
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
	text_add(t, "}\n");
}

static void report(const struct host_run *run)
{
	double rows = (double)host_out_rows(run->out);

	host_progress_end(run->talk);
	host_say(run->talk, "%s: %.0f rows of %zu VMs in %.1f s, %.0f rows/s%s", run->o->out, rows,
		 host_out_vms(run->out), run->seconds, run->seconds > 0 ? rows / run->seconds : 0.0,
		 run->failures ? "; some reads failed" : "");
}

int host_record(const struct host_options *o, struct host_talk *talk, struct text *json,
		struct err *e)
{
	static int (*const sources[])(struct host_run *, struct err *) = {
		[HOST_KEPLER] = host_kepler_run,
		[HOST_PROMETHEUS] = host_prometheus_run,
		[HOST_RAPL] = host_rapl_run,
	};
	struct host_run run = {.o = o, .talk = talk};
	int64_t begin_ns = kernel_linux.monotonic_ns();
	bool there = access(o->out, F_OK) == 0;
	size_t cut = 0;
	int r = host_out_open(o->out, &run.out, &cut, e);

	if (r < 0)
		return r;
	if (cut)
		host_say(talk, "%s: %zu bytes of a broken-off row were cut off", o->out, cut);
	r = sources[o->source](&run, e);
	host_progress_end(talk);
	if (host_out_sync(run.out, r < 0 ? NULL : e) < 0 && r == 0)
		r = e->code;
	run.seconds = (double)(kernel_linux.monotonic_ns() - begin_ns) * 1e-9;
	if (r == 0 || host_out_rows(run.out))
		report(&run);
	if (r == 0 && json)
		report_json(&run, json);
	if (r < 0 && !there && !host_out_rows(run.out))
		unlink(o->out);
	host_out_close(run.out);
	return r;
}
