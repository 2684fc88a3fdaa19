/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_HOST_EXPOSITION_H
#define RECORD_HOST_EXPOSITION_H

/*
 * The Prometheus text exposition format, version 0.0.4, one sample at a time.
 * The parser works in the caller's text: names and label values are ended by
 * NUL and unescaped where they stand, so it allocates nothing and what it
 * gives is valid as long as the text. It is strict: what the format does not
 * allow, and a last line without its newline (a body that was cut off), is an
 * error with the line's number.
 */

#include <stddef.h>

#include "base/err.h"
#include "record/host_vm.h"

#define EXPOSITION_LABELS_MAX 64

struct exposition {
	char *at, *end;
	size_t line;
};

struct exposition_sample {
	const char *name;
	struct host_labels labels; /* into `label` */
	struct host_label label[EXPOSITION_LABELS_MAX];
	double value; /* NaN and infinities are possible */
};

/* Start on `len` bytes, which are written to from here on. */
void exposition_init(struct exposition *x, char *text, size_t len);

/* The next sample: 1, 0 at the end, -ERR_FORMAT. A time behind the value is read over. */
int exposition_next(struct exposition *x, struct exposition_sample *ret, struct err *e);

#endif
