// SPDX-License-Identifier: Apache-2.0
/* Powercap zones to joules: see rapl.h. */
#include "collect/rapl.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/powercap.h"

/* One file of the folder, as a line. Its length, or -errno. */
static ssize_t read_line(const struct rapl *r, const char *name, char *buf, size_t size)
{
	char path[sizeof(r->folder) + 128];

	snprintf(path, sizeof(path), "%s/%.100s", r->folder, name);
	return root_read_line(r->root, path, buf, size);
}

/* Estimates are no meter, wherever their tree is mounted. */
static bool is_ours(const struct rapl *r)
{
	char mark[64];

	return read_line(r, &POWERCAP_MARKER[1], mark, sizeof(mark)) > 0;
}

static void ignore(struct rapl *r, const char *name)
{
	size_t n = strlen(r->ignored);

	if (!strstr(r->ignored, name))
		snprintf(r->ignored + n, sizeof(r->ignored) - n, "%s%.31s", n ? ", " : "", name);
}

/* ---- one counter ---- */

static void close_counter(struct rapl_counter *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static int open_counter(const struct rapl *r, const struct rapl_counter *c)
{
	char path[sizeof(r->folder) + 128];

	snprintf(path, sizeof(path), "%s/%s/energy_uj", r->folder, c->directory);
	return root_open(r->root, path);
}

/* The kernel hands the number over in one piece; a file that is being written anew is empty. */
static int read_energy(const struct rapl_counter *c, uint64_t *ret_uj)
{
	char text[64];
	ssize_t n = pread(c->fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return -errno;
	if (n == 0 && c->known) {
		*ret_uj = c->energy_uj;
		return 0;
	}
	if (n && text[n - 1] == '\n')
		n--;
	text[n] = 0;
	return parse_u64(text, ret_uj);
}

/* A file that was removed, or replaced by another of its name, says the same for ever. */
static bool is_gone(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 || st.st_nlink == 0;
}

static int read_counter(const struct rapl *r, struct rapl_counter *c, uint64_t *ret_uj)
{
	int error = c->fd >= 0 ? read_energy(c, ret_uj) : -EBADF;

	if (error == 0 && !(c->known && *ret_uj == c->energy_uj && is_gone(c->fd)))
		return 0;
	close_counter(c);
	if (is_ours(r))
		return -EEXIST;
	c->fd = open_counter(r, c);
	error = c->fd < 0 ? c->fd : read_energy(c, ret_uj);
	if (error < 0)
		close_counter(c);
	return error;
}

/* ---- all of them ---- */

/* Take the zone in `directory`, where it is one. */
static void take_zone(struct rapl *r, const char *directory)
{
	struct rapl_counter c = {.fd = -1};
	char path[96], name[32], range[32];
	int zone, error;

	/* MMIO shows the same package a second time; "intel-rapl" itself is no zone. */
	if (!strstr(directory, "rapl:") || strstr(directory, "mmio") ||
	    strlen(directory) >= sizeof(c.directory))
		return;
	snprintf(path, sizeof(path), "%.63s/name", directory);
	if (read_line(r, path, name, sizeof(name)) <= 0)
		return;
	zone = zone_find_rapl(name);
	if (zone < 0 || r->n == RAPL_COUNTERS_MAX) {
		ignore(r, name);
		return;
	}
	c.zone = (enum zone)zone;
	snprintf(c.directory, sizeof(c.directory), "%s", directory);
	error = read_counter(r, &c, &c.energy_uj);
	c.known = error == 0;
	if (error < 0)
		r->error = error;
	snprintf(path, sizeof(path), "%.63s/max_energy_range_uj", directory);
	if (read_line(r, path, range, sizeof(range)) > 0)
		parse_u64(range, &c.range_uj);
	r->counters[r->n++] = c;
	r->has[zone] = true;
}

int rapl_find(struct rapl *r, const struct root *root, const char *folder)
{
	char path[sizeof(root->prefix) + sizeof(r->folder)];
	DIR *dir;

	*r = (struct rapl){.root = root};
	snprintf(r->folder, sizeof(r->folder), "%s", folder);
	if (is_ours(r))
		return -EEXIST;
	snprintf(path, sizeof(path), "%s%s", root->prefix, r->folder);
	dir = opendir(path);
	if (!dir)
		return -ENODEV;
	for (struct dirent *d; (d = readdir(dir));)
		take_zone(r, d->d_name);
	closedir(dir);
	return r->n ? 0 : -ENODEV;
}

void rapl_close(struct rapl *r)
{
	for (size_t i = 0; i < r->n; i++)
		close_counter(&r->counters[i]);
	r->n = 0;
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

		if (read_counter(r, c, &now_uj) < 0) {
			events.unread++;
		} else if (c->known) {
			growth_j = rapl_growth_j(c->energy_uj, now_uj, c->range_uj, elapsed_s);
			events.resets += isnan(growth_j);
			events.wraps += now_uj < c->energy_uj && !isnan(growth_j);
			c->energy_uj = now_uj;
		} else {
			c->energy_uj = now_uj;
			c->known = true;
		}
		ret_j[c->zone] += growth_j;
	}
	*ret_events = events;
}
