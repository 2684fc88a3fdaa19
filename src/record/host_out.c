// SPDX-License-Identifier: Apache-2.0
/* A host's figures into a trace: see host_out.h. */
#include "record/host_out.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/kernel.h"
#include "base/root.h"
#include "trace/trace.h"

struct out_vm {
	char title[HOST_TEXT];
	unsigned id;	 /* of its stream, where it has begun or was in the file */
	char *signature; /* owned; all that this stream says of itself; NULL: has none */
	size_t n_columns;
	char *columns[HOST_COLUMNS_MAX]; /* owned */
	double last[HOST_COLUMNS_MAX];
	int64_t first_ns, last_ns;
	uint64_t rows, falls; /* since the file was opened */
};

struct host_out {
	struct trace_writer *writer;
	struct out_vm *vms; /* owned */
	size_t n, cap;
	uint64_t rows;
};

void host_stream_meta(struct host_stream *s, const char *key, const char *value)
{
	if (!value || !*value || s->n_meta == HOST_META_MAX)
		return;
	s->meta[2 * s->n_meta] = key;
	s->meta[2 * s->n_meta + 1] = value;
	s->n_meta++;
}

void host_stream_steady(struct host_stream *s)
{
	struct root machine = {.prefix = ""};

	if (root_read_line(&machine, "/proc/sys/kernel/random/boot_id", s->boot_id,
			   sizeof(s->boot_id)) <= 0)
		s->boot_id[0] = 0;
	host_stream_meta(s, "boot_id", s->boot_id);
	s->columns[s->n_columns++] = "boot_ns";
}

double host_steady_ns(int64_t real_ns)
{
	return (double)(kernel_linux.boottime_ns() - (kernel_linux.realtime_ns() - real_ns));
}

void host_stream_vm(struct host_stream *s, const struct host_vm *vm)
{
	host_stream_meta(s, "name", vm->name);
	host_stream_meta(s, "uuid", vm->uuid);
	host_stream_meta(s, "pid", vm->pid);
	host_stream_meta(s, "container", vm->container);
	host_stream_meta(s, "node", vm->node);
	host_stream_meta(s, "hypervisor", vm->hypervisor);
}

static struct out_vm *find(const struct host_out *o, const char *title)
{
	for (size_t i = 0; i < o->n; i++) {
		if (!strcmp(o->vms[i].title, title))
			return &o->vms[i];
	}
	return NULL;
}

static struct out_vm *find_or_add(struct host_out *o, const char *title)
{
	struct out_vm *vm = find(o, title);

	if (vm)
		return vm;
	if (o->n == o->cap) {
		size_t cap = o->cap * 2 + 16;

		vm = reallocarray(o->vms, cap, sizeof(*vm));
		if (!vm)
			return NULL;
		o->vms = vm;
		o->cap = cap;
	}
	vm = &o->vms[o->n++];
	*vm = (struct out_vm){.first_ns = INT64_MIN, .last_ns = INT64_MIN};
	strncpy(vm->title, title, sizeof(vm->title) - 1);
	return vm;
}

/* All that a stream says, as one text: the same stream is gone on with, not begun again. */
static char *signature_of(const struct trace_stream *s)
{
	struct text t = {0};

	for (size_t i = 0; i < 2 * s->n_meta; i++)
		text_printf(&t, "%s\n", s->meta[i]);
	for (size_t i = 0; i < s->n_columns; i++)
		text_printf(&t, "%s\t", s->columns[i]);
	if (t.failed)
		text_release(&t);
	return t.s;
}

static int take_record(struct host_out *o, const struct trace_record *record)
{
	struct out_vm *vm;

	if (record->stream->kind != TRACE_HOST || record->type == TRACE_LABEL)
		return 0;
	vm = find_or_add(o, record->stream->vm);
	if (!vm)
		return -ENOMEM;
	if (record->type == TRACE_STREAM) {
		free(vm->signature);
		vm->signature = signature_of(record->stream);
		vm->id = record->id;
	} else if (record->real_ns > vm->last_ns) {
		vm->last_ns = record->real_ns;
	}
	return 0;
}

/* Where each VM's rows end in a file that is there already. */
static int read_ends(struct host_out *o, const char *path, struct err *e)
{
	struct trace_reader *reader;
	struct trace_record record;
	int r = trace_reader_open(path, &reader, e);

	if (r < 0)
		return r;
	while ((r = trace_next(reader, &record, e)) > 0) {
		if (take_record(o, &record) < 0) {
			r = err_nomem(e);
			break;
		}
	}
	trace_reader_close(reader);
	return r;
}

