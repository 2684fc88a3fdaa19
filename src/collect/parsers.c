// SPDX-License-Identifier: Apache-2.0
/*
 * /proc text to numbers: see parsers.h. By hand, because this runs every
 * tick on every VM: one pass over each text, no allocation, no copies.
 */
#include "collect/parsers.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

static const char *next_line(const char *p)
{
	const char *end = strchr(p, '\n');

	return end ? end + 1 : p + strlen(p);
}

static bool skip_word(const char **p, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*p, word, n) != 0)
		return false;
	*p += n;
	return true;
}

/* ---- /proc/stat ---- */

/* user nice system idle iowait irq softirq steal; old kernels print fewer. */
static bool parse_times(const char *p, struct cpu_times *ret)
{
	*ret = (struct cpu_times){{0}};
	for (int k = 0; k < CPU_TIME_COUNT; k++) {
		if (!scan_u64(&p, &ret->ticks[k]))
			return k > CPU_TIME_IDLE;
	}
	return true;
}

/* A line "cpuN ..." */
static bool parse_cpu(const char *p, struct sample *s)
{
	uint64_t cpu;

	if (!scan_u64(&p, &cpu))
		return false;
	s->n_online++;
	if (cpu >= s->cpus_cap)
		return true;
	s->online[cpu] = parse_times(p, &s->cpus[cpu]);
	return s->online[cpu];
}

/* softirq: total, HI, TIMER, NET_TX, NET_RX, BLOCK, ... */
static void parse_softirqs(const char *p, struct sample *s)
{
	uint64_t skipped;

	for (int k = 0; k < 3; k++) {
		if (!scan_u64(&p, &skipped))
			return;
	}
	if (!scan_u64(&p, &s->softirq_net_tx) || !scan_u64(&p, &s->softirq_net_rx))
		return;
	scan_u64(&p, &s->softirq_block);
}

static void parse_named(const char *p, struct sample *s)
{
	const struct {
		const char *name;
		uint64_t *value;
	} fields[] = {
		{"ctxt ", &s->context_switches},
		{"intr ", &s->interrupts},
		{"processes ", &s->forks},
		{"procs_running ", &s->procs_running},
		{"procs_blocked ", &s->procs_blocked},
	};

	if (skip_word(&p, "softirq ")) {
		parse_softirqs(p, s);
		return;
	}
	for (size_t i = 0; i < array_size(fields); i++) {
		if (skip_word(&p, fields[i].name)) {
			scan_u64(&p, fields[i].value);
			return;
		}
	}
}

bool stat_parse(const char *text, struct sample *s)
{
	bool total = false;

	s->n_online = 0;
	s->context_switches = s->interrupts = s->forks = UINT64_MAX;
	s->softirq_net_rx = s->softirq_net_tx = s->softirq_block = UINT64_MAX;
	s->procs_running = s->procs_blocked = UINT64_MAX;
	if (s->cpus_cap)
		memset(s->online, 0, s->cpus_cap);
	for (const char *p = text; *p; p = next_line(p)) {
		const char *at = p;

		if (!skip_word(&at, "cpu"))
			parse_named(p, s);
		else if (*at == ' ')
			total = parse_times(at, &s->cpu);
		else if (!parse_cpu(at, s))
			return false;
	}
	return total && s->n_online;
}

/* ---- /proc/meminfo, /proc/vmstat: "name value" lines ---- */

struct named_value {
	const char *name; /* with what separates it from the value */
	uint64_t *value;
};

/* Fill what is found; how many of the n names were. Stops reading when all were. */
static size_t parse_values(const char *text, const struct named_value *names, size_t n)
{
	size_t found = 0;

	for (const char *p = text; *p && found < n; p = next_line(p)) {
		for (size_t i = 0; i < n; i++) {
			const char *at = p;

			if (*at == names[i].name[0] && skip_word(&at, names[i].name)) {
				found += scan_u64(&at, names[i].value);
				break;
			}
		}
	}
	return found;
}

bool meminfo_parse(const char *text, struct sample *s)
{
	const struct named_value names[] = {
		{"MemTotal:", &s->memory_total_kib},
		{"MemAvailable:", &s->memory_available_kib},
	};

	return parse_values(text, names, array_size(names)) == array_size(names) &&
	       s->memory_total_kib;
}

