// SPDX-License-Identifier: Apache-2.0
/* Powercap zones to joules: see host_rapl.h. */
#include "record/host_rapl.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/powercap.h"
#include "record/host_vm.h"

#define POWERCAP "/sys" POWERCAP_CLASS

/* One file of a zone's directory. -errno. */
static int read_number(const struct root *root, const char *directory, const char *file,
		       uint64_t *ret)
{
	char path[160], text[64];
	ssize_t n;

	snprintf(path, sizeof(path), POWERCAP "/%.63s/%s", directory, file);
	n = root_read_line(root, path, text, sizeof(text));
	return n < 0 ? (int)n : parse_u64(text, ret);
}

static void ignore(struct rapl *r, const char *name)
{
	size_t n = strlen(r->ignored);

	if (!strstr(r->ignored, name))
		snprintf(r->ignored + n, sizeof(r->ignored) - n, "%s%.31s", n ? ", " : "", name);
}

/* Take the zone in `directory`, where it is one. -EACCES and the like where it cannot be read. */
static int take_zone(struct rapl *r, const char *directory)
{
	struct rapl_counter c = {.range_uj = 0};
	char path[160], name[32];
	int zone, error;

	/* MMIO shows the same package a second time; "intel-rapl" itself is no zone. */
	if (!strstr(directory, "rapl:") || strstr(directory, "mmio") ||
	    strlen(directory) >= sizeof(c.directory))
		return 0;
	snprintf(path, sizeof(path), POWERCAP "/%.63s/name", directory);
	if (root_read_line(r->root, path, name, sizeof(name)) <= 0)
		return 0;
	zone = host_zone_find(name);
	if (zone < 0 || r->n == RAPL_COUNTERS_MAX) {
		ignore(r, name);
		return 0;
	}
	c.zone = (enum zone)zone;
	snprintf(c.directory, sizeof(c.directory), "%s", directory);
	error = read_number(r->root, directory, "energy_uj", &c.energy_uj);
	if (error < 0)
		return error;
	read_number(r->root, directory, "max_energy_range_uj", &c.range_uj);
	r->counters[r->n++] = c;
	r->has[zone] = true;
	return 0;
}

static int scan(struct rapl *r)
{
	char path[640];
	int error = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s" POWERCAP, r->root->prefix);
	dir = opendir(path);
	if (!dir)
		return 0;
	for (struct dirent *d; error == 0 && (d = readdir(dir));)
		error = take_zone(r, d->d_name);
	closedir(dir);
	return error;
}

int rapl_open(struct rapl *r, const struct root *root, struct err *e)
{
	char mark[64];
	int error;

	*r = (struct rapl){.root = root};
	/* Estimates are no meter, wherever their tree is mounted. */
	if (root_read(root, POWERCAP POWERCAP_MARKER, mark, sizeof(mark)) > 0)
		return err_set(e, -ENODEV,
			       "%s" POWERCAP
			       " is a tree of vmwatts powercap, which shows estimates: "
			       "record where the kernel has RAPL",
			       root->prefix);
	error = scan(r);
	if (error == -EACCES || error == -EPERM)
		return err_set(e, error,
			       "%s" POWERCAP ": energy_uj may not be read: the kernel keeps it to "
			       "root, so run this as root",
			       root->prefix);
	if (error < 0)
		return err_set(e, error, "%s" POWERCAP ": a zone's energy_uj cannot be read: %s",
			       root->prefix, strerror(-error));
	if (!r->n)
		return err_set(e, -ENODEV,
			       "%s" POWERCAP
			       " has no RAPL zone: record on the bare-metal host, with "
			       "the kernel module intel_rapl_common loaded",
			       root->prefix);
	return 0;
}

double rapl_growth_j(uint64_t before_uj, uint64_t now_uj, uint64_t range_uj, double elapsed_s)
{
	double growth_j;

	if (now_uj >= before_uj)
		return (double)(now_uj - before_uj) * 1e-6;
	if (range_uj < before_uj)
		return NAN;
	growth_j = (double)(range_uj - before_uj + now_uj) * 1e-6;
	return growth_j <= RAPL_POWER_MAX_W * elapsed_s ? growth_j : NAN;
}

void rapl_read(struct rapl *r, double elapsed_s, double ret_j[ZONE_COUNT],
	       struct rapl_events *ret_events)
{
	struct rapl_events events = {0};

	zone_foreach (z)
		ret_j[z] = r->has[z] ? 0 : NAN;
	for (size_t i = 0; i < r->n; i++) {
		struct rapl_counter *c = &r->counters[i];
		uint64_t now_uj;
		double growth_j = NAN;

		if (read_number(r->root, c->directory, "energy_uj", &now_uj) < 0) {
			events.unread++;
		} else {
			growth_j = rapl_growth_j(c->energy_uj, now_uj, c->range_uj, elapsed_s);
			events.resets += isnan(growth_j);
			events.wraps += now_uj < c->energy_uj && !isnan(growth_j);
			c->energy_uj = now_uj;
		}
		ret_j[c->zone] += growth_j;
	}
	*ret_events = events;
}
