// SPDX-License-Identifier: Apache-2.0
/*
 * A SIMULATED agent for the readers of counter pages: writes PAGE every TICK_MS
 * (give or take half of it with JITTER 1) as if the package drew WATTS, core
 * three quarters of that, dram and uncore a tenth. Ends by being killed.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/kernel.h"
#include "publish/counter_page.h"

static void sleep_until(int64_t at_ns)
{
	struct timespec ts = {at_ns / 1000000000, at_ns % 1000000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) != 0)
		;
}

int main(int argc, char **argv)
{
	static const double shares[ZONE_RAPL_COUNT] = {1, 0.75, 0.1, 0.1};
	static const uint64_t start[ZONE_RAPL_COUNT] = {262100000000, 1, 2, 3};
	struct counter_writer w;
	struct err e = ERR_INIT;
	double watts = argc > 2 ? atof(argv[2]) : 0;
	int64_t tick_ns = argc > 3 ? atoll(argv[3]) * 1000000 : 0, before_ns, next_ns;
	bool jitter = argc > 4 && atoi(argv[4]), kept;
	unsigned short seed[3] = {0, 0, 0};

	before_ns = next_ns = kernel_linux.monotonic_ns();
	seed[0] = (unsigned short)before_ns;
	if (watts <= 0 || tick_ns <= 0) {
		fprintf(stderr, "usage: simulated_page PAGE WATTS TICK_MS [JITTER]\n");
		return 2;
	}
	if (counter_writer_open(&w, argv[1], before_ns, tick_ns, start, &kept, &e) < 0) {
		fprintf(stderr, "simulated_page: %s\n", e.msg);
		return 1;
	}
	for (;;) {
		double uj[ZONE_RAPL_COUNT];
		int64_t now_ns;

		next_ns += tick_ns;
		sleep_until(next_ns +
			    (jitter ? (int64_t)((erand48(seed) - 0.5) * (double)tick_ns) : 0));
		now_ns = kernel_linux.monotonic_ns();
		for (int z = 0; z < ZONE_RAPL_COUNT; z++)
			uj[z] = watts * shares[z] * (double)(now_ns - before_ns) / 1e3;
		counter_writer_add(&w, now_ns, uj);
		before_ns = now_ns;
	}
}
