/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_RECEIVE_STORE_H
#define RECORD_RECEIVE_STORE_H

/*
 * What guests push, into the host's trace: a GUEST stream per VM, under the
 * name that the channel gave it. What the payload says of a name or uuid is
 * not kept, since recordings are paired by them.
 *
 * A stream that is described again with the same words is gone on with, but
 * without the label it had, as any stream begins; and a row that is there
 * already (a guest sends again what was not acknowledged) is left out. Each VM has its own limits
 * of rate, streams and disk, so that none can take what is the others'.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/text.h"
#include "record/channel.h"
#include "trace/trace.h"

#define RECEIVE_VMS_MAX	    64
#define RECEIVE_STREAMS_MAX 32	 /* of one VM in one file */
#define RECEIVE_SEEN	    4096 /* rows of a VM that are known again: more than a queue holds */

/* So much a second over time, and so much at once. */
struct bucket_limit {
	double per_s, at_once;
};

struct bucket {
	double used;
	int64_t at_ns;
};

/* Take `amount` at CLOCK_MONOTONIC `now_ns`: false where the limit does not give it. */
bool bucket_take(struct bucket *b, const struct bucket_limit *l, double amount, int64_t now_ns);

struct receive_limits {
	struct bucket_limit bytes, rows; /* of one VM */
	uint64_t disk_bytes;		 /* for all that is pushed; 0: no limit */
};

extern const struct receive_limits receive_limits_default;

/* One VM, across its connections. */
struct receive_vm {
	char name[CHANNEL_VM];
	bool has_stream;
	unsigned id, streams; /* of its stream in the file; how many it has begun there */
	size_t n_columns;
	struct byte_writer description; /* its stream as a frame, id 0 */
	char label[TRACE_TEXT];
	bool label_ends; /* its stream was described again, and no label came with it until now */
	int64_t seen[RECEIVE_SEEN]; /* real_ns of rows, a ring */
	size_t n_seen;		    /* ever */
	uint64_t disk_bytes;
	struct bucket bytes, rows, lines; /* lines: said of it on stderr */
	/* for the summary: since this was opened */
	uint64_t taken_rows, taken_bytes, repeated, connections, ended;
};

struct receive_store {
	struct trace_writer *writer; /* borrowed */
	struct receive_limits limits;
	size_t expected; /* VMs that may push: each has that part of the disk */
	struct receive_vm *vms[RECEIVE_VMS_MAX]; /* owned */
	size_t n;
	struct err broken; /* the trace cannot be written: code is not 0 */
};

/* `path` is read for what guests have pushed into it before. */
int receive_store_open(struct receive_store *s, struct trace_writer *writer, const char *path,
		       const struct receive_limits *limits, struct err *e);
void receive_store_release(struct receive_store *s);

/* The VM of this name, made where it is new; NULL over RECEIVE_VMS_MAX. */
struct receive_vm *receive_store_vm(struct receive_store *s, const char *name);

/* `n` bytes came from it: -EDQUOT over its rate. */
int receive_store_bytes(struct receive_store *s, struct receive_vm *vm, size_t n, int64_t now_ns,
			struct err *e);

/* -EDQUOT over a limit of this VM; where the trace itself fails that is kept in `broken`. */
int receive_store_stream(struct receive_store *s, struct receive_vm *vm,
			 const struct trace_stream *stream, struct err *e);
int receive_store_row(struct receive_store *s, struct receive_vm *vm, int64_t real_ns,
		      const double *values, size_t n, int64_t now_ns, struct err *e);
int receive_store_label(struct receive_store *s, struct receive_vm *vm, int64_t real_ns,
			const char *label, struct err *e);

/* Rows taken since it was opened; `"pushed":[{"vm":...,"rows":...,...}]`. */
uint64_t receive_store_rows(const struct receive_store *s);
void receive_store_json(const struct receive_store *s, struct text *t);

#endif
