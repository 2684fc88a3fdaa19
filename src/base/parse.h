/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

/*
 * Text to numbers and back, independent of the process's locale. All parsers
 * want the whole string: trailing characters, an empty string, overflow, and
 * (for doubles) nan, inf and hexadecimal are -EINVAL or -ERANGE, and the
 * output is then untouched.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int parse_u64(const char *s, uint64_t *ret_value);
int parse_i64(const char *s, int64_t *ret_value);

/* A finite decimal number; "1e-3" is fine. */
int parse_double(const char *s, double *ret_value);

/* As parse_double for `n` characters that need not end in NUL (n < 64). */
int parse_double_n(const char *s, size_t n, double *ret_value);

/* A Go-style duration: "5s", "100ms", "1m30s", "1.5s". Nanoseconds. */
int parse_duration_ns(const char *s, int64_t *ret_ns);

/*
 * When something ends that begins at from_s: "2027-06-30", 00:00 UTC of that day, or a span from
 * then on, "180d" or as parse_duration_ns(). Seconds since the epoch, always after from_s.
 */
int parse_until(const char *s, int64_t from_s, int64_t *ret_s);

/* "true" or "false" in any case; nothing else. */
int parse_bool(const char *s, bool *ret_value);

/* "900K", "1M", "4096": bytes, powers of 1024. */
int parse_size(const char *s, uint64_t *ret_bytes);

/*
 * The first unsigned number at or after *p within the line, for /proc text:
 * skips blanks, reads digits, leaves *p behind them. False when there is none.
 * Wraps modulo 2^64 like the kernel's counters do.
 */
bool scan_u64(const char **p, uint64_t *ret_value);

#define NUMBER_TEXT 32

/*
 * The shortest decimal text that reads back as `value` (at most 17 digits);
 * "NaN", "+Inf", "-Inf" as Prometheus writes them. Returns `buf`.
 */
const char *format_double(char buf[NUMBER_TEXT], double value);

/* As format_double with at most `digits` significant digits (1..17). */
const char *format_double_digits(char buf[NUMBER_TEXT], double value, int digits);

/*
 * The nearest of `names` to `word` by edit distance, at most a third of its
 * length away; NULL when none is near. For "did you mean".
 */
const char *nearest_name(const char *word, const char *const *names, size_t n_names);

#endif
