// SPDX-License-Identifier: Apache-2.0
/* publish: a snapshot as Prometheus text and JSON, and the server in front of both. */
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "publish/http.h"
#include "publish/json.h"
#include "publish/prometheus.h"
#include "sets.h"

static struct identity identity;
static struct row row;
static struct snapshot shot;
static struct model_set *set;

static int some_snapshot(void **state)
{
	(void)state;
	set = some_set();
	identity = (struct identity){.n_cpus = 1, .n_info = 1, .cpus = {{0, 0, 0}}};
	strcpy(identity.vendor, "GenuineIntel");
	strcpy(identity.model_name, "Intel \"X\" \\ 1");
	row_clear(&row);
	row.t_s = 1700000000.5;
	row.v[FEATURE_CPU_UTILIZATION] = 0.25;
	shot = (struct snapshot){.node_name = "n\"1",
				 .identity = &identity,
				 .enabled = true,
				 .ready = true,
				 .t_s = row.t_s,
				 .row = &row,
				 .set = set,
				 .model_version = set->version,
				 .usage_ratio = 0.3,
				 .state_kept = true};
	shot.source_errors[SOURCE_PERF] = 2;
	shot.source_duration_s[SOURCE_STAT] = 0.000025;
	shot.zone[ZONE_PACKAGE] = (struct zone_snapshot){.valid = true,
							 .active_w = 10.5,
							 .idle_w = 2,
							 .low_w = 9,
							 .high_w = 16,
							 .active_j = 100,
							 .idle_j = 20.25,
							 .confidence = 0.8,
							 .provenance = PROVENANCE_TRAINED,
							 .definition = "",
							 .model = set->zones[ZONE_PACKAGE].models};
	shot.zone[ZONE_UNCORE] = (struct zone_snapshot){.valid = true,
							.active_w = 1,
							.high_w = 3,
							.confidence = 0.5,
							.provenance = PROVENANCE_PRIOR,
							.fallback = FALLBACK_NO_MODEL,
							.definition = "package_minus_core"};
	shot.zone[ZONE_DRAM].active_j = 7; /* not estimated now, but was */
	return 0;
}

static int no_snapshot(void **state)
{
	(void)state;
	model_set_free(set);
	return 0;
}

static void lines_are_keplers_and_the_proposals(void **state)
{
	static const char *const lines[] = {
		"kepler_node_cpu_watts{node_name=\"n\\\"1\",zone=\"package\",path=\"vmwatts/"
		"package\"} 12.5\n",
		"kepler_node_cpu_active_watts{node_name=\"n\\\"1\",zone=\"package\",path=\"vmwatts/"
		"package\"} 10.5\n",
		"kepler_node_cpu_idle_watts{node_name=\"n\\\"1\",zone=\"package\",path=\"vmwatts/"
		"package\"} 2\n",
		"kepler_node_cpu_joules_total{node_name=\"n\\\"1\",zone=\"package\",path=\"vmwatts/"
		"package\"} 120.25\n",
		"kepler_node_cpu_active_joules_total{node_name=\"n\\\"1\",zone=\"package\",path="
		"\"vmwatts/package\"} 100\n",
		"kepler_node_cpu_idle_joules_total{node_name=\"n\\\"1\",zone=\"package\",path="
		"\"vmwatts/package\"} 20.25\n",
		"kepler_node_cpu_joules_total{node_name=\"n\\\"1\",zone=\"dram\",path=\"vmwatts/"
		"dram\"} 7\n",
		"kepler_node_cpu_usage_ratio{node_name=\"n\\\"1\"} 0.3\n",
		"kepler_node_cpu_info{processor=\"0\",vendor_id=\"GenuineIntel\",model_name="
		"\"Intel \\\"X\\\" \\\\ 1\",physical_id=\"0\",core_id=\"0\"} 1\n",
		"\",branch=\"\",revision=\"\",version=\"vmwatts-" VMWATTS_VERSION "\"} 1\n",
		"kepler_build_info{arch=\"",
		"kepler_vm_cpu_watts_low{zone=\"package\"} 9\n",
		"kepler_vm_cpu_watts_high{zone=\"package\"} 16\n",
		"kepler_vm_model_confidence_score{zone=\"package\"} 0.8\n",
		"kepler_vm_model_version{zone=\"package\",version=\"1.2.3\"} 1\n",
		"kepler_vm_model_version{zone=\"uncore\",version=\"prior\"} 1\n",
		"kepler_vm_zone_provenance{zone=\"package\",provenance=\"trained\",definition=\"\"}"
		" 1\n",
		"kepler_vm_zone_provenance{zone=\"uncore\",provenance=\"prior\",definition="
		"\"package_minus_core\"} 1\n",
		"kepler_vm_training_data_points_total{zone=\"package\"} 100\n",
		"kepler_vm_model_accuracy_mae{zone=\"package\"} 0.5\n",
		"kepler_vm_last_training_timestamp{zone=\"package\"} 1700000000\n",
		"kepler_vm_feature_collection_errors_total{feature=\"cycles_rate\"} 2\n",
		"kepler_vm_feature_collection_errors_total{feature=\"cpu_utilization\"} 0\n",
		"kepler_vm_feature_collection_duration_seconds{feature=\"perf_counters\"} 0\n",
		"kepler_vm_feature_collection_duration_seconds{feature=\"stat\"} 2.5e-05\n",
		"kepler_vm_feature_tier{tier=\"os\"} 1\n",
		"kepler_vm_power_scope{scope=\"vm_active\"} 1\n",
		"kepler_vm_out_of_distribution_ratio 0\n",
		"vmwatts_state_kept 1\n",
		"# TYPE kepler_vm_training_data_points_total counter\n",
		"# TYPE kepler_vm_feature_collection_errors_total counter\n",
	};
	struct text t = {.s = NULL};

	(void)state;
	prometheus_render(&shot, &t);
	for (size_t i = 0; i < array_size(lines); i++) {
		if (!strstr(t.s, lines[i]))
			print_error("missing: %s", lines[i]);
		assert_non_null(strstr(t.s, lines[i]));
	}
	assert_null(strstr(t.s, "kepler_node_cpu_watts{node_name=\"n\\\"1\",zone=\"dram\""));
	assert_null(strstr(t.s, "kepler_vm_last_training_timestamp{zone=\"uncore\"}"));
	text_release(&t);
}

