// SPDX-License-Identifier: Apache-2.0
/*
 * Answers of Prometheus' HTTP API: see host_matrix.h.
 *
 *   {"status":"success","data":{"resultType":"matrix","result":[
 *       {"metric":{"__name__":...,label:value},"values":[[seconds,"value"],...]}]}}
 *   {"status":"error","errorType":...,"error":...}
 */
#include "record/host_matrix.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

#define LABELS_MAX 128

void host_points_release(struct host_points *p)
{
	free(p->items);
	*p = (struct host_points){0};
}

static int compare(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int in_rows(const void *a, const void *b)
{
	const struct host_point *x = a, *y = b;
	int order = compare(x->vm, y->vm);

	if (!order)
		order = compare(x->t_ms, y->t_ms);
	if (!order)
		order = compare(x->column, y->column);
	return order ? order : compare(x->part, y->part);
}

void host_points_sort(struct host_points *p)
{
	if (p->n)
		qsort(p->items, p->n, sizeof(*p->items), in_rows);
}

static int add_point(struct host_points *p, const struct host_point *point)
{
	if (p->n == p->cap) {
		size_t cap = p->cap * 2 + 4096;
		struct host_point *grown = reallocarray(p->items, cap, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		p->items = grown;
		p->cap = cap;
	}
	p->items[p->n++] = *point;
	return 0;
}

void host_api_error(const char *text, size_t len, char *ret, size_t size)
{
	json_t *root = json_loadb(text ? text : "", len, 0, NULL);
	const char *said = json_string_value(json_object_get(root, "error"));

	snprintf(ret, size, "%s", said ? said : "");
	json_decref(root);
}

/* The answer's `data`, borrowed from *ret_root, which is to be released. NULL: told in `e`. */
static json_t *read_data(const char *text, size_t len, json_t **ret_root, struct err *e)
{
	json_error_t at;
	json_t *root = json_loadb(text ? text : "", len, 0, &at);
	const char *status = json_string_value(json_object_get(root, "status"));
	const char *said = json_string_value(json_object_get(root, "error"));
	json_t *data = json_object_get(root, "data");

	*ret_root = root;
	if (!root)
		err_set(e, -ERR_FORMAT, "the answer is no JSON (%s, at byte %d)", at.text,
			at.position);
	else if (!status)
		err_set(e, -ERR_FORMAT, "the answer is not Prometheus' HTTP API's");
	else if (strcmp(status, "success") != 0 || !data)
		err_set(e, -ERR_DATA, "the store says: %.300s", said ? said : status);
	return e->code ? NULL : data;
}

/* Labels of a JSON object, borrowed from it. */
static struct host_labels read_labels(json_t *object, struct host_label *room)
{
	struct host_labels labels = {.items = room};
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		const char *text = json_string_value(value);

		if (text && labels.n < LABELS_MAX)
			room[labels.n++] = (struct host_label){key, text};
	}
	return labels;
}

/* FNV-1a: tells zones' names apart. */
static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

/* Whether the sink wants the series with these labels. */
static bool wanted(json_t *metric, const struct host_series_sink *sink, struct host_point *ret)
{
	struct host_label room[LABELS_MAX];
	struct host_labels labels = read_labels(metric, room);
	struct host_figure f;

	if (!host_figure_read(host_label(&labels, "__name__"), &labels, &f))
		return false;
	*ret = (struct host_point){.part = hash(f.zone_text)};
	return sink->take(sink->user, &f, ret);
}

/* [seconds, "value"] */
static bool read_pair(json_t *pair, struct host_point *ret)
{
	json_t *time = json_array_get(pair, 0);
	const char *value = json_string_value(json_array_get(pair, 1));
	double t_s = json_number_value(time);

	if (!json_is_number(time) || !value || !(fabs(t_s) < 1e11))
		return false;
	if (parse_double(value, &ret->value) < 0)
		ret->value = NAN; /* "NaN", "+Inf" */
	ret->t_ms = llround(t_s * 1000);
	return true;
}

static int read_values(json_t *values, struct host_point point, struct host_points *points,
		       struct err *e)
{
	size_t i;
	json_t *pair;

	json_array_foreach(values, i, pair)
	{
		if (!read_pair(pair, &point))
			return err_set(e, -ERR_FORMAT, "a sample is not [seconds, \"value\"]");
		if (!isnan(point.value) && add_point(points, &point) < 0)
			return err_nomem(e);
	}
	return 0;
}

int host_matrix_read(const char *text, size_t len, const struct host_series_sink *sink,
		     struct host_points *points, struct err *e)
{
	json_t *root, *data = read_data(text, len, &root, e);
	json_t *result = json_object_get(data, "result"), *series;
	int r = data ? 0 : e->code;
	size_t i;

	if (r == 0 && !json_is_array(result))
		r = err_set(e, -ERR_FORMAT, "the answer has no result");
	json_array_foreach(result, i, series)
	{
		json_t *values = json_object_get(series, "values");
		struct host_point point;

		if (r == 0 && !json_is_array(values))
			r = err_set(e, -ERR_FORMAT, "a series has no values");
		if (r == 0 && wanted(json_object_get(series, "metric"), sink, &point))
			r = read_values(values, point, points, e);
	}
	json_decref(root);
	return r;
}

int host_series_read(const char *text, size_t len, const struct host_series_sink *sink,
		     struct err *e)
{
	json_t *root, *data = read_data(text, len, &root, e), *metric;
	int r = data ? 0 : e->code;
	size_t i;

	if (r == 0 && !json_is_array(data))
		r = err_set(e, -ERR_FORMAT, "the answer has no list of series");
	json_array_foreach(data, i, metric)
	{
		struct host_point point;

		if (r == 0)
			wanted(metric, sink, &point);
	}
	json_decref(root);
	return r;
}

int host_scalar_read(const char *text, size_t len, double *ret, struct err *e)
{
	json_t *root, *data = read_data(text, len, &root, e);
	json_t *first = json_array_get(json_object_get(data, "result"), 0);
	struct host_point point = {.value = NAN};
	int r = data ? 0 : e->code;

	if (r == 0 && first && !read_pair(json_object_get(first, "value"), &point))
		r = err_set(e, -ERR_FORMAT, "a sample is not [seconds, \"value\"]");
	if (r == 0)
		*ret = point.value;
	json_decref(root);
	return r;
}
