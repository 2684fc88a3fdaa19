// SPDX-License-Identifier: Apache-2.0
/* The counter page's arithmetic and its writer: see counter_page.h. */
#include "publish/counter_page.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mapped.h"
#include "base/root.h"
#include "publish/counter_file.h"

#define SILENT_TICKS	3
#define UJ_PER_TICK_MAX 1e15 /* a gigawatt for a quarter of an hour: no estimate says that */

__extension__ typedef unsigned __int128 wide;

void counter_boot_id(uint64_t ret[2])
{
	struct root root;
	char text[64];
	unsigned n = 0;

	ret[0] = ret[1] = 0;
	if (root_init(&root, NULL, NULL) < 0 ||
	    root_read_line(&root, "/proc/sys/kernel/random/boot_id", text, sizeof(text)) < 0)
		return;
	for (const char *p = text; *p && n < 32; p++) {
		const char *digits = "0123456789abcdef", *digit = strchr(digits, *p);

		if (!digit)
			continue;
		ret[n / 16] = ret[n / 16] << 4 | (uint64_t)(digit - digits);
		n++;
	}
}

static bool same_boot(const struct counter_page *p, const uint64_t boot_id[2])
{
	return p->boot_id[0] == boot_id[0] && p->boot_id[1] == boot_id[1];
}

static uint64_t between(const struct counter_point *a, const struct counter_point *b, enum zone z,
			int64_t t_ns)
{
	wide span_ns = (wide)(b->t_ns - a->t_ns);

	return a->uj[z] +
	       (uint64_t)((wide)(b->uj[z] - a->uj[z]) * (wide)(t_ns - a->t_ns) / span_ns);
}

uint64_t counter_at(const struct counter_page *p, enum zone z, int64_t now_ns,
		    const uint64_t boot_id[2])
{
	const struct counter_point *last = &p->points[p->n - 1];
	int64_t t_ns = now_ns - p->tick_ns;

	/* Before a reboot: all of it is played out by now. */
	if (!same_boot(p, boot_id) || t_ns >= last->t_ns)
		return last->uj[z];
	for (uint64_t i = p->n - 1; i > 0; i--) {
		if (t_ns >= p->points[i - 1].t_ns)
			return between(&p->points[i - 1], &p->points[i], z, t_ns);
	}
	return p->points[0].uj[z];
}

double counter_power_w(const struct counter_page *p, enum zone z, int64_t now_ns,
		       const uint64_t boot_id[2])
{
	const struct counter_point *b = &p->points[p->n - 1], *a = b - 1;

	if (p->n < 2 || !same_boot(p, boot_id) || now_ns - b->t_ns > SILENT_TICKS * p->tick_ns)
		return 0;
	return (double)(b->uj[z] - a->uj[z]) / (double)(b->t_ns - a->t_ns) * 1e3;
}

/* ---- the writer ---- */

static void drop(struct counter_writer *w)
{
	mapped_forget(w->file);
	munmap(w->file, sizeof(*w->file));
	close(w->fd);
	w->file = NULL;
}

static void commit(struct counter_writer *w)
{
	struct counter_slot *slot;

	w->page.sequence++;
	slot = &w->file->slots[w->page.sequence % 2];
	/* A kill between these lines leaves a bad checksum: the other slot counts. */
	slot->checksum = 0;
	atomic_thread_fence(memory_order_seq_cst);
	slot->page = w->page;
	atomic_thread_fence(memory_order_seq_cst);
	slot->checksum = counter_checksum(&slot->page);
	if (!mapped_lost(w->file))
		return;
	log_error("the counter page cannot be written any more (its disk failed or is full, or it "
		  "was cut off): powercap counters stand still");
	drop(w);
}

/* Keep what `tick_ns` still has to play out as one interval of that length that ends now. */
static void begin(struct counter_writer *w, int64_t now_ns, int64_t tick_ns)
{
	struct counter_page *p = &w->page, old = *p;
	uint64_t boot_id[2];

	counter_boot_id(boot_id);
	p->n = 2;
	p->points[0].t_ns = now_ns - tick_ns;
	p->points[1] = old.points[old.n - 1];
	p->points[1].t_ns = now_ns;
	for (int z = 0; z < ZONE_RAPL_COUNT; z++)
		p->points[0].uj[z] = counter_at(&old, (enum zone)z, now_ns, boot_id);
	memcpy(p->boot_id, boot_id, sizeof(boot_id));
	p->tick_ns = tick_ns;
	commit(w);
}

