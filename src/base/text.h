/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

/*
 * Append-only text, for everything we write on a wire: metrics, JSON, CSV.
 * The buffer grows but never shrinks, so a text that is reset and refilled
 * every tick allocates nothing once it is warm. On out of memory `failed` is
 * set and the text stays as it was.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct text {
	char *s; /* owned; NUL-terminated once anything was added, else NULL */
	size_t len, cap;
	bool failed;
};

void text_reset(struct text *t);

/* Room for `more` characters and the NUL; false, and `failed`, when there is no memory. */
bool text_reserve(struct text *t, size_t more);
void text_release(struct text *t);
void text_add(struct text *t, const char *s);
void text_add_n(struct text *t, const char *s, size_t n);
void text_printf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The shortest round-trip decimal; "NaN" and "+Inf" as Prometheus writes them. */
void text_number(struct text *t, double value);

/* At most `digits` significant digits. */
void text_number_digits(struct text *t, double value, int digits);

/* As JSON: a quoted string with escapes; a number, or null when not finite. */
void text_json_string(struct text *t, const char *s);
void text_json_number(struct text *t, double value);

/* "key":value of a JSON object, null when not finite; behind a comma unless it is the first.
 * `digits` 0: shortest round trip. */
void text_json_field(struct text *t, const char *key, double value, int digits);

/* As text of an HTML element or of a quoted attribute. Controls become spaces. */
void text_html(struct text *t, const char *s);

/*
 * As one line of a terminal: what would move the cursor or hide, and what is no
 * UTF-8, as \xNN.
 */
void text_visible(struct text *t, const char *s);

/*
 * A name that anybody may have chosen, in place: unless all of it is visible UTF-8, what is not
 * ASCII's becomes '?', so that a trace, JSON, a terminal or a shell's comment takes it.
 */
void text_tame(char *s);

/* A line for people that quotes a file, all of it visible; cut at SAID_MAX. */
#define SAID_MAX 2048
void text_say(FILE *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Whether all of `s` is UTF-8, so that it may be a name in JSON and in labels. */
bool text_is_utf8(const char *s);

/* The value of a Prometheus label: backslash, quote and newline escaped. */
void text_label_value(struct text *t, const char *s);

static inline void cleanup_text(struct text *t)
{
	text_release(t);
}

#define autotext __attribute__((cleanup(cleanup_text)))

#endif
