// SPDX-License-Identifier: Apache-2.0
/* What inputs are called outside, and what the features of a file are here: see import.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "exchange/import.h"

static const char *const op_words[INPUT_OP_COUNT] = {
	[INPUT_NOW] = "", [INPUT_LAG] = "_lag_", [INPUT_EMA] = "_ema_"};

/* Kepler's features a second, as ours. */
static const struct {
	const char *name;
	enum feature feature;
	double factor;
} kepler_names[] = {
	{"bpf_cpu_time_ms", FEATURE_CPU_BUSY_VCPUS, 1e3},
	{"cpu_time_ms", FEATURE_CPU_BUSY_VCPUS, 1e3},
	{"cpu_time", FEATURE_CPU_BUSY_VCPUS, 1e3},
	{"cpu_cycles", FEATURE_CYCLES_RATE, 1},
	{"cpu_instructions", FEATURE_INSTRUCTIONS_RATE, 1},
	{"cpu_instr", FEATURE_INSTRUCTIONS_RATE, 1},
	{"cache_miss", FEATURE_CACHE_MISSES_RATE, 1},
};

const char *input_name(const struct input *in, char ret[INPUT_NAME])
{
	char seconds[NUMBER_TEXT];

	if (in->op == INPUT_NOW)
		snprintf(ret, INPUT_NAME, "%s", feature_info(in->feature)->name);
	else
		snprintf(ret, INPUT_NAME, "%s%s%ss", feature_info(in->feature)->name,
			 op_words[in->op], format_double(seconds, in->seconds));
	return ret;
}

int input_parse(const char *name, struct input *ret)
{
	int f = feature_find(name);

	if (f >= 0) {
		*ret = (struct input){.feature = (enum feature)f, .op = INPUT_NOW};
		return 0;
	}
	for (int op = INPUT_LAG; op < INPUT_OP_COUNT; op++) {
		const char *at = strstr(name, op_words[op]);
		const char *seconds = at ? at + strlen(op_words[op]) : "";
		size_t n = strlen(seconds);
		char head[INPUT_NAME];
		double s;

		if (n < 2 || seconds[n - 1] != 's' || (size_t)(at - name) >= sizeof(head))
			continue;
		snprintf(head, sizeof(head), "%.*s", (int)(at - name), name);
		f = feature_find(head);
		if (f < 0 || parse_double_n(seconds, n - 1, &s) < 0 || !(s > 0) ||
		    s > INPUT_MAX_SECONDS)
			continue;
		*ret = (struct input){(enum feature)f, (enum input_op)op, s};
		return 0;
	}
	return -ERR_DATA;
}

static bool resolve(const char *name, struct feature_source *ret)
{
	ret->factor = 1;
	if (input_parse(name, &ret->input) == 0)
		return true;
	for (size_t i = 0; i < array_size(kepler_names); i++) {
		if (strcmp(name, kepler_names[i].name) != 0)
			continue;
		*ret = (struct feature_source){{.feature = kepler_names[i].feature},
					       kepler_names[i].factor};
		return true;
	}
	return false;
}

static int unknown(const char *name, struct err *e)
{
	const char *near = feature_nearest(name);

	return err_set(
		e, -ERR_DATA,
		"feature '%.80s' is not in the catalogue%s%s%s: say what it is with --features",
		name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* --features a,b,c: all, in order. */
static int take_list(const struct regressor *r, char *list, struct feature_source *ret,
		     struct err *e)
{
	char *save = NULL;
	size_t n = 0;

	for (char *word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		if (n < r->n_features && !resolve(word, &ret[n]))
			return unknown(word, e);
		n++;
	}
	return n == r->n_features
		       ? 0
		       : err_set(e, -ERR_USAGE, "--features names %zu features, the model has %zu",
				 n, r->n_features);
}

/* --features theirs=ours: some; given[i] says which. */
static int take_pairs(const struct regressor *r, char *list, struct feature_source *ret,
		      bool *given, struct err *e)
{
	char *save = NULL;

	for (char *word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		char *ours = strchr(word, '=');
		size_t i = 0;

		if (!ours)
			return err_set(e, -ERR_USAGE,
				       "--features: '%.60s' is no pair theirs=ours as others are",
				       word);
		*ours++ = 0;
		while (i < r->n_features && strcmp(r->names[i], word) != 0)
			i++;
		if (i == r->n_features)
			return err_set(e, -ERR_USAGE, "--features: the model has no '%.60s'", word);
		if (!resolve(ours, &ret[i]))
			return unknown(ours, e);
		given[i] = true;
	}
	return 0;
}

int import_sources(const struct regressor *r, const char *features, struct feature_source *ret,
		   struct err *e)
{
	autofree char *list = features ? strdup(features) : NULL;
	bool given[REGRESSOR_FEATURES_MAX] = {false};

	if (features && !list)
		return err_nomem(e);
	if (list && !strchr(list, '='))
		return take_list(r, list, ret, e);
	if (!r->named)
		return err_set(e, -ERR_USAGE,
			       "the file does not name its %zu features: name them, in order, "
			       "with --features a,b,...",
			       r->n_features);
	if (list && take_pairs(r, list, ret, given, e) < 0)
		return e ? e->code : -ERR_USAGE;
	for (size_t i = 0; i < r->n_features; i++) {
		ret[i].factor = given[i] ? ret[i].factor : 1;
		if (!given[i] && !resolve(r->names[i], &ret[i]) && regressor_needs(r, i))
			return unknown(r->names[i], e);
	}
	return 0;
}
