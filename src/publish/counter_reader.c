// SPDX-License-Identifier: Apache-2.0
/* Following a counter page: see counter_page.h. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/powercap.h"
#include "publish/counter_file.h"

#define TICK_MAX_NS INT64_C(86400000000000)
#define UJ_MAX	    (INT64_MAX / 2) /* a century and a half of a kilowatt; signed sums stay right */
#define TRIES	    16		    /* a writer would have to write twice within each of them */

/* What a damaged or hostile file could say and still have its checksum right. */
static bool plausible(const struct counter_page *p)
{
	if (p->tick_ns <= 0 || p->tick_ns > TICK_MAX_NS || p->n < 1 || p->n > COUNTER_POINTS)
		return false;
	for (uint64_t i = 0; i < p->n; i++) {
		if (p->points[i].t_ns < -p->tick_ns || p->points[i].t_ns > INT64_MAX / 2)
			return false;
		if (i && p->points[i].t_ns <= p->points[i - 1].t_ns)
			return false;
		for (int z = 0; z < ZONE_RAPL_COUNT; z++) {
			if (p->points[i].uj[z] > UJ_MAX ||
			    (i && p->points[i].uj[z] < p->points[i - 1].uj[z]))
				return false;
		}
	}
	return true;
}

static bool read_page(int fd, struct counter_page *ret)
{
	struct counter_file file;
	const struct counter_page *best = NULL;

	for (int i = 0; i < TRIES && !best; i++) {
		if (pread(fd, &file, sizeof(file), 0) != sizeof(file) ||
		    file.magic != COUNTER_MAGIC)
			return false;
		for (int s = 0; s < 2; s++) {
			const struct counter_page *p = &file.slots[s].page;

			if (file.slots[s].checksum == counter_checksum(p) && plausible(p) &&
			    (!best || p->sequence > best->sequence))
				best = p;
		}
	}
	if (best)
		*ret = *best;
	return best != NULL;
}

void counter_reader_init(struct counter_reader *r, const char *path)
{
	*r = (struct counter_reader){.path = path, .fd = -1};
	counter_boot_id(r->boot_id);
}

void counter_reader_release(struct counter_reader *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

/* Another file, or the first one, stands at the path. */
static void reopen(struct counter_reader *r)
{
	struct stat st;
	int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return;
	}
	counter_reader_release(r);
	r->fd = fd;
	r->dev = st.st_dev;
	r->ino = st.st_ino;
}

void counter_reader_refresh(struct counter_reader *r)
{
	struct stat st;

	if (stat(r->path, &st) == 0 && (r->fd < 0 || st.st_ino != r->ino || st.st_dev != r->dev))
		reopen(r);
	if (r->fd >= 0 && read_page(r->fd, &r->page))
		r->has_page = true;
}

void counter_reader_resume(struct counter_reader *r, enum zone z, uint64_t shown_uj, int64_t now_ns)
{
	uint64_t uj, ahead;

	r->shown_uj[z] = shown_uj;
	if (!r->has_page)
		return;
	uj = counter_at(&r->page, z, now_ns, r->boot_id);
	ahead = (uj % POWERCAP_RANGE_UJ + POWERCAP_RANGE_UJ - shown_uj % POWERCAP_RANGE_UJ) %
		POWERCAP_RANGE_UJ;
	/* More than half the range is no way a counter goes in one absence: it fell. */
	r->offset_uj[z] = ahead > POWERCAP_RANGE_UJ / 2 ? POWERCAP_RANGE_UJ - ahead : 0;
	r->shown_uj[z] = uj + r->offset_uj[z];
}

uint64_t counter_reader_show(struct counter_reader *r, enum zone z, int64_t now_ns)
{
	uint64_t uj;

	if (!r->has_page) {
		r->shown_without = true;
		return r->shown_uj[z] % POWERCAP_RANGE_UJ;
	}
	uj = counter_at(&r->page, z, now_ns, r->boot_id);
	if (r->shown_without) {
		/* A reader took what was shown for a beginning: no jump. */
		for (int i = 0; i < ZONE_RAPL_COUNT; i++)
			r->offset_uj[i] = r->shown_uj[i] -
					  counter_at(&r->page, (enum zone)i, now_ns, r->boot_id);
		r->shown_without = false;
	}
	uj += r->offset_uj[z];
	if ((int64_t)uj < (int64_t)r->shown_uj[z]) { /* offsets may be below 0 */
		uint64_t behind = r->shown_uj[z] - uj;

		/* Played out more slowly by a new writer: it comes. Else it is another count. */
		if (behind > r->page.points[r->page.n - 1].uj[z] - r->page.points[0].uj[z])
			r->offset_uj[z] += behind;
		uj = r->shown_uj[z];
	}
	r->shown_uj[z] = uj;
	return uj % POWERCAP_RANGE_UJ;
}
