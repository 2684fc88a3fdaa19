/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_HOST_OUT_H
#define RECORD_HOST_OUT_H

/*
 * The trace that a host's recording goes into: a stream per VM, taken up where
 * an earlier recording left it; and what is reported of it at the end.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "record/host_vm.h"
#include "trace/trace.h"

#define HOST_COLUMNS_MAX 24
#define HOST_META_MAX	 16

struct host_out; /* owned by host_out_open's caller */

/* What a VM's stream says of itself. Texts are borrowed; keys without a value are left out. */
struct host_stream {
	const char *title;
	size_t n_meta, n_columns;
	char boot_id[64];
	const char *meta[2 * HOST_META_MAX];
	const char *columns[HOST_COLUMNS_MAX];
};

/* Add a pair; nothing where the value is "" or NULL. */
void host_stream_meta(struct host_stream *s, const char *key, const char *value);

/*
 * The steady clock of a live source, which a set wall clock leaves alone: the column `boot_ns`,
 * first of all, and which boot it counts from.
 */
void host_stream_steady(struct host_stream *s);

/* Its value for a row that was read at `real_ns`, a moment ago. */
double host_steady_ns(int64_t real_ns);

/* What every source knows of a VM: name, uuid, pid, container, node, hypervisor. */
void host_stream_vm(struct host_stream *s, const struct host_vm *vm);

/*
 * Open or take up the file, whose rows are read once to see where each VM's
 * stream ends; *ret_cut: bytes of a broken-off end that were cut off.
 */
int host_out_open(const char *path, struct host_out **ret, size_t *ret_cut, struct err *e);
void host_out_close(struct host_out *o); /* NULL is fine */

/* When the last row of this VM was read, in ns of CLOCK_REALTIME; INT64_MIN: it has none. */
int64_t host_out_last_ns(const struct host_out *o, const char *title);

/* Begin a VM's stream, after an earlier one's rows where there are any. */
int host_out_begin(struct host_out *o, const struct host_stream *s, size_t *ret_at, struct err *e);

/* Columns of the row at which a counter (a `_joules` column) fell. */
int host_out_row(struct host_out *o, size_t at, int64_t real_ns, const double *values,
		 unsigned *ret_falls, struct err *e);

/* The trace itself, for who else writes into it. */
struct trace_writer *host_out_writer(struct host_out *o);

int host_out_sync(struct host_out *o, struct err *e);

/* Rows written since it was opened. */
uint64_t host_out_rows(const struct host_out *o);

/* How many VMs have rows since it was opened. */
size_t host_out_vms(const struct host_out *o);

/* `"vms":[{"vm":...,"rows":...,"falls":...,"first_s":...,"last_s":...,"columns":[...]}]` */
void host_out_json(const struct host_out *o, struct text *t);

#endif