bool vmstat_parse(const char *text, struct sample *s)
{
	const struct named_value names[] = {
		{"pgpgin ", &s->paged_in_kib}, {"pgpgout ", &s->paged_out_kib},
		{"pswpin ", &s->swapped_in},   {"pswpout ", &s->swapped_out},
		{"pgfault ", &s->page_faults}, {"pgmajfault ", &s->major_faults},
	};

	/* A counter that a kernel was built without stays UINT64_MAX: missing. */
	for (size_t i = 0; i < array_size(names); i++)
		*names[i].value = UINT64_MAX;
	return parse_values(text, names, array_size(names)) > 0;
}

/* ---- /proc/loadavg: "0.00 0.01 0.05 1/123 4567" ---- */

static bool parse_load(const char **p, double *ret)
{
	size_t n;

	*p += strspn(*p, " ");
	n = strspn(*p, "0123456789.");
	if (parse_double_n(*p, n, ret) < 0)
		return false;
	*p += n;
	return true;
}

bool loadavg_parse(const char *text, struct sample *s)
{
	const char *p = text;

	if (!parse_load(&p, &s->load_1m) || !parse_load(&p, &s->load_5m) ||
	    !parse_load(&p, &s->load_15m))
		return false;
	p = strchr(p, '/');
	return p && (p++, scan_u64(&p, &s->scheduling_entities));
}

/* ---- /proc/diskstats ---- */

#define SECTOR_BYTES 512

/*
 * Whole disks by name, so that no /sys is read per tick: a name that ends in
 * a letter (sda, vdb, xvdc), or nvme0n1 and mmcblk0 without their p1. What is
 * stacked on disks (dm-, md, loop, ram, zram, sr) would count bytes twice.
 */
static bool is_disk(const char *name, size_t n)
{
	static const char *const stacked[] = {"loop", "ram", "zram", "dm-",
					      "md",   "sr",  "fd",   "nbd"};
	size_t digits = 0;

	for (size_t i = 0; i < array_size(stacked); i++) {
		if (!strncmp(name, stacked[i], strlen(stacked[i])))
			return false;
	}
	while (digits < n && name[n - 1 - digits] >= '0' && name[n - 1 - digits] <= '9')
		digits++;
	if (!digits || digits == n)
		return n > 0;
	if (!strncmp(name, "nvme", 4) || !strncmp(name, "mmcblk", 6))
		return name[n - 1 - digits] != 'p';
	return false;
}

/* "   8   0 sda reads merged sectors ms writes merged sectors ..." */
static void parse_disk(const char *p, struct sample *s)
{
	uint64_t v[7] = {0};
	const char *name;
	size_t n;

	if (!scan_u64(&p, &v[0]) || !scan_u64(&p, &v[0]))
		return;
	name = p + strspn(p, " ");
	n = strcspn(name, " \n");
	if (!is_disk(name, n))
		return;
	p = name + n;
	for (size_t i = 0; i < array_size(v); i++) {
		if (!scan_u64(&p, &v[i]))
			return;
	}
	s->disk_read_bytes += v[2] * SECTOR_BYTES;
	s->disk_written_bytes += v[6] * SECTOR_BYTES;
}

bool diskstats_parse(const char *text, struct sample *s)
{
	s->disk_read_bytes = s->disk_written_bytes = 0;
	for (const char *p = text; *p; p = next_line(p))
		parse_disk(p, s);
	return true; /* a VM without a disk has an empty file, and reads nothing */
}

/* ---- /proc/net/dev: two header lines, then "  eth0: bytes packets ..." ---- */

bool netdev_parse(const char *text, struct sample *s)
{
	const char *p = next_line(next_line(text));

	if (!strchr(text, '|'))
		return false;
	s->net_received_bytes = s->net_sent_bytes = 0;
	for (; *p; p = next_line(p)) {
		const char *at = p + strcspn(p, ":\n");
		uint64_t v[9];
		size_t i;

		if (*at != ':')
			continue;
		at++;
		for (i = 0; i < array_size(v) && scan_u64(&at, &v[i]);)
			i++;
		if (i < array_size(v))
			return false;
		s->net_received_bytes += v[0];
		s->net_sent_bytes += v[8];
	}
	return true;
}

/* ---- /proc/pressure/X ---- */

uint64_t pressure_parse(const char *text)
{
	const char *p = strstr(text, "some ");
	uint64_t total;

	p = p ? strstr(p, "total=") : NULL;
	if (!p)
		return UINT64_MAX;
	p += strlen("total=");
	return scan_u64(&p, &total) ? total : UINT64_MAX;
}