static void a_derived_zone_has_the_version_it_is_derived_from(void **state)
{
	struct text t = {.s = NULL};

	(void)state;
	shot.zone[ZONE_UNCORE].provenance = PROVENANCE_DERIVED;
	prometheus_render(&shot, &t);
	assert_non_null(
		strstr(t.s, "kepler_vm_model_version{zone=\"uncore\",version=\"1.2.3\"} 1\n"));
	text_release(&t);
	shot.zone[ZONE_UNCORE].provenance = PROVENANCE_PRIOR;
}

static void a_zone_that_is_left_out_says_why(void **state)
{
	struct zone_snapshot *z = &shot.zone[ZONE_PACKAGE], kept = *z;
	struct text t = {.s = NULL}, json = {.s = NULL};

	(void)state;
	z->valid = false;
	z->left_out = true;
	z->fallback = FALLBACK_LOW_CONFIDENCE;
	z->confidence = 0.25;
	prometheus_render(&shot, &t);
	assert_non_null(strstr(
		t.s, "kepler_vm_zone_fallback{zone=\"package\",reason=\"low_confidence\"} 1\n"));
	assert_non_null(strstr(t.s, "kepler_vm_model_confidence_score{zone=\"package\"} 0.25\n"));
	assert_non_null(strstr(t.s, "kepler_vm_zone_provenance{zone=\"package\""));
	assert_null(strstr(t.s, "kepler_vm_cpu_watts_low{zone=\"package\"}"));
	assert_null(strstr(t.s, "kepler_vm_cpu_watts_high{zone=\"package\"}"));
	assert_null(strstr(t.s, "watts{node_name=\"n\\\"1\",zone=\"package\""));
	json_render(&shot, &json);
	assert_non_null(strstr(json.s, "\"node_cpu_watts\":{\"uncore\":1}"));
	assert_non_null(
		strstr(json.s, "\"package\":{\"joules_total\":120.25,\"confidence\":0.25,"));
	assert_non_null(strstr(json.s, "\"fallback\":\"low_confidence\"}"));
	text_release(&t);
	text_release(&json);
	*z = kept;
}

/* Every family is announced once, and its samples stand together behind it. */
static void families_are_whole(void **state)
{
	struct text t = {.s = NULL};
	char family[128] = "";
	size_t families = 0;

	(void)state;
	prometheus_render(&shot, &t);
	prometheus_render_process(&t);
	for (char *line = strtok(t.s, "\n"); line; line = strtok(NULL, "\n")) {
		if (!strncmp(line, "# HELP ", 7)) {
			sscanf(line + 7, "%127s", family);
			families++;
		} else if (!strncmp(line, "# TYPE ", 7)) {
			assert_memory_equal(line + 7, family, strlen(family));
		} else {
			assert_memory_equal(line, family, strlen(family));
			assert_true(line[strlen(family)] == '{' || line[strlen(family)] == ' ');
		}
	}
	assert_true(families > 30);
	text_release(&t);
}

