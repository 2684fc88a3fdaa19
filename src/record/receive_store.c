// SPDX-License-Identifier: Apache-2.0
/* What guests push, into the host's trace: see receive_store.h. */
#include "record/receive_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define FRAME_BYTES(n) (TRACE_OVERHEAD + 12 + 8 * (uint64_t)(n)) /* of a row */

/* A queue of 1 MiB at once, and ten rows a second of a VM with 200 CPUs over time. */
const struct receive_limits receive_limits_default = {
	.bytes = {.per_s = 256e3, .at_once = 4e6},
	.rows = {.per_s = 50, .at_once = 8000},
};

bool bucket_take(struct bucket *b, const struct bucket_limit *l, double amount, int64_t now_ns)
{
	double left = b->used - (double)(now_ns - b->at_ns) * 1e-9 * l->per_s;

	b->used = left > 0 ? left : 0;
	b->at_ns = now_ns;
	if (b->used + amount > l->at_once)
		return false;
	b->used += amount;
	return true;
}

/* ---- VMs, and what the file holds of them ---- */

struct receive_vm *receive_store_vm(struct receive_store *s, const char *name)
{
	struct receive_vm *vm;

	for (size_t i = 0; i < s->n; i++) {
		if (!strcmp(s->vms[i]->name, name))
			return s->vms[i];
	}
	vm = s->n < RECEIVE_VMS_MAX ? calloc(1, sizeof(*vm)) : NULL;
	if (!vm)
		return NULL;
	strncpy(vm->name, name, sizeof(vm->name) - 1);
	s->vms[s->n++] = vm;
	return vm;
}

static bool describe(struct receive_vm *vm, const struct trace_stream *s)
{
	vm->description.len = 0;
	trace_encode_stream(&vm->description, 0, s);
	return !vm->description.failed;
}

static void remember_row(struct receive_vm *vm, int64_t real_ns, size_t n_columns)
{
	vm->seen[vm->n_seen++ % RECEIVE_SEEN] = real_ns;
	vm->disk_bytes += FRAME_BYTES(n_columns);
}

static int take_record(struct receive_store *s, const struct trace_record *record)
{
	const struct trace_stream *stream = record->stream;
	struct receive_vm *vm;

	if (stream->kind != TRACE_GUEST || strlen(stream->vm) >= CHANNEL_VM)
		return 0;
	vm = receive_store_vm(s, stream->vm);
	if (!vm)
		return -ENOMEM;
	if (record->type == TRACE_STREAM) {
		vm->has_stream = describe(vm, stream);
		vm->id = record->id;
		vm->n_columns = stream->n_columns;
		vm->streams++;
		vm->disk_bytes += vm->description.len;
		vm->label[0] = 0;
	} else if (record->type == TRACE_LABEL) {
		strncpy(vm->label, record->label, sizeof(vm->label) - 1);
	} else {
		remember_row(vm, record->real_ns, stream->n_columns);
	}
	return 0;
}

int receive_store_open(struct receive_store *s, struct trace_writer *writer, const char *path,
		       const struct receive_limits *limits, struct err *e)
{
	struct trace_reader *reader;
	struct trace_record record;
	int r = trace_reader_open(path, &reader, e);

	*s = (struct receive_store){.writer = writer, .limits = *limits, .expected = 1};
	if (r < 0)
		return r;
	while ((r = trace_next(reader, &record, e)) > 0) {
		if (take_record(s, &record) < 0) {
			r = err_set(e, -ENOSPC, "%s: holds over %d guests: record into a new file",
				    path, RECEIVE_VMS_MAX);
			break;
		}
	}
	trace_reader_close(reader);
	return r;
}

void receive_store_release(struct receive_store *s)
{
	for (size_t i = 0; i < s->n; i++) {
		byte_writer_release(&s->vms[i]->description);
		free(s->vms[i]);
	}
	s->n = 0;
}

/* ---- what is pushed ---- */

static int over(struct err *e, const char *what)
{
	return err_set(e, -EDQUOT, "%s", what);
}

/* A write that failed is everybody's trouble. */
static int written(struct receive_store *s, int r, const struct err *e)
{
	if (r < 0)
		s->broken = *e;
	return r;
}

/* Room for `bytes` in this VM's part of the disk. */
static int has_room(const struct receive_store *s, const struct receive_vm *vm, uint64_t bytes,
		    struct err *e)
{
	uint64_t part = s->limits.disk_bytes / (s->expected ? s->expected : 1);

	if (s->limits.disk_bytes && vm->disk_bytes + bytes > part)
		return over(e, "its part of --max-size is used up");
	return 0;
}

int receive_store_bytes(struct receive_store *s, struct receive_vm *vm, size_t n, int64_t now_ns,
			struct err *e)
{
	vm->taken_bytes += n;
	return bucket_take(&vm->bytes, &s->limits.bytes, (double)n, now_ns)
		       ? 0
		       : over(e, "it sends more bytes than it may");
}

