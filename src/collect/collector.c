// SPDX-License-Identifier: Apache-2.0
/* The registry of sources and the loop over it: see collector.h. */
#include "collect/collector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "collect/source.h"

#define CPUS_MAX	4096
#define CPUS_UNKNOWN	256
#define RETRY_NS	30000000000
#define RETRY_ABSENT_NS 60000000000

static const struct source_ops *const registry[SOURCE_COUNT] = {
	[SOURCE_STAT] = &stat_source,		[SOURCE_MEMINFO] = &meminfo_source,
	[SOURCE_VMSTAT] = &vmstat_source,	[SOURCE_LOADAVG] = &loadavg_source,
	[SOURCE_DISKSTATS] = &diskstats_source, [SOURCE_NETDEV] = &netdev_source,
	[SOURCE_PRESSURE] = &pressure_source,	[SOURCE_CPUFREQ] = &cpufreq_source,
	[SOURCE_CLOCK] = &clock_source,		[SOURCE_PERF] = &perf_source,
};

struct slot {
	void *state;
	bool open;
	int64_t retry_ns; /* CLOCK_MONOTONIC; while not open */
};

struct collector {
	struct root root;
	const struct kernel *kernel;
	struct source_context context;
	struct slot slots[SOURCE_COUNT];
	struct collector_stats stats;
};

/* One more than the last number of a kernel list such as "0-3,8". */
static unsigned list_end(const char *list)
{
	uint64_t last = 0;

	while (*list) {
		if (!scan_u64(&list, &last))
			list++;
	}
	return last < CPUS_MAX ? (unsigned)last + 1 : CPUS_MAX;
}

static unsigned count_possible(const struct root *r)
{
	char buf[1024];

	if (root_read_line(r, "/sys/devices/system/cpu/possible", buf, sizeof(buf)) > 0)
		return list_end(buf);
	return CPUS_UNKNOWN;
}

static bool means_absent(int r)
{
	return r == -ENOENT || r == -EACCES || r == -EPERM || r == -ENOSYS || r == -EOPNOTSUPP ||
	       r == -ENODEV || r == -ENXIO;
}

static void close_slot(struct collector *c, enum source s)
{
	if (c->slots[s].open)
		registry[s]->close(c->slots[s].state);
	c->slots[s].state = NULL;
	c->slots[s].open = false;
}

/* Count what went wrong, and when to look again. */
static void fail_slot(struct collector *c, enum source s, int r, int64_t now_ns)
{
	bool absent = means_absent(r);

	close_slot(c, s);
	if (!absent || !c->stats.absent[s])
		c->stats.errors[s]++;
	c->stats.absent[s] = absent;
	c->slots[s].retry_ns = now_ns + (absent ? RETRY_ABSENT_NS : RETRY_NS);
}

static void open_slot(struct collector *c, enum source s, int64_t now_ns)
{
	int r = registry[s]->open(&c->context, &c->slots[s].state);

	c->slots[s].open = r == 0;
	if (r < 0)
		fail_slot(c, s, r, now_ns);
	else
		c->stats.absent[s] = false;
}

int collector_new(const struct collector_options *o, struct collector **ret, struct err *e)
{
	struct collector *c = calloc(1, sizeof(*c));
	int64_t now_ns;

	if (!c)
		return err_nomem(e);
	c->root = o->root;
	c->kernel = o->kernel;
	c->context = (struct source_context){.root = &c->root,
					     .kernel = o->kernel,
					     .cpus_cap = o->cpus_cap ? o->cpus_cap
								     : count_possible(&o->root),
					     .perf = o->perf,
					     .clock_probe = o->clock_probe};
	now_ns = c->kernel->monotonic_ns();
	for (int s = 0; s < SOURCE_COUNT; s++)
		open_slot(c, (enum source)s, now_ns);
	if (!c->slots[SOURCE_STAT].open) {
		collector_free(c);
		return err_set(
			e, -ENOENT,
			"%s/proc/stat cannot be read: without CPU times there is no estimate",
			o->root.prefix);
	}
	*ret = c;
	return 0;
}

void collector_free(struct collector *c)
{
	if (!c)
		return;
	for (int s = 0; s < SOURCE_COUNT; s++)
		close_slot(c, (enum source)s);
	free(c);
}

unsigned collector_cpus(const struct collector *c)
{
	return c->context.cpus_cap;
}

const struct collector_stats *collector_stats(const struct collector *c)
{
	return &c->stats;
}

static void read_source(struct collector *c, enum source s, struct sample *ret)
{
	struct slot *slot = &c->slots[s];
	int64_t begin_ns = c->kernel->monotonic_ns();
	int r;

	if (!slot->open && begin_ns >= slot->retry_ns)
		open_slot(c, s, begin_ns);
	if (!slot->open)
		return;
	r = registry[s]->read(slot->state, ret);
	c->stats.duration_ns[s] = c->kernel->monotonic_ns() - begin_ns;
	if (r == 0)
		ret->have |= 1u << s;
	else if (r != -ENODATA)
		fail_slot(c, s, r, begin_ns);
}

void collector_sample(struct collector *c, struct sample *ret)
{
	ret->have = 0;
	ret->mono_ns = c->kernel->monotonic_ns();
	ret->boot_ns = c->kernel->boottime_ns();
	ret->real_ns = c->kernel->realtime_ns();
	for (int s = 0; s < SOURCE_COUNT; s++)
		read_source(c, (enum source)s, ret);
}