int host_out_open(const char *path, struct host_out **ret, size_t *ret_cut, struct err *e)
{
	struct host_out *o = calloc(1, sizeof(*o));
	bool there = access(path, F_OK) == 0;
	int r;

	if (!o)
		return err_nomem(e);
	r = trace_writer_open(path, &o->writer, ret_cut, e);
	if (r == 0 && there)
		r = read_ends(o, path, e);
	if (r < 0) {
		host_out_close(o);
		return r;
	}
	*ret = o;
	return 0;
}

void host_out_close(struct host_out *o)
{
	if (!o)
		return;
	trace_writer_close(o->writer);
	for (size_t i = 0; i < o->n; i++) {
		for (size_t k = 0; k < o->vms[i].n_columns; k++)
			free(o->vms[i].columns[k]);
		free(o->vms[i].signature);
	}
	free(o->vms);
	free(o);
}

int64_t host_out_last_ns(const struct host_out *o, const char *title)
{
	const struct out_vm *vm = find(o, title);

	return vm ? vm->last_ns : INT64_MIN;
}

static int remember_columns(struct out_vm *vm, const struct host_stream *s)
{
	while (vm->n_columns)
		free(vm->columns[--vm->n_columns]);
	for (size_t k = 0; k < s->n_columns; k++) {
		vm->columns[k] = strdup(s->columns[k]);
		if (!vm->columns[k])
			return -ENOMEM;
		vm->n_columns = k + 1;
		vm->last[k] = NAN;
	}
	return 0;
}

int host_out_begin(struct host_out *o, const struct host_stream *s, size_t *ret_at, struct err *e)
{
	const struct trace_stream stream = {.kind = TRACE_HOST,
					    .vm = s->title,
					    .n_meta = s->n_meta,
					    .n_columns = s->n_columns,
					    .meta = s->meta,
					    .columns = s->columns};
	struct out_vm *vm = find_or_add(o, s->title);
	autofree char *signature = signature_of(&stream);

	if (!vm || !signature || remember_columns(vm, s) < 0)
		return err_nomem(e);
	*ret_at = (size_t)(vm - o->vms);
	if (vm->signature && !strcmp(vm->signature, signature))
		return 0;
	free(vm->signature);
	vm->signature = steal(signature);
	return trace_write_stream(o->writer, &stream, &vm->id, e);
}

static bool is_counter(const char *column)
{
	size_t n = strlen(column);

	return n > 7 && !strcmp(column + n - 7, "_joules");
}

int host_out_row(struct host_out *o, size_t at, int64_t real_ns, const double *values,
		 unsigned *ret_falls, struct err *e)
{
	struct out_vm *vm = &o->vms[at];
	unsigned falls = 0;
	int r = trace_write_row(o->writer, vm->id, real_ns, values, vm->n_columns, e);

	if (r < 0)
		return r;
	for (size_t k = 0; k < vm->n_columns; k++) {
		if (isnan(values[k]))
			continue;
		falls += values[k] < vm->last[k] && is_counter(vm->columns[k]);
		vm->last[k] = values[k];
	}
	if (vm->first_ns == INT64_MIN)
		vm->first_ns = real_ns;
	vm->last_ns = real_ns;
	vm->falls += falls;
	vm->rows++;
	o->rows++;
	*ret_falls = falls;
	return 0;
}

struct trace_writer *host_out_writer(struct host_out *o)
{
	return o->writer;
}

int host_out_sync(struct host_out *o, struct err *e)
{
	return trace_writer_sync(o->writer, e);
}

uint64_t host_out_rows(const struct host_out *o)
{
	return o->rows;
}

size_t host_out_vms(const struct host_out *o)
{
	size_t n = 0;

	for (size_t i = 0; i < o->n; i++)
		n += o->vms[i].rows > 0;
	return n;
}

void host_out_json(const struct host_out *o, struct text *t)
{
	const char *comma = "";

	text_add(t, "\"vms\":[");
	for (size_t i = 0; i < o->n; i++) {
		const struct out_vm *vm = &o->vms[i];

		if (!vm->rows)
			continue;
		text_printf(t, "%s{\"vm\":", comma);
		text_json_string(t, vm->title);
		text_printf(t, ",\"rows\":%llu,\"falls\":%llu,\"first_s\":",
			    (unsigned long long)vm->rows, (unsigned long long)vm->falls);
		text_json_number(t, (double)vm->first_ns * 1e-9);
		text_add(t, ",\"last_s\":");
		text_json_number(t, (double)vm->last_ns * 1e-9);
		text_add(t, ",\"columns\":[");
		for (size_t k = 0; k < vm->n_columns; k++) {
			text_add(t, k ? "," : "");
			text_json_string(t, vm->columns[k]);
		}
		text_add(t, "]}");
		comma = ",";
	}
	text_add(t, "]");
}
