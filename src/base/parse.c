// SPDX-License-Identifier: Apache-2.0
/* Text to numbers and back: see parse.h. */
#include "base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

int parse_u64(const char *s, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value))
			return -ERANGE;
	}
	*ret_value = value;
	return 0;
}

int parse_i64(const char *s, int64_t *ret_value)
{
	bool negative = *s == '-';
	uint64_t magnitude;
	int r = parse_u64(s + negative, &magnitude);

	if (r < 0)
		return r;
	if (magnitude > (uint64_t)INT64_MAX)
		return -ERANGE;
	*ret_value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
	return 0;
}

/* strtod in the C locale: a German desktop must read the same CSV. */
static double strtod_c(const char *s, char **end)
{
	static locale_t c_locale;
	locale_t have = __atomic_load_n(&c_locale, __ATOMIC_ACQUIRE);

	if (!have) {
		locale_t none = (locale_t)0;

		have = newlocale(LC_ALL_MASK, "C", (locale_t)0);
		if (!have)
			return strtod(s, end);
		if (!__atomic_compare_exchange_n(&c_locale, &none, have, false, __ATOMIC_ACQ_REL,
						 __ATOMIC_ACQUIRE)) {
			freelocale(have);
			have = none;
		}
	}
	return strtod_l(s, end, have);
}

int parse_double(const char *s, double *ret_value)
{
	const char *digits = s + (*s == '-' || *s == '+');
	char *end;
	double value;

	/* strtod would also take blanks, "nan", "inf" and "0x1p3". */
	if (!(isdigit((unsigned char)*digits) || *digits == '.') || strpbrk(s, "xX"))
		return -EINVAL;
	value = strtod_c(s, &end);
	if (end == s || *end)
		return -EINVAL;
	if (!isfinite(value))
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int parse_double_n(const char *s, size_t n, double *ret_value)
{
	char text[64];

	if (n >= sizeof(text) || memchr(s, 0, n))
		return -EINVAL;
	memcpy(text, s, n);
	text[n] = 0;
	return parse_double(text, ret_value);
}

static double unit_ns(const char **s)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t n = strlen(units[i].name);

		if (!strncmp(*s, units[i].name, n) && !isalpha((unsigned char)(*s)[n])) {
			*s += n;
			return units[i].ns;
		}
	}
	return 0;
}

int parse_duration_ns(const char *s, int64_t *ret_ns)
{
	double total = 0;
	bool negative = *s == '-';

	s += negative;
	if (!*s)
		return -EINVAL;
	while (*s) {
		size_t n = strspn(s, "0123456789.");
		double value, unit;

		if (!n || parse_double_n(s, n, &value) < 0)
			return -EINVAL;
		s += n;
		unit = unit_ns(&s);
		if (unit == 0)
			return -EINVAL;
		total += value * unit;
	}
	if (total > 9e18)
		return -ERANGE;
	*ret_ns = negative ? -(int64_t)total : (int64_t)total;
	return 0;
}

/* 00:00 UTC of a day that the calendar has. */
static bool parse_day(const char *s, int64_t *ret_s)
{
	struct tm tm = {0};
	const char *rest = strptime(s, "%Y-%m-%d", &tm);
	int day = tm.tm_mday;

	if (!rest || *rest)
		return false;
	*ret_s = timegm(&tm);
	return tm.tm_mday == day;
}

int parse_until(const char *s, int64_t from_s, int64_t *ret_s)
{
	size_t n = strlen(s);
	int64_t until_s, span_ns;
	double days;

	if (n > 1 && s[n - 1] == 'd' && parse_double_n(s, n - 1, &days) == 0 && days > 0 &&
	    days <= 36525)
		until_s = from_s + (int64_t)(days * 86400);
	else if (parse_duration_ns(s, &span_ns) == 0)
		until_s = from_s + span_ns / 1000000000;
	else if (!parse_day(s, &until_s))
		return -EINVAL;
	if (until_s <= from_s)
		return -ERANGE;
	*ret_s = until_s;
	return 0;
}

int parse_bool(const char *s, bool *ret_value)
{
	if (!strcasecmp(s, "true"))
		*ret_value = true;
	else if (!strcasecmp(s, "false"))
		*ret_value = false;
	else
		return -EINVAL;
	return 0;
}

int parse_size(const char *s, uint64_t *ret_bytes)
{
	size_t n = strspn(s, "0123456789");
	uint64_t value, shift = 0;
	char digits[24];

	if (!n || n >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, s, n);
	digits[n] = 0;
	switch (s[n]) {
	case 'K':
	case 'k':
		shift = 10;
		break;
	case 'M':
		shift = 20;
		break;
	case 'G':
		shift = 30;
		break;
	case 0:
		break;
	default:
		return -EINVAL;
	}
	if (shift && s[n + 1])
		return -EINVAL;
	if (parse_u64(digits, &value) < 0 || value > (UINT64_MAX >> shift))
		return -ERANGE;
	*ret_bytes = value << shift;
	return 0;
}

bool scan_u64(const char **p, uint64_t *ret_value)
{
	const char *s = *p;
	uint64_t value = 0;

	while (*s == ' ' || *s == '\t')
		s++;
	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++)
		value = value * 10 + (uint64_t)(*s - '0');
	*p = s;
	*ret_value = value;
	return true;
}

/* Counters and flags, most of what we write, without the cost of printf. */
static const char *format_whole(char buf[NUMBER_TEXT], int64_t value)
{
	char reversed[NUMBER_TEXT];
	uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
	size_t n = 0, at = 0;

	do
		reversed[n++] = (char)('0' + left % 10);
	while (left /= 10);
	if (value < 0)
		buf[at++] = '-';
	while (n)
		buf[at++] = reversed[--n];
	buf[at] = 0;
	return buf;
}

const char *format_double_digits(char buf[NUMBER_TEXT], double value, int digits)
{
	static const double limits[] = {1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
	double limit = limits[(digits < 9 ? digits : 9) - 1];
	char *comma;

	if (isnan(value))
		return strcpy(buf, "NaN"); /* 3 of NUMBER_TEXT */
	if (isinf(value))
		return strcpy(buf, value > 0 ? "+Inf" : "-Inf");
	if (fabs(value) < limit && value == (double)(int64_t)value &&
	    !(value == 0 && signbit(value)))
		return format_whole(buf, (int64_t)value);
	snprintf(buf, NUMBER_TEXT, "%.*g", digits, value);
	comma = strchr(buf, ',');
	if (comma)
		*comma = '.';
	return buf;
}

const char *format_double(char buf[NUMBER_TEXT], double value)
{
	double back;

	if (value == 0)
		return memcpy(buf, "0", 2);
	for (int digits = 15; digits < 17; digits++) {
		format_double_digits(buf, value, digits);
		if (!isfinite(value) || (parse_double(buf, &back) == 0 && back == value))
			return buf;
	}
	return format_double_digits(buf, value, 17);
}

/* Levenshtein distance, cut off at 64 characters. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[65], la = strlen(a), lb = strlen(b);

	if (la > 64 || lb > 64)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[lb];
}

const char *nearest_name(const char *word, const char *const *names, size_t n_names)
{
	size_t limit = strlen(word) / 3 + 1, best = limit + 1;
	const char *found = NULL;

	for (size_t i = 0; i < n_names; i++) {
		size_t d = edit_distance(word, names[i]);

		if (d < best) {
			best = d;
			found = names[i];
		}
	}
	return found;
}
