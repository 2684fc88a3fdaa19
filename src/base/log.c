// SPDX-License-Identifier: Apache-2.0
/* Log lines to stderr: see log.h. One write per line, so lines never mix. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {"debug", "info", "warn", "error"};

/* Set once by log_setup() before any thread exists; read-only afterwards. */
static enum log_level min_level = LOG_LEVEL_INFO;
static enum log_format line_format = LOG_FORMAT_TEXT;

void log_setup(enum log_level level, enum log_format format)
{
	min_level = level;
	line_format = format;
}

int log_level_parse(const char *s, enum log_level *ret_level)
{
	for (unsigned i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (!strcmp(s, level_names[i])) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

int log_format_parse(const char *s, enum log_format *ret_format)
{
	if (!strcmp(s, "text"))
		*ret_format = LOG_FORMAT_TEXT;
	else if (!strcmp(s, "json"))
		*ret_format = LOG_FORMAT_JSON;
	else
		return -EINVAL;
	return 0;
}

/* Quote `in` into `out`; the escapes of JSON serve the text format too. */
static void quote(char *out, size_t size, const char *in)
{
	size_t n = 0;

	out[n++] = '"';
	for (; *in && n + 8 < size; in++) {
		unsigned char c = (unsigned char)*in;

		if (c == '"' || c == '\\') {
			out[n++] = '\\';
			out[n++] = (char)c;
		} else if (c < 0x20) {
			n += (size_t)snprintf(out + n, size - n, "\\u%04x", c);
		} else {
			out[n++] = (char)c;
		}
	}
	out[n++] = '"';
	out[n] = 0;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	char msg[1024], quoted[2100], line[2300], when[32];
	struct timespec ts;
	struct tm tm;
	va_list ap;
	int n;

	if (level < min_level)
		return;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	quote(quoted, sizeof(quoted), msg);
	n = snprintf(line, sizeof(line),
		     line_format == LOG_FORMAT_JSON
			     ? "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"msg\":%s}\n"
			     : "time=%s.%03ldZ level=%s msg=%s\n",
		     when, ts.tv_nsec / 1000000, level_names[level], quoted);
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nowhere left to say it */
}
