// SPDX-License-Identifier: Apache-2.0
/*
 * Weights of Kepler's model database, a JSON file for all zones:
 *
 *   {"package":{"All_Weights":{"Bias_Weight":b,"Numerical_Variables":{NAME:{"scale":s,"weight":w}}}}}
 *   watts = b + sum of w x / s
 *
 * What such a model cannot say here (curve fits, weights of categories) is refused.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "exchange/json.h"
#include "exchange/regressor.h"

static bool is_empty(const json_t *v)
{
	return !v || json_is_null(v) ||
	       (json_is_array(v) ? !json_array_size(v) : json_is_object(v) && !json_object_size(v));
}

static int read_variables(const json_t *variables, struct regressor *r, struct err *e)
{
	const char *name;
	json_t *v;
	size_t i = 0;

	json_object_foreach((json_t *)variables, name, v)
	{
		const json_t *scale = json_object_get(v, "scale");
		const json_t *weight = json_object_get(v, "weight");
		double s = scale ? json_number_value(scale) : 1;

		if (strlen(name) >= REGRESSOR_NAME || !json_is_number(weight) || s == 0 ||
		    (scale && !json_is_number(scale)))
			return err_set(e, -ERR_FORMAT, "variable %.60s has no scale and weight",
				       name);
		strcpy(r->names[i], name);
		r->weights[i++] = json_number_value(weight) / s;
	}
	r->named = true;
	return 0;
}

static int read_zone(const json_t *weights, struct regressor *r, struct err *e)
{
	const json_t *variables = json_object_get(weights, "Numerical_Variables");
	const json_t *bias = json_object_get(weights, "Bias_Weight");
	int status;

	if (!is_empty(json_object_get(weights, "CurveFit_Weights")))
		return err_set(e, -ERR_DATA, "CurveFit_Weights are not supported");
	if (!is_empty(json_object_get(weights, "Categorical_Variables")))
		return err_set(e, -ERR_DATA, "Categorical_Variables are not supported");
	if (!json_is_number(bias))
		return err_set(e, -ERR_FORMAT, "no Bias_Weight: not weights of Kepler");
	status = regressor_features(r, json_object_size(variables), e);
	if (status < 0)
		return status;
	r->kind = REGRESSOR_LINEAR;
	r->bias = json_number_value(bias);
	r->weights = calloc(r->n_features, sizeof(*r->weights));
	return r->weights ? read_variables(variables, r, e) : err_nomem(e);
}

int kepler_read(const char *data, size_t len, struct regressor ret[ZONE_COUNT], struct err *e)
{
	struct regressor r[ZONE_COUNT] = {0};
	json_error_t why;
	autojson json_t *top = json_loadb(data, len, 0, &why);
	size_t n = 0;
	int status = 0;

	if (!top)
		return err_set(e, -ERR_FORMAT, "line %d: %.200s", why.line, why.text);
	zone_foreach (z) {
		const json_t *weights =
			json_object_get(json_object_get(top, zone_name(z)), "All_Weights");

		if (!weights || status < 0)
			continue;
		status = read_zone(weights, &r[z], e);
		if (status < 0)
			err_prefix(e, "%s", zone_name(z));
		n++;
	}
	if (status == 0 && !n)
		status = err_set(e, -ERR_FORMAT, "no zone with All_Weights: not weights of Kepler");
	zone_foreach (z) {
		if (status < 0)
			regressor_release(&r[z]);
		else
			ret[z] = r[z];
	}
	return status;
}