/* A whole file beside it, renamed into place: no reader meets half of one. */
static int make_file(const char *path, const struct counter_page *first, struct err *e)
{
	struct counter_file file = {.magic = COUNTER_MAGIC};
	char temporary[PATH_MAX];
	autofd int fd = -1;

	file.slots[first->sequence % 2].page = *first;
	file.slots[first->sequence % 2].checksum = counter_checksum(first);
	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
		return err_set(e, -ENAMETOOLONG, "counter page %s: path too long", path);
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, &file, sizeof(file)) != sizeof(file) ||
	    fchmod(fd, first->owner_only ? 0600 : 0644) < 0 || rename(temporary, path) < 0)
		return err_errno(e, "counter page %s", path);
	return 0;
}

static int map_file(struct counter_writer *w, const char *path, struct err *e)
{
	autofd int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	void *at = fd < 0 ? MAP_FAILED
			  : mmap(NULL, sizeof(*w->file), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return err_errno(e, "counter page %s", path);
	w->file = at;
	w->fd = steal_fd(&fd);
	mapped_watch(w->file, sizeof(*w->file));
	return 0;
}

int counter_writer_open(struct counter_writer *w, const char *path, int64_t now_ns, int64_t tick_ns,
			const uint64_t start_uj[ZONE_RAPL_COUNT], bool *ret_kept, struct err *e)
{
	struct counter_reader r;
	int error = 0;

	*w = (struct counter_writer){.fd = -1};
	counter_reader_init(&r, path);
	counter_reader_refresh(&r);
	*ret_kept = r.has_page;
	if (r.has_page) {
		w->page = r.page;
	} else {
		w->page.tick_ns = tick_ns;
		w->page.n = 1;
		w->page.points[0].t_ns = now_ns;
		memcpy(w->page.points[0].uj, start_uj, sizeof(w->page.points[0].uj));
		error = make_file(path, &w->page, e);
	}
	counter_reader_release(&r);
	if (error == 0)
		error = map_file(w, path, e);
	if (error == 0)
		begin(w, now_ns, tick_ns);
	return error;
}

void counter_writer_set_tick(struct counter_writer *w, int64_t now_ns, int64_t tick_ns)
{
	if (w->file && w->page.tick_ns != tick_ns && now_ns > w->page.points[w->page.n - 1].t_ns)
		begin(w, now_ns, tick_ns);
}

void counter_writer_set_owner_only(struct counter_writer *w, bool owner_only)
{
	if (!w->file || w->page.owner_only == owner_only)
		return;
	fchmod(w->fd, owner_only ? 0600 : 0644);
	w->page.owner_only = owner_only;
	commit(w);
}

void counter_writer_add(struct counter_writer *w, int64_t t_ns, const double uj[ZONE_RAPL_COUNT])
{
	struct counter_page *p = &w->page;
	struct counter_point *to;

	if (!w->file || t_ns <= p->points[p->n - 1].t_ns)
		return;
	if (p->n == COUNTER_POINTS) {
		memmove(p->points, p->points + 1, (COUNTER_POINTS - 1) * sizeof(p->points[0]));
		p->n--;
	}
	to = &p->points[p->n];
	*to = p->points[p->n - 1];
	to->t_ns = t_ns;
	p->n++;
	for (int z = 0; z < ZONE_RAPL_COUNT; z++) {
		double more_uj = w->rest_uj[z], whole;

		if (uj[z] > 0 && uj[z] < UJ_PER_TICK_MAX)
			more_uj += uj[z];
		whole = floor(more_uj);
		to->uj[z] += (uint64_t)whole;
		w->rest_uj[z] = more_uj - whole;
	}
	commit(w);
}

void counter_writer_close(struct counter_writer *w)
{
	if (!w->file)
		return;
	msync(w->file, sizeof(*w->file), MS_SYNC);
	drop(w);
}