static void json_is_the_proposals_object(void **state)
{
	struct text t = {.s = NULL};

	(void)state;
	json_render(&shot, &t);
	assert_non_null(strstr(t.s, "{\"node_cpu_watts\":{\"package\":12.5,\"uncore\":1},"
				    "\"model_version\":\"1.2.3\",\"confidence\":0.5,"
				    "\"features\":{\"cpu_utilization\":0.25},"));
	assert_non_null(strstr(t.s, "\"node_name\":\"n\\\"1\""));
	assert_non_null(strstr(t.s, "\"joules_total\":120.25"));
	text_release(&t);
}

/* Samples may be 100 ms apart, and a rate over joules must not step. */
static void json_has_all_digits_of_time_and_joules(void **state)
{
	struct text t = {.s = NULL};

	(void)state;
	shot.zone[ZONE_PACKAGE].active_j = 12345678912.25;
	json_render(&shot, &t);
	assert_non_null(strstr(t.s, "\"time_s\":1700000000.5,"));
	assert_non_null(strstr(t.s, "\"joules_total\":12345678932.5,"));
	text_release(&t);
}

/* ---- the server ---- */

static struct http *server;

static int serve(void **state)
{
	some_snapshot(state);
	return http_new("127.0.0.1:0", &shot, &server, NULL);
}

static int stop(void **state)
{
	http_free(server);
	return no_snapshot(state);
}

static int dial(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_port = htons((uint16_t)atoi(strrchr(http_address(server), ':') + 1));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* Let the server work until `fd` has something to read or `ms` passed; what was read. */
static ssize_t await(int fd, char *buf, size_t size, int ms)
{
	struct timespec begin, now;
	size_t n = 0;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		struct pollfd p[2] = {{http_fd(server), POLLIN, 0}, {fd, POLLIN, 0}};

		poll(p, 2, 20);
		http_run(server);
		if (p[1].revents) {
			ssize_t r = recv(fd, buf + n, size - 1 - n, MSG_DONTWAIT);

			if (r > 0)
				n += (size_t)r;
			else if (r == 0 || errno != EAGAIN)
				return (ssize_t)n;
		}
		buf[n] = 0;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < ms);
	return n ? (ssize_t)n : -ETIMEDOUT;
}

static const char *ask(const char *request)
{
	static char answer[65536];
	autofd int fd = dial();
	ssize_t n;

	assert_true(send(fd, request, strlen(request), MSG_NOSIGNAL) > 0);
	n = await(fd, answer, sizeof(answer), 1000);
	answer[n > 0 ? n : 0] = 0;
	return answer;
}

#define CLOSING " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void pages_answer(void **state)
{
	(void)state;
	assert_non_null(strstr(ask("GET /metrics" CLOSING), "kepler_node_cpu_watts{"));
	assert_non_null(strstr(ask("GET /metrics" CLOSING), "text/plain; version=0.0.4"));
	assert_non_null(strstr(ask("GET /api/v1/power" CLOSING), "\"node_cpu_watts\""));
	assert_memory_equal(ask("GET /healthz" CLOSING), "HTTP/1.1 200", 12);
	assert_memory_equal(ask("GET /readyz" CLOSING), "HTTP/1.1 200", 12);
	assert_memory_equal(ask("GET /" CLOSING), "HTTP/1.1 200", 12);
	assert_memory_equal(ask("GET /nothing" CLOSING), "HTTP/1.1 404", 12);
	assert_memory_equal(ask("POST /metrics" CLOSING), "HTTP/1.1 405", 12);
	assert_memory_equal(ask("DELETE /metrics" CLOSING), "HTTP/1.1 405", 12);
	assert_null(strstr(ask("HEAD /metrics" CLOSING), "kepler_node_cpu_watts{"));
	shot.ready = false;
	http_show(server, &shot);
	assert_memory_equal(ask("GET /readyz" CLOSING), "HTTP/1.1 503", 12);
	assert_memory_equal(ask("GET /healthz" CLOSING), "HTTP/1.1 200", 12);
}

