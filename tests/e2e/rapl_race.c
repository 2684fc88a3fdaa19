// SPDX-License-Identifier: Apache-2.0
/*
 * Readers that race with a powercap tree: rapl_race ROOT READS [THREADS [SECONDS]]
 *
 * Every thread reads the energy_uj of every zone below ROOT/class/powercap in
 * turn as Kepler does (open, read to the end, close), for at least READS in all
 * and SECONDS; where ROOT has "fuse" in it, three in four from a descriptor that
 * stays open and is read from its start again. What is missing, empty, torn (not digits
 * and one newline) or lower than before (and no wrap) is counted and told; exit
 * 1 when there was any.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RANGE_UJ    UINT64_C(262143328850)
#define THREADS_MAX 16

static const char *const zones[] = {"intel-rapl:0", "intel-rapl:0:0", "intel-rapl:0:1",
				    "intel-rapl:0:2"};

struct reader {
	pthread_t thread;
	const char *root;
	long reads_wanted, reads, moved;
	double until_s;
	long missing, empty, torn, back;
};

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Read to the end, as readers of whole files do. */
static ssize_t read_whole(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, buf + len, size - len)) > 0)
		len += (size_t)n;
	return n < 0 ? -1 : (ssize_t)len;
}

static void judge(struct reader *r, const char *text, ssize_t len, uint64_t *before, bool first)
{
	uint64_t uj = 0;
	ssize_t digits = 0;

	r->reads++;
	if (len < 0) {
		r->missing++;
		return;
	}
	for (; digits < len && text[digits] >= '0' && text[digits] <= '9'; digits++)
		uj = uj * 10 + (uint64_t)(text[digits] - '0');
	if (len == 0)
		r->empty++;
	else if (!digits || digits > 12 || digits != len - 1 || text[digits] != '\n' ||
		 uj >= RANGE_UJ)
		r->torn++;
	else {
		/* A wrap is a small step forward, a fall nearly the whole range. */
		if (!first && (uj + RANGE_UJ - *before) % RANGE_UJ > RANGE_UJ / 2)
			r->back++;
		r->moved += uj != *before;
		*before = uj;
	}
}

static void *run(void *arg)
{
	struct reader *r = arg;
	uint64_t before[4] = {0};
	char path[4][512], text[64];
	int kept[4];

	for (int z = 0; z < 4; z++) {
		snprintf(path[z], sizeof(path[z]), "%s/class/powercap/%s/energy_uj", r->root,
			 zones[z]);
		kept[z] = open(path[z], O_RDONLY | O_CLOEXEC);
	}
	for (long round = 0; r->reads < r->reads_wanted || now_s() < r->until_s; round++) {
		for (int z = 0; z < 4; z++) {
			/* Plain files are replaced: only a new descriptor sees that. */
			bool again = round % 4 && strstr(r->root, "fuse");
			int fd = again ? kept[z] : open(path[z], O_RDONLY | O_CLOEXEC);
			ssize_t n = -1;

			if (fd >= 0)
				n = again ? pread(fd, text, sizeof(text), 0)
					  : read_whole(fd, text, sizeof(text));
			judge(r, text, n, &before[z], round == 0);
			if (!again && fd >= 0)
				close(fd);
		}
	}
	for (int z = 0; z < 4; z++)
		close(kept[z]);
	return NULL;
}

int main(int argc, char **argv)
{
	struct reader readers[THREADS_MAX] = {{0}}, all = {0};
	long reads = argc > 2 ? atol(argv[2]) : 0;
	int n = argc > 3 ? atoi(argv[3]) : 1;
	double begin_s = now_s(), least_s = argc > 4 ? atof(argv[4]) : 0;

	if (reads < 1 || n < 1 || n > THREADS_MAX) {
		fprintf(stderr, "usage: rapl_race ROOT READS [THREADS [SECONDS]]\n");
		return 2;
	}
	for (int i = 0; i < n; i++) {
		readers[i] = (struct reader){.root = argv[1],
					     .reads_wanted = reads / n + 1,
					     .until_s = begin_s + least_s};
		if (pthread_create(&readers[i].thread, NULL, run, &readers[i]) != 0)
			return 1;
	}
	for (int i = 0; i < n; i++) {
		pthread_join(readers[i].thread, NULL);
		all.reads += readers[i].reads;
		all.moved += readers[i].moved;
		all.missing += readers[i].missing;
		all.empty += readers[i].empty;
		all.torn += readers[i].torn;
		all.back += readers[i].back;
	}
	printf("{\"reads\":%ld,\"moved\":%ld,\"missing\":%ld,\"empty\":%ld,\"torn\":%ld,\"back\":%"
	       "ld,"
	       "\"seconds\":%.1f}\n",
	       all.reads, all.moved, all.missing, all.empty, all.torn, all.back, now_s() - begin_s);
	return all.missing || all.empty || all.torn || all.back;
}
