// SPDX-License-Identifier: Apache-2.0
/*
 * The core clock of a busy CPU, seen from inside: a chain of additions each
 * of which needs the one before takes one core cycle apiece, whatever the
 * hypervisor hides. Its time is measured several times; the minimum is the
 * run that nothing disturbed, and cycles / minimum is the clock.
 *
 * Costs about 5 x 20 us of one CPU, so it runs every tenth second and its
 * reading is reused until the next. When the runs were preempted (thread CPU
 * time and wall time differ) there is no reading rather than a wrong one.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "collect/source.h"

#define REPEATS	     5
#define ROUNDS	     3500 /* x 16 additions: 20 us at 2.8 GHz */
#define CHAIN	     16
#define EVERY_NS     10000000000
#define VALID_NS     30000000000
#define PREEMPTED_NS 5000 /* wall time beyond CPU time that a run may show */
#define MHZ_MIN	     200.0
#define MHZ_MAX	     10000.0

struct probe {
	const struct kernel *kernel;
	int64_t last_ns, read_ns; /* of the last try, of the last reading */
	double mhz, jitter;
};

#if defined(__x86_64__)
#define HAVE_CHAIN 1
/*
 * 16 dependent additions a round; nothing can be reordered into fewer cycles. Of a register: recent
 * cores carry out additions of a constant while they rename registers, several in a cycle.
 */
static void chain(unsigned rounds)
{
	uint64_t x = 1, step = 1;

	for (unsigned i = 0; i < rounds; i++) {
		__asm__ volatile("add %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\t"
				 "add %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\t"
				 "add %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\t"
				 "add %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\tadd %1, %0"
				 : "+r"(x)
				 : "r"(step));
	}
}
#else
#define HAVE_CHAIN 0
static void chain(unsigned rounds)
{
	(void)rounds;
}
#endif

static int probe_open(const struct source_context *c, void **state)
{
	struct probe *p;

	if (!HAVE_CHAIN || !c->clock_probe || !root_is_self(c->root))
		return -ENOENT;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->kernel = c->kernel;
	p->last_ns = INT64_MIN / 2;
	p->read_ns = INT64_MIN / 2;
	*state = p;
	return 0;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* One try: fills mhz and jitter, or says no. */
static bool measure(struct probe *p)
{
	double ns[REPEATS], mhz;
	size_t n = 0;

	for (int i = 0; i < REPEATS; i++) {
		int64_t cpu = p->kernel->thread_cpu_ns(), wall = p->kernel->monotonic_ns();
		int64_t wall_spent, cpu_spent;

		chain(ROUNDS);
		wall_spent = p->kernel->monotonic_ns() - wall;
		cpu_spent = p->kernel->thread_cpu_ns() - cpu;
		if (wall_spent > 0 && wall_spent - cpu_spent <= PREEMPTED_NS)
			ns[n++] = (double)wall_spent;
	}
	if (n < (REPEATS + 1) / 2)
		return false;
	qsort(ns, n, sizeof(ns[0]), compare);
	mhz = 1e3 * ROUNDS * CHAIN / ns[0];
	if (!(mhz >= MHZ_MIN && mhz <= MHZ_MAX))
		return false;
	p->mhz = mhz;
	p->jitter = (ns[n / 2] - ns[0]) / ns[0];
	return true;
}

static int probe_read(void *state, struct sample *s)
{
	struct probe *p = state;

	if (s->mono_ns - p->last_ns >= EVERY_NS) {
		p->last_ns = s->mono_ns;
		if (measure(p))
			p->read_ns = s->mono_ns;
	}
	if (s->mono_ns - p->read_ns > VALID_NS)
		return -ENODATA;
	s->core_clock_mhz = p->mhz;
	s->core_clock_jitter = p->jitter;
	return 0;
}

static void probe_close(void *state)
{
	free(state);
}

const struct source_ops clock_source = {probe_open, probe_read, probe_close};