static void what_is_shown_is_the_latest(void **state)
{
	(void)state;
	assert_non_null(strstr(ask("GET /metrics" CLOSING),
			       "kepler_vm_cpu_watts_low{zone=\"package\"} 9\n"));
	shot.zone[ZONE_PACKAGE].low_w = 8;
	http_show(server, &shot);
	assert_non_null(strstr(ask("GET /metrics" CLOSING),
			       "kepler_vm_cpu_watts_low{zone=\"package\"} 8\n"));
}

static void rubbish_does_no_harm(void **state)
{
	static char long_header[40000];

	(void)state;
	ask("\r\n\r\n\r\n");
	ask("GET\r\n\r\n");
	ask("GET /metrics HTTP/9.9\r\n\r\n");
	ask("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"); /* a TLS hello */
	memset(long_header, 'a', sizeof(long_header) - 1);
	memcpy(long_header, "GET /metrics HTTP/1.1\r\nX: ", 26);
	ask(long_header);
	assert_memory_equal(ask("GET /metrics" CLOSING), "HTTP/1.1 200", 12);
}

static void too_many_connections_leave_the_first_served(void **state)
{
	int fds[80];

	(void)state;
	for (size_t i = 0; i < array_size(fds); i++) {
		fds[i] = dial();
		http_run(server);
	}
	for (size_t i = 0; i < array_size(fds); i++)
		close(fds[i]);
	for (int i = 0; i < 20; i++) {
		http_run(server);
		usleep(5000);
	}
	assert_memory_equal(ask("GET /metrics" CLOSING), "HTTP/1.1 200", 12);
}

/* One byte a second keeps a connection active, but what it sends is late all the same. */
static void assert_dripping_is_closed(int fd)
{
	char buf[64];
	int seconds = 0;

	for (; seconds < 15; seconds++) {
		if (send(fd, "G", 1, MSG_NOSIGNAL) < 0)
			break;
		if (await(fd, buf, sizeof(buf), 1000) >= 0)
			break;
	}
	assert_in_range(seconds, 8, 13);
}

static void slow_headers_are_closed(void **state)
{
	autofd int fd = dial();

	(void)state;
	assert_dripping_is_closed(fd);
}

/* The same behind the header, where a body is announced. */
static void slow_bodies_are_closed(void **state)
{
	static const char header[] =
		"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n";
	autofd int fd = dial();

	(void)state;
	assert_true(send(fd, header, sizeof(header) - 1, MSG_NOSIGNAL) > 0);
	assert_dripping_is_closed(fd);
}

static void addresses_in_use_are_named(void **state)
{
	struct err e = ERR_INIT;
	struct http *second;

	(void)state;
	assert_int_equal(http_new(http_address(server), &shot, &second, &e), -EADDRINUSE);
	assert_non_null(strstr(e.msg, http_address(server)));
	assert_true(http_new("256.0.0.1:80", &shot, &second, &e) < 0);
}

static bool connects(int family, const void *to, socklen_t len)
{
	autofd int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, to, len) == 0;
}

/* As in a cluster that has nothing but IPv6. */
static void every_address_is_those_of_ipv6_too(void **state)
{
	struct sockaddr_in four = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	autofd int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has_six = probe >= 0 && bind(probe, (struct sockaddr *)&six, sizeof(six)) == 0;
	struct http *every;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(http_new(":0", &shot, &every, &e), 0);
	four.sin_port = six.sin6_port =
		htons((uint16_t)atoi(strrchr(http_address(every), ':') + 1));
	assert_true(connects(AF_INET, &four, sizeof(four)));
	if (has_six)
		assert_true(connects(AF_INET6, &six, sizeof(six)));
	http_free(every);
}

/* ---- the page ---- */

#define STEP_NS (HISTORY_STEP_S * INT64_C(1000000000))

