/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_STATS_H
#define SERVE_STATS_H

/* What the server counts of itself, and the page that says it to Prometheus. */

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "serve/models.h"

#define STATS_METHODS 10
#define STATS_CODES   17 /* of grpc/status.h */
#define STATS_BUCKETS 12

struct stats {
	atomic_uint_fast64_t calls[STATS_METHODS][STATS_CODES];
	atomic_uint_fast64_t buckets[STATS_BUCKETS], handled_ns; /* of the work on one message */
	atomic_uint_fast64_t messages, rows;
	atomic_uint_fast64_t denied; /* tokens that are missing, unknown, or not for this */
	atomic_uint_fast64_t reloads, reload_failures;
	atomic_int_fast64_t streams; /* open now */
};

/* One message took `ns` to be answered. */
void stats_message(struct stats *s, int64_t ns);

struct stats_page;

/* Serve GET /metrics and /healthz at `listen` from a thread of its own. */
int stats_page_open(const char *listen, const struct stats *s, struct models *m,
		    struct stats_page **ret, struct err *e);
void stats_page_close(struct stats_page *p); /* NULL is fine */
void stats_page_check(struct stats_page *p); /* each second or so: slow clients go; NULL is fine */
const char *stats_page_address(const struct stats_page *p);

#endif