/* What pairs recordings comes from the channel only. */
static size_t keep_meta(const struct trace_stream *from, const char *ret[2 * TRACE_META_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < from->n_meta; i++) {
		const char *key = from->meta[2 * i];

		if (!strcmp(key, "uuid") || !strcmp(key, "name"))
			continue;
		ret[2 * n] = key;
		ret[2 * n++ + 1] = from->meta[2 * i + 1];
	}
	return n;
}

int receive_store_stream(struct receive_store *s, struct receive_vm *vm,
			 const struct trace_stream *stream, struct err *e)
{
	const char *meta[2 * TRACE_META_MAX];
	struct trace_stream own = *stream;
	struct byte_writer before = vm->description;
	bool same;

	own.vm = vm->name;
	own.meta = meta;
	own.n_meta = keep_meta(stream, meta);
	vm->description = (struct byte_writer){0};
	if (!describe(vm, &own)) {
		byte_writer_release(&before);
		vm->has_stream = false;
		return err_nomem(e);
	}
	same = vm->has_stream && before.len == vm->description.len &&
	       !memcmp(before.data, vm->description.data, before.len);
	byte_writer_release(&before);
	if (same) {
		vm->label_ends = vm->label[0] != 0;
		return 0;
	}
	vm->has_stream = vm->label_ends = false;
	if (vm->streams >= RECEIVE_STREAMS_MAX)
		return over(e, "it has begun too many streams in this file");
	if (has_room(s, vm, vm->description.len, e) < 0)
		return e->code;
	if (written(s, trace_write_stream(s->writer, &own, &vm->id, e), e) < 0)
		return e->code;
	vm->has_stream = true;
	vm->streams++;
	vm->n_columns = own.n_columns;
	vm->disk_bytes += vm->description.len;
	vm->label[0] = 0;
	return 0;
}

static bool is_seen(const struct receive_vm *vm, int64_t real_ns)
{
	size_t n = vm->n_seen < RECEIVE_SEEN ? vm->n_seen : RECEIVE_SEEN;

	for (size_t i = 0; i < n; i++) {
		if (vm->seen[i] == real_ns)
			return true;
	}
	return false;
}

int receive_store_row(struct receive_store *s, struct receive_vm *vm, int64_t real_ns,
		      const double *values, size_t n, int64_t now_ns, struct err *e)
{
	if (!bucket_take(&vm->rows, &s->limits.rows, 1, now_ns))
		return over(e, "it sends more rows than it may");
	if (!vm->has_stream || n != vm->n_columns)
		return over(e, "it has no stream");
	if (is_seen(vm, real_ns)) {
		vm->repeated++;
		return 0;
	}
	if (vm->label_ends && receive_store_label(s, vm, real_ns, "", e) < 0)
		return e->code;
	if (has_room(s, vm, FRAME_BYTES(n), e) < 0 ||
	    written(s, trace_write_row(s->writer, vm->id, real_ns, values, n, e), e) < 0)
		return e->code;
	remember_row(vm, real_ns, n);
	vm->taken_rows++;
	return 0;
}

int receive_store_label(struct receive_store *s, struct receive_vm *vm, int64_t real_ns,
			const char *label, struct err *e)
{
	uint64_t bytes = TRACE_OVERHEAD + 12 + strlen(label);

	if (!vm->has_stream)
		return over(e, "it has no stream");
	vm->label_ends = false;
	if (!strcmp(label, vm->label))
		return 0;
	if (has_room(s, vm, bytes, e) < 0 ||
	    written(s, trace_write_label(s->writer, vm->id, real_ns, label, e), e) < 0)
		return e->code;
	vm->disk_bytes += bytes;
	strncpy(vm->label, label, sizeof(vm->label) - 1);
	return 0;
}

/* ---- what came of it ---- */

uint64_t receive_store_rows(const struct receive_store *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->vms[i]->taken_rows;
	return n;
}

void receive_store_json(const struct receive_store *s, struct text *t)
{
	const char *comma = "";

	text_add(t, "\"pushed\":[");
	for (size_t i = 0; i < s->n; i++) {
		const struct receive_vm *vm = s->vms[i];

		if (!vm->connections)
			continue;
		text_printf(t, "%s{\"vm\":", comma);
		text_json_string(t, vm->name);
		text_printf(t, ",\"rows\":%llu,\"bytes\":%llu,\"repeated\":%llu",
			    (unsigned long long)vm->taken_rows, (unsigned long long)vm->taken_bytes,
			    (unsigned long long)vm->repeated);
		text_printf(t, ",\"connections\":%llu,\"faults\":%llu}",
			    (unsigned long long)vm->connections, (unsigned long long)vm->ended);
		comma = ",";
	}
	text_add(t, "]");
}
