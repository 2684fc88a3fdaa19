// SPDX-License-Identifier: Apache-2.0
/* See stats.h. */
#include "serve/stats.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/listen.h"
#include "publish/patience.h"
#include "publish/prometheus.h"
#include "serve/methods.h"

#define CONNECTIONS_MAX 32
#define INACTIVE_S	10
#define BUCKET_FIRST_S	1e-6 /* and each twice and a half the one before */
#define BUCKET_FACTOR	2.5

struct stats_page {
	const struct stats *stats;
	struct models *models;
	struct MHD_Daemon *daemon;
	struct patience patience;
	char address[96];
};

void stats_message(struct stats *s, int64_t ns)
{
	double limit_ns = BUCKET_FIRST_S * 1e9;
	size_t i = 0;

	for (; i + 1 < STATS_BUCKETS && (double)ns > limit_ns; i++)
		limit_ns *= BUCKET_FACTOR;
	atomic_fetch_add_explicit(&s->buckets[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->handled_ns, (uint64_t)ns, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->messages, 1, memory_order_relaxed);
}

static void family(struct text *t, const char *name, const char *type, const char *help)
{
	text_printf(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void scalar(struct text *t, const char *name, const char *type, const char *help, double v)
{
	family(t, name, type, help);
	text_printf(t, "%s ", name);
	text_number(t, v);
	text_add(t, "\n");
}

static void render_calls(const struct stats *s, struct text *t)
{
	family(t, "vmwatts_serve_calls_total", "counter",
	       "Calls that ended, by method and status (numbers of gRPC; 0 is OK)");
	for (size_t m = 0; m < STATS_METHODS; m++) {
		for (size_t c = 0; c < STATS_CODES; c++) {
			uint64_t n = atomic_load_explicit(&s->calls[m][c], memory_order_relaxed);

			if (n)
				text_printf(t,
					    "vmwatts_serve_calls_total{method=\"%s\",code=\"%zu\"} "
					    "%llu\n",
					    method_label(m), c, (unsigned long long)n);
		}
	}
}

static void render_times(const struct stats *s, struct text *t)
{
	double limit_s = BUCKET_FIRST_S;
	uint64_t sum = 0;

	family(t, "vmwatts_serve_message_duration_seconds", "histogram",
	       "Time to answer one message, network excluded");
	for (size_t i = 0; i < STATS_BUCKETS; i++, limit_s *= BUCKET_FACTOR) {
		sum += atomic_load_explicit(&s->buckets[i], memory_order_relaxed);
		text_add(t, "vmwatts_serve_message_duration_seconds_bucket{le=\"");
		if (i + 1 < STATS_BUCKETS)
			text_number_digits(t, limit_s, 4);
		else
			text_add(t, "+Inf");
		text_printf(t, "\"} %llu\n", (unsigned long long)sum);
	}
	text_add(t, "vmwatts_serve_message_duration_seconds_sum ");
	text_number(t, (double)atomic_load(&s->handled_ns) * 1e-9);
	text_printf(t, "\nvmwatts_serve_message_duration_seconds_count %llu\n",
		    (unsigned long long)sum);
}

static void render_model(struct models *m, struct text *t)
{
	struct served *now = models_take(m);

	family(t, "vmwatts_serve_model_info", "gauge", "The bundle that is served");
	text_add(t, "vmwatts_serve_model_info{name=\"");
	text_label_value(t, now->set ? now->set->name : "prior");
	text_add(t, "\",version=\"");
	text_label_value(t, now->set ? now->set->version : prior_name(models_prior(m)));
	text_add(t, "\"} 1\n");
	scalar(t, "vmwatts_serve_model_loaded_timestamp_seconds", "gauge",
	       "When it was loaded, since the epoch", now->loaded_s);
	served_release(now);
}

static void render(const struct stats_page *p, struct text *t)
{
	const struct stats *s = p->stats;

	family(t, "vmwatts_build_info", "gauge",
	       "A metric with a constant '1' value labeled with version information");
	text_add(t, "vmwatts_build_info{version=\"" VMWATTS_VERSION "\"} 1\n");
	render_calls(s, t);
	render_times(s, t);
	scalar(t, "vmwatts_serve_rows_total", "counter", "Rows that were estimated",
	       (double)atomic_load(&s->rows));
	scalar(t, "vmwatts_serve_denied_total", "counter",
	       "Calls refused for a token that is missing, unknown, too often or not for this",
	       (double)atomic_load(&s->denied));
	scalar(t, "vmwatts_serve_streams", "gauge", "Streams that are open",
	       (double)atomic_load(&s->streams));
	scalar(t, "vmwatts_serve_reloads_total", "counter", "Bundles that were taken while serving",
	       (double)atomic_load(&s->reloads));
	scalar(t, "vmwatts_serve_reload_failures_total", "counter",
	       "Reloads that failed; what was served is still",
	       (double)atomic_load(&s->reload_failures));
	render_model(p->models, t);
	prometheus_render_process(t);
}

static enum MHD_Result answer(struct MHD_Connection *c, unsigned code, const char *type,
			      const char *body, size_t len)
{
	struct MHD_Response *r =
		MHD_create_response_from_buffer(len, (void *)body, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result done;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	done = MHD_queue_response(c, code, r);
	MHD_destroy_response(r);
	return done;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **context)
{
	autotext struct text t = {0};

	struct stats_page *p = cls;

	(void)version;
	(void)upload;
	if (!*context) {
		*context = p;
		patience_anew(&p->patience, c);
		return MHD_YES;
	}
	if (*upload_size) {
		*upload_size = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return answer(c, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", "GET only\n", 9);
	if (!strcmp(url, "/healthz"))
		return answer(c, MHD_HTTP_OK, "text/plain", "ok\n", 3);
	if (strcmp(url, "/metrics") != 0)
		return answer(c, MHD_HTTP_NOT_FOUND, "text/plain", "/metrics, /healthz\n", 19);
	render(p, &t);
	if (t.failed)
		return MHD_NO;
	return answer(c, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", t.s, t.len);
}

static void name_address(int fd, char *ret, size_t size)
{
	struct sockaddr_storage where;
	socklen_t len = sizeof(where);
	char host[64], port[16];

	if (getsockname(fd, (struct sockaddr *)&where, &len) < 0 ||
	    getnameinfo((struct sockaddr *)&where, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(ret, size, "unknown");
	else
		snprintf(ret, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

int stats_page_open(const char *listen, const struct stats *s, struct models *m,
		    struct stats_page **ret, struct err *e)
{
	struct stats_page *p = calloc(1, sizeof(*p));
	int fd = p ? listen_open(listen, CONNECTIONS_MAX, e) : err_nomem(e);

	if (fd < 0) {
		free(p);
		return fd;
	}
	p->stats = s;
	p->models = m;
	patience_init(&p->patience);
	name_address(fd, p->address, sizeof(p->address));
	p->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, p,
				     MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
				     (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
				     (unsigned)INACTIVE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				     (size_t)16384, MHD_OPTION_NOTIFY_CONNECTION,
				     patience_connection, &p->patience, MHD_OPTION_NOTIFY_COMPLETED,
				     patience_completed, &p->patience, MHD_OPTION_END);
	if (!p->daemon) {
		close(fd);
		free(p);
		return err_set(e, -EIO, "--metrics %s: the HTTP server does not start", listen);
	}
	*ret = p;
	return 0;
}

void stats_page_close(struct stats_page *p)
{
	if (!p)
		return;
	MHD_stop_daemon(p->daemon); /* closes the listening socket */
	free(p);
}

void stats_page_check(struct stats_page *p)
{
	if (p)
		patience_check(&p->patience);
}

const char *stats_page_address(const struct stats_page *p)
{
	return p->address;
}
