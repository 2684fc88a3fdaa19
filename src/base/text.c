// SPDX-License-Identifier: Apache-2.0
/* Append-only text: see text.h. */
#include "base/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

void text_reset(struct text *t)
{
	t->len = 0;
	t->failed = false;
	if (t->s)
		t->s[0] = 0;
}

void text_release(struct text *t)
{
	free(t->s);
	*t = (struct text){0};
}

bool text_reserve(struct text *t, size_t more)
{
	size_t cap;
	char *grown;

	if (t->failed)
		return false;
	if (t->cap - t->len > more)
		return true;
	cap = (t->len + more + 1) * 2 + 64;
	grown = realloc(t->s, cap);
	if (!grown) {
		t->failed = true;
		return false;
	}
	t->s = grown;
	t->cap = cap;
	return true;
}

void text_add_n(struct text *t, const char *s, size_t n)
{
	if (!text_reserve(t, n))
		return;
	memcpy(t->s + t->len, s, n);
	t->len += n;
	t->s[t->len] = 0;
}

void text_add(struct text *t, const char *s)
{
	text_add_n(t, s, strlen(s));
}

void text_printf(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->s ? t->s + t->len : NULL, t->s ? t->cap - t->len : 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if (!t->s || (size_t)n >= t->cap - t->len) {
		if (!text_reserve(t, (size_t)n)) {
			if (t->s)
				t->s[t->len] = 0;
			return;
		}
		va_start(ap, fmt);
		vsnprintf(t->s + t->len, t->cap - t->len, fmt, ap);
		va_end(ap);
	}
	t->len += (size_t)n;
}

void text_number(struct text *t, double value)
{
	char buf[NUMBER_TEXT];

	text_add(t, format_double(buf, value));
}

void text_number_digits(struct text *t, double value, int digits)
{
	char buf[NUMBER_TEXT];

	text_add(t, format_double_digits(buf, value, digits));
}

void text_json_string(struct text *t, const char *s)
{
	text_add(t, "\"");
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			text_printf(t, "\\%c", c);
		else if (c < 0x20)
			text_printf(t, "\\u%04x", c);
		else
			text_add_n(t, s, 1);
	}
	text_add(t, "\"");
}

void text_json_number(struct text *t, double value)
{
	if (isfinite(value))
		text_number(t, value);
	else
		text_add(t, "null");
}

void text_json_field(struct text *t, const char *key, double value, int digits)
{
	char last = t->len ? t->s[t->len - 1] : '{';

	text_printf(t, "%s\"%s\":", last == '{' || last == ',' ? "" : ",", key);
	if (digits && isfinite(value))
		text_number_digits(t, value, digits);
	else
		text_json_number(t, value);
}

void text_html(struct text *t, const char *s)
{
	for (; *s; s++) {
		switch (*s) {
		case '&':
			text_add(t, "&amp;");
			break;
		case '<':
			text_add(t, "&lt;");
			break;
		case '>':
			text_add(t, "&gt;");
			break;
		case '"':
			text_add(t, "&quot;");
			break;
		case '\'':
			text_add(t, "&#39;");
			break;
		default:
			text_add_n(t, (unsigned char)*s < 0x20 && *s != '\n' ? " " : s, 1);
		}
	}
}

void text_label_value(struct text *t, const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			text_add(t, "\\n");
		else if (*s == '"' || *s == '\\')
			text_printf(t, "\\%c", *s);
		else
			text_add_n(t, s, 1);
	}
}

/* The length of the UTF-8 character at `s`, and its number; 0 where it is none. */
static size_t utf8(const unsigned char *s, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80	     ? 1
		   : s[0] >> 5 == 6  ? 2
		   : s[0] >> 4 == 14 ? 3
		   : s[0] >> 3 == 30 ? 4
				     : 0;
	uint32_t c = n > 1 ? s[0] & (0x7fu >> n) : s[0];

	for (size_t i = 1; i < n; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3fu);
	}
	*ret = c;
	return n && c >= least[n] && c <= 0x10ffff && !(c >= 0xd800 && c < 0xe000) ? n : 0;
}

bool text_is_utf8(const char *s)
{
	const unsigned char *at = (const unsigned char *)s;

	while (*at) {
		uint32_t c;
		size_t n = utf8(at, &c);

		if (!n)
			return false;
		at += n;
	}
	return true;
}

/* Control characters of both sets, line separators, and what turns the writing direction. */
static bool is_hidden(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

void text_visible(struct text *t, const char *s)
{
	for (const unsigned char *at = (const unsigned char *)s; *at;) {
		uint32_t c = 0;
		size_t n = utf8(at, &c);

		if (n && !is_hidden(c)) {
			text_add_n(t, (const char *)at, n);
			at += n;
			continue;
		}
		for (n = n ? n : 1; n; n--, at++)
			text_printf(t, "\\x%02x", *at);
	}
}

void text_tame(char *s)
{
	autotext struct text visible = {.s = NULL};

	text_visible(&visible, s);
	if (visible.s && !strcmp(visible.s, s))
		return;
	for (; *s; s++) {
		if (*s < ' ' || *s > '~')
			*s = '?';
	}
}

void text_say(FILE *to, const char *fmt, ...)
{
	autotext struct text visible = {.s = NULL};
	char line[SAID_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	text_visible(&visible, line);
	fprintf(to, "%s\n", visible.s && !visible.failed ? visible.s : "");
}
