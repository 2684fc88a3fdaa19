// SPDX-License-Identifier: Apache-2.0
/* Finding plans, and what a phase asks for at an instant: see plan.h. */
#include "workload/plan.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/parse.h"

const char *plan_ready_text(const char *name)
{
	for (size_t i = 0; i < n_ready_plans; i++) {
		if (!strcmp(ready_plans[i].name, name))
			return ready_plans[i].yaml;
	}
	return NULL;
}

/* A word that is neither a plan nor a file: say what there is. */
static int no_such_plan(const char *name, struct err *e)
{
	const char *names[16], *near;

	for (size_t i = 0; i < n_ready_plans; i++)
		names[i] = ready_plans[i].name;
	near = nearest_name(name, names, n_ready_plans);
	return err_set(e, -ENOENT,
		       "no plan or file '%s'%s%s%s; vmwatts workload list shows the plans", name,
		       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

int plan_open(const char *word, struct plan **ret, struct err *e)
{
	const char *ready = plan_ready_text(word);
	autofree char *text = NULL;
	size_t len;
	int r;

	if (ready)
		return plan_parse(ready, strlen(ready), word, ret, e);
	r = file_read(word, PLAN_TEXT_MAX, false, &text, &len, e);
	if (r == -ENOENT)
		return no_such_plan(word, e);
	return r < 0 ? r : plan_parse(text, len, word, ret, e);
}

double plan_seconds(const struct plan *p)
{
	double sum_s = 0;

	for (size_t i = 0; i < p->n_phases; i++)
		sum_s += p->phases[i].duration_s;
	return sum_s;
}

double phase_share(const struct phase *p, const struct load *l, double at_s, double duration_s)
{
	double cycle_s = p->burst_on_s + p->burst_off_s, place, fraction;
	size_t i;

	if (cycle_s > 0 && fmod(at_s, cycle_s) >= p->burst_on_s)
		return 0;
	if (l->n_points == 1)
		return l->percent[0] / 100;
	place = fmin(fmax(at_s / duration_s, 0), 1) * (double)(l->n_points - 1);
	i = place >= (double)(l->n_points - 1) ? l->n_points - 2 : (size_t)place;
	fraction = place - (double)i;
	return (l->percent[i] * (1 - fraction) + l->percent[i + 1] * fraction) / 100;
}
