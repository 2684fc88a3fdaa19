// SPDX-License-Identifier: Apache-2.0
/*
 * What a tick costs: collect, features, four zones, energy and the metrics
 * text, in CPU time of this thread; and how often it allocates once warm.
 *
 *   bench_tick [--config F] [TICKS]      one JSON object on stdout; exit 1 if it allocated
 *
 * "warm": one tick after the other, a second of its own clock apart. "busy": the
 * CPU spins for 12 ms in between. "idle": it sleeps for 12 ms, as it does under an
 * agent, so that every tick starts on cold caches.
 *
 * Linked with --wrap, so that every malloc, calloc and realloc is counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/parts.h"
#include "publish/prometheus.h"

#define WARM_UP	 50
#define PAUSE_NS 12000000

static unsigned long allocations;
static int64_t skew_ns; /* our clocks run ahead of the machine's: a tick sees a whole second */

static int64_t skewed_monotonic_ns(void)
{
	return kernel_linux.monotonic_ns() + skew_ns;
}

static int64_t skewed_boottime_ns(void)
{
	return kernel_linux.boottime_ns() + skew_ns;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
	allocations++;
	return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	allocations++;
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	allocations++;
	return __real_realloc(p, n);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

enum mode { WARM, BUSY, IDLE };

static const char *const mode_names[] = {"warm", "busy", "idle"};

static void pause_between(enum mode mode)
{
	int64_t end_ns = kernel_linux.monotonic_ns() + PAUSE_NS;

	skew_ns += 1000000000;
	if (mode == IDLE)
		usleep(PAUSE_NS / 1000);
	while (mode == BUSY && kernel_linux.monotonic_ns() < end_ns)
		;
}

static double one_tick_us(struct agent *a, struct text *t, enum mode mode)
{
	int64_t begin_ns;

	pause_between(mode);
	begin_ns = kernel_linux.thread_cpu_ns();
	agent_tick(a);
	text_reset(t);
	prometheus_render(meter_snapshot(a->meter), t);
	return (double)(kernel_linux.thread_cpu_ns() - begin_ns) / 1e3;
}

static void measure(struct agent *a, struct text *t, enum mode mode, double *us, size_t n)
{
	for (int i = 0; i < WARM_UP; i++)
		one_tick_us(a, t, mode);
	allocations = 0;
	for (size_t i = 0; i < n; i++)
		us[i] = one_tick_us(a, t, mode);
	printf(",\"%s\":{\"allocations\":%lu,", mode_names[mode], allocations);
	qsort(us, n, sizeof(*us), by_value);
	printf("\"cpu_us_min\":%.1f,\"cpu_us_median\":%.1f,\"cpu_us_p90\":%.1f}", us[0], us[n / 2],
	       us[n * 9 / 10]);
}

int main(int argc, char **argv)
{
	struct kernel kernel = kernel_linux;
	struct agent_options o = {.flags = {.log_level = "error"}, .kernel = &kernel};
	struct agent *a = malloc(sizeof(*a));
	struct err e = ERR_INIT;
	struct text t = {.s = NULL};
	size_t n = 300;
	bool allocated = false;
	double *us;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--config") && i + 1 < argc)
			o.flags.config = argv[++i];
		else
			n = strtoul(argv[i], NULL, 10);
	}
	us = calloc(n ? n : 1, sizeof(*us));
	if (!a || !us || n < 1)
		return 2;
	kernel.monotonic_ns = skewed_monotonic_ns;
	kernel.boottime_ns = skewed_boottime_ns;
	if (agent_init(a, &o, &e) < 0 || agent_start_sampling(a, &e) < 0) {
		fprintf(stderr, "bench_tick: %s\n", e.msg);
		return 1;
	}
	one_tick_us(a, &t, WARM);
	one_tick_us(a, &t, WARM);
	printf("{\"ticks\":%zu,\"model\":\"%s\",\"text_bytes\":%zu", n,
	       meter_snapshot(a->meter)->model_version, t.len);
	for (int mode = WARM; mode <= IDLE; mode++) {
		measure(a, &t, (enum mode)mode, us, n);
		allocated |= allocations > 0;
	}
	printf("}\n");
	text_release(&t);
	agent_release(a);
	free(a);
	free(us);
	return allocated ? 1 : 0;
}
