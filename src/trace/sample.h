/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRACE_SAMPLE_H
#define TRACE_SAMPLE_H

/*
 * Samples as rows of a GUEST stream, and back. Columns carry the kernel's own
 * counters under its own names ("stat.user", "vmstat.pgfault", "cpu3.idle");
 * a source that was not read is NaN in all of its columns. Counters above
 * 2^53 lose their last bits, which no rate can show.
 */

#include "collect/sample.h"
#include "trace/trace.h"

/* Columns of a sample of `cpus` CPUs (numbers 0 .. cpus-1). */
size_t sample_columns(unsigned cpus);

/* One more than the highest CPU that is online. */
unsigned sample_cpus(const struct sample *s);

/* The names in order; owned by the caller, each and the array (texts_free). NULL: no memory. */
char **sample_column_names(unsigned cpus);
void sample_column_names_free(char **names, unsigned cpus);

/* values[sample_columns(cpus)]. */
void sample_to_values(const struct sample *s, unsigned cpus, double *values);

struct sample_map; /* which column of a stream holds what; owned by the caller */

/*
 * ERR_DATA where the stream has no CPU times. Columns may stand in any order;
 * unknown ones are passed over, missing ones leave their source unread.
 */
int sample_map_new(const struct trace_stream *s, struct sample_map **ret, struct err *e);
void sample_map_free(struct sample_map *m);
unsigned sample_map_cpus(const struct sample_map *m);

/* Fill a sample with room for sample_map_cpus() CPUs. */
void sample_from_values(const struct sample_map *m, int64_t real_ns, const double *values,
			struct sample *ret);

#endif
