/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COLLECT_PARSERS_H
#define COLLECT_PARSERS_H

/*
 * The text of each /proc file into its fields of a sample. Pure functions on
 * NUL-terminated text, so that tests and the fuzzer feed them anything. False
 * when the text lacks what every kernel prints; the sample's fields of that
 * source are then undefined.
 */

#include <stdbool.h>

#include "collect/sample.h"

bool stat_parse(const char *text, struct sample *s);
bool meminfo_parse(const char *text, struct sample *s);
bool vmstat_parse(const char *text, struct sample *s);
bool loadavg_parse(const char *text, struct sample *s);
bool diskstats_parse(const char *text, struct sample *s);
bool netdev_parse(const char *text, struct sample *s);

/* "some ... total=N": the microseconds, or UINT64_MAX. */
uint64_t pressure_parse(const char *text);

#endif