static void history_holds_means_of_the_last_hour(void **state)
{
	static struct history h;
	double low, high;

	(void)state;
	assert_false(history_range(&h, ZONE_PACKAGE, &low, &high));
	for (int64_t step = 5; step < 5 + 2 * HISTORY_POINTS; step++) {
		for (int half = 0; half < 2; half++) {
			shot.zone[ZONE_PACKAGE].active_w = (double)step + half;
			shot.zone[ZONE_PACKAGE].idle_w = 1;
			history_push(&h, &shot, step * STEP_NS + half * STEP_NS / 2);
		}
	}
	assert_int_equal(h.n, HISTORY_POINTS);
	/* The step that is being filled is not among them. */
	assert_close(history_at(&h, ZONE_PACKAGE, HISTORY_POINTS - 1).watts,
		     5 + 2 * HISTORY_POINTS - 2 + 1.5, 1e-4);
	assert_close(history_at(&h, ZONE_PACKAGE, 0).watts, 5 + HISTORY_POINTS - 1 + 1.5, 1e-4);
	assert_true(isnan(history_at(&h, ZONE_DRAM, 7).watts));
	/* A pause of four steps. */
	history_push(&h, &shot, (5 + 2 * HISTORY_POINTS + 4) * STEP_NS);
	assert_true(isnan(history_at(&h, ZONE_PACKAGE, HISTORY_POINTS - 1).watts));
	assert_true(isnan(history_at(&h, ZONE_PACKAGE, HISTORY_POINTS - 4).watts));
	assert_false(isnan(history_at(&h, ZONE_PACKAGE, HISTORY_POINTS - 6).watts));
	assert_true(history_range(&h, ZONE_PACKAGE, &low, &high));
	assert_close(high, 5 + 2 * HISTORY_POINTS - 1 + 1.5, 1e-4);
	/* A pause of more than an hour begins anew. */
	history_push(&h, &shot, (5 + 4 * HISTORY_POINTS) * STEP_NS);
	assert_int_equal(h.n, 0);
}

static void the_page_is_for_whoever_accepts_html(void **state)
{
	const char *page = ask("GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html,*/*\r\n"
			       "Connection: close\r\n\r\n");

	(void)state;
	assert_non_null(strstr(page, "Content-Type: text/html"));
	assert_non_null(strstr(page, "Content-Security-Policy: default-src 'none'"));
	assert_non_null(strstr(page, "n&quot;1")); /* the node's name */
	assert_null(strstr(page, "n\"1"));
	assert_non_null(strstr(page, "12.5 <small>W, 90 % within 9.00 to 16.0"));
	assert_non_null(strstr(page, "The plot begins")); /* without a history */
	for (int i = 0; i < PROVENANCE_COUNT; i++) {	  /* every word is explained */
		char word[32];

		snprintf(word, sizeof(word), "<i>%s</i>: ", provenance_name((enum provenance)i));
		assert_non_null(strstr(page, word));
	}
	assert_non_null(strstr(ask("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
			       "Content-Type: text/plain"));
	assert_non_null(strstr(ask("GET /page.css" CLOSING), "Content-Type: text/css"));
	assert_non_null(strstr(ask("GET /page.js" CLOSING), "Content-Type: text/javascript"));
	assert_non_null(strstr(ask("GET /icon.svg" CLOSING), "Content-Type: image/svg+xml"));
	assert_non_null(strstr(ask("GET /docs" CLOSING), "# Troubleshooting"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lines_are_keplers_and_the_proposals, some_snapshot,
						no_snapshot),
		cmocka_unit_test_setup_teardown(a_derived_zone_has_the_version_it_is_derived_from,
						some_snapshot, no_snapshot),
		cmocka_unit_test_setup_teardown(a_zone_that_is_left_out_says_why, some_snapshot,
						no_snapshot),
		cmocka_unit_test_setup_teardown(families_are_whole, some_snapshot, no_snapshot),
		cmocka_unit_test_setup_teardown(json_is_the_proposals_object, some_snapshot,
						no_snapshot),
		cmocka_unit_test_setup_teardown(json_has_all_digits_of_time_and_joules,
						some_snapshot, no_snapshot),
		cmocka_unit_test_setup_teardown(pages_answer, serve, stop),
		cmocka_unit_test_setup_teardown(what_is_shown_is_the_latest, serve, stop),
		cmocka_unit_test_setup_teardown(rubbish_does_no_harm, serve, stop),
		cmocka_unit_test_setup_teardown(too_many_connections_leave_the_first_served, serve,
						stop),
		cmocka_unit_test_setup_teardown(slow_headers_are_closed, serve, stop),
		cmocka_unit_test_setup_teardown(slow_bodies_are_closed, serve, stop),
		cmocka_unit_test_setup_teardown(every_address_is_those_of_ipv6_too, some_snapshot,
						no_snapshot),
		cmocka_unit_test_setup_teardown(history_holds_means_of_the_last_hour, some_snapshot,
						no_snapshot),
		cmocka_unit_test_setup_teardown(the_page_is_for_whoever_accepts_html, serve, stop),
		cmocka_unit_test_setup_teardown(addresses_in_use_are_named, serve, stop),
	};

	return run_unit(tests);
}
