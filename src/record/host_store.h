/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_HOST_STORE_H
#define RECORD_HOST_STORE_H

/*
 * The VMs that a store with Prometheus' HTTP API knows, and the queries that
 * ask for their figures.
 */

#include "base/text.h"
#include "record/host_matrix.h"
#include "record/host_record.h"

struct store_vm {
	bool chosen, begun, joules; /* `joules`: its counters; else its gauges */
	size_t at;		    /* in host_out */
	size_t n_columns;
	int column[ZONE_COUNT]; /* -1: none */
	int64_t last_ms;	/* of its last row; before the first: where to begin */
};

struct store {
	struct host_run *run;
	struct host_http *http;
	struct host_vms vms;
	struct store_vm *state; /* owned; as many as vms.cap */
	size_t state_cap;
	size_t *order; /* owned: the chosen, those of one group beside each other */
	size_t n_order;
	size_t *groups; /* owned: group g is order[groups[g]] up to groups[g + 1] */
	size_t n_groups;
	bool joules;	   /* which of a VM's series the discovery takes */
	double interval_s; /* between samples, where it was asked; else 0 or NaN */
	char unknown[64];  /* a zone that is none of ours */
};

/* Ask which VMs there are and choose. ERR_DATA where there is none, or not the wanted one. */
int store_open(struct store *s, struct host_run *run, struct err *e);
void store_close(struct store *s);

/* Put the chosen into groups of at most `size` VMs of one kind of series. */
int store_group(struct store *s, size_t size, struct err *e);

/* The usual time between two samples, s; NaN where there were none lately. */
int store_interval(struct store *s, double *ret_s, struct err *e);

/* The URL that asks for a group's samples in (begin_ms, end_ms]. */
void store_fetch_url(const struct store *s, size_t group, int64_t begin_ms, int64_t end_ms,
		     struct text *url);

/* Where a series' points belong: host_series_sink.take. */
bool store_take_series(void *store, const struct host_figure *f, struct host_point *ret);

/* Begin VM i's stream. */
int store_begin(struct store *s, size_t i, struct err *e);

#endif
