/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_HOST_MATRIX_H
#define RECORD_HOST_MATRIX_H

/*
 * Answers of Prometheus' HTTP API (JSON, read with jansson): the series there
 * are, and their samples, as points that can be put into rows.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/host_vm.h"

/* One sample of one series. */
struct host_point {
	int64_t t_ms;
	uint32_t vm, column; /* as the caller numbers them */
	uint32_t part;	     /* of its zone: parts with different numbers are summed */
	double value;
};

struct host_points {
	struct host_point *items; /* owned; the memory is used again */
	size_t n, cap;
};

void host_points_release(struct host_points *p);

/* By VM, then time, then column: the order of rows. */
void host_points_sort(struct host_points *p);

/*
 * Called for each series about a VM. `ret` has vm and column to be filled in;
 * false leaves the series out.
 */
struct host_series_sink {
	bool (*take)(void *user, const struct host_figure *f, struct host_point *ret);
	void *user;
};

/* Append the samples of a query's answer. ERR_FORMAT; ERR_DATA with the store's own words. */
int host_matrix_read(const char *text, size_t len, const struct host_series_sink *sink,
		     struct host_points *points, struct err *e);

/* The label sets of /api/v1/series, each to the sink. */
int host_series_read(const char *text, size_t len, const struct host_series_sink *sink,
		     struct err *e);

/* The one value of an instant query; NaN where it has none. */
int host_scalar_read(const char *text, size_t len, double *ret, struct err *e);

/* What the store says went wrong, or "" where the text does not say. */
void host_api_error(const char *text, size_t len, char *ret, size_t size);

#endif
