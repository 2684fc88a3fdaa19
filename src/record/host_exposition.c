// SPDX-License-Identifier: Apache-2.0
/*
 * Prometheus text in, samples out: see host_exposition.h.
 *
 *   line   # anything | name [{ labels }] value [milliseconds]
 *   labels label="text" {, label="text"} [,]      escapes \\ \" \n
 */
#include "record/host_exposition.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/parse.h"

void exposition_init(struct exposition *x, char *text, size_t len)
{
	*x = (struct exposition){.at = text, .end = text + len, .line = 1};
}

static int bad(const struct exposition *x, const char *what, struct err *e)
{
	return err_set(e, -ERR_FORMAT, "line %zu: %s", x->line, what);
}

static bool name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
}

static bool name_part(char c)
{
	return name_start(c) || (c >= '0' && c <= '9');
}

static void blanks(char **at, const char *end)
{
	while (*at < end && (**at == ' ' || **at == '\t'))
		(*at)++;
}

/* A name; the NUL that ends it is set by the caller, who knows what follows. NULL: none. */
static char *name(char **at, const char *end)
{
	char *begin = *at;

	if (begin == end || !name_start(*begin))
		return NULL;
	while (*at < end && name_part(**at))
		(*at)++;
	return begin;
}

/* A quoted text behind its first quote, unescaped in place. NULL where it does not end. */
static char *quoted(char **at, const char *end)
{
	char *begin = *at, *to = *at;

	for (char *p = *at; p < end; p++) {
		if (*p == '"') {
			*at = p + 1;
			*to = 0;
			return begin;
		}
		if (*p == '\\') {
			if (++p == end || !strchr("\\\"n", *p) || !*p)
				return NULL;
			*to++ = *p;
			if (*p == 'n')
				to[-1] = '\n';
			continue;
		}
		*to++ = *p;
	}
	return NULL;
}

/* One label at *at. */
static int read_label(struct exposition *x, char **at, char *end, struct exposition_sample *s,
		      struct err *e)
{
	struct host_label *l = &s->label[s->labels.n];
	char *key = name(at, end), *key_end = *at;

	if (!key)
		return bad(x, "a label's name was expected", e);
	if (s->labels.n == EXPOSITION_LABELS_MAX)
		return bad(x, "too many labels", e);
	blanks(at, end);
	if (*at == end || *(*at)++ != '=')
		return bad(x, "'=' was expected behind a label's name", e);
	blanks(at, end);
	if (*at == end || *(*at)++ != '"')
		return bad(x, "a label's value must be in quotes", e);
	*key_end = 0;
	l->name = key;
	l->value = quoted(at, end);
	if (!l->value)
		return bad(x, "a label's value does not end, or has an unknown escape", e);
	s->labels.n++;
	return 0;
}

/* Labels behind their '{', up to and with '}'. */
static int read_labels(struct exposition *x, char **at, char *end, struct exposition_sample *s,
		       struct err *e)
{
	for (;;) {
		int r;

		blanks(at, end);
		if (*at < end && **at == '}') {
			(*at)++;
			return 0;
		}
		r = read_label(x, at, end, s, e);
		if (r < 0)
			return r;
		blanks(at, end);
		if (*at < end && **at == ',')
			(*at)++;
		else if (*at == end || **at != '}')
			return bad(x, "',' or '}' was expected behind a label", e);
	}
}

static bool number(const char *s, size_t n, double *ret)
{
	static const struct {
		const char *word;
		double value;
	} words[] = {{"NaN", NAN}, {"+Inf", INFINITY}, {"Inf", INFINITY}, {"-Inf", -INFINITY}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (n == strlen(words[i].word) && !memcmp(s, words[i].word, n)) {
			*ret = words[i].value;
			return true;
		}
	}
	return parse_double_n(s, n, ret) == 0;
}

/* The word at *at. */
static size_t word(char **at, const char *end, const char **ret)
{
	blanks(at, end);
	*ret = *at;
	while (*at < end && **at != ' ' && **at != '\t')
		(*at)++;
	return (size_t)(*at - *ret);
}

/* One line that is no comment: [at, end). */
static int read_sample(struct exposition *x, char *at, char *end, struct exposition_sample *s,
		       struct err *e)
{
	char *begin = name(&at, end), *name_end = at;
	const char *w;
	double time;
	size_t n;
	int r;

	if (!begin)
		return bad(x, "a metric's name was expected", e);
	s->name = begin;
	s->labels = (struct host_labels){.items = s->label};
	blanks(&at, end);
	if (at < end && *at == '{') {
		at++;
		r = read_labels(x, &at, end, s, e);
		if (r < 0)
			return r;
	} else if (at == name_end) {
		return bad(x, "a metric's name holds a character that none may hold", e);
	}
	n = word(&at, end, &w);
	if (!number(w, n, &s->value))
		return bad(x, "a number was expected", e);
	n = word(&at, end, &w);
	if (n && !number(w, n, &time))
		return bad(x, "a time in milliseconds was expected behind the value", e);
	if (n && word(&at, end, &w))
		return bad(x, "more than a value and a time", e);
	*name_end = 0;
	return 1;
}

int exposition_next(struct exposition *x, struct exposition_sample *ret, struct err *e)
{
	for (; x->at < x->end; x->line++) {
		char *begin = x->at, *end = memchr(begin, '\n', (size_t)(x->end - begin));
		int r;

		if (!end)
			return bad(x, "the text is cut off", e);
		x->at = end + 1;
		if (memchr(begin, 0, (size_t)(end - begin)))
			return bad(x, "a zero byte", e);
		if (end > begin && end[-1] == '\r')
			return bad(x, "a line ends in a carriage return", e);
		blanks(&begin, end);
		if (begin == end || *begin == '#')
			continue;
		r = read_sample(x, begin, end, ret, e);
		if (r > 0)
			x->line++;
		return r;
	}
	return 0;
}
