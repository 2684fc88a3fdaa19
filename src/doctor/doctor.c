// SPDX-License-Identifier: Apache-2.0
/* The order of examination: see doctor.h. */
#include "doctor/doctor.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "doctor/parts.h"

static struct finding *find_v(struct doctor *d, const char *check, enum verdict v, const char *said,
			      va_list ap)
{
	/* The last place is overwritten rather than memory: there are fewer checks than places. */
	struct finding *f = &d->findings[d->n < FINDINGS_MAX ? d->n++ : FINDINGS_MAX - 1];

	*f = (struct finding){.check = check, .verdict = v};
	vsnprintf(f->said, sizeof(f->said), said, ap);
	return f;
}

struct finding *find(struct doctor *d, const char *check, enum verdict v, const char *said, ...)
{
	struct finding *f;
	va_list ap;

	va_start(ap, said);
	f = find_v(d, check, v, said, ap);
	va_end(ap);
	return f;
}

struct finding *find_remedy(struct doctor *d, const char *check, enum verdict v, const char *remedy,
			    const char *said, ...)
{
	struct finding *f;
	va_list ap;

	va_start(ap, said);
	f = find_v(d, check, v, said, ap);
	va_end(ap);
	snprintf(f->remedy, sizeof(f->remedy), "%s", remedy);
	return f;
}

const char *verdict_name(enum verdict v)
{
	static const char *const names[VERDICT_COUNT] = {"ok", "warn", "fail"};

	return names[v];
}

size_t doctor_count(const struct doctor *d, enum verdict v)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		n += d->findings[i].verdict == v;
	return n;
}

int doctor_examine(const struct doctor_options *o, struct doctor *ret, struct err *e)
{
	struct err why = ERR_INIT;
	int r;

	*ret = (struct doctor){.kernel = o->kernel, .steal_ratio = NAN, .perf_code = 1};
	r = root_init(&ret->root, o->root, e);
	if (r < 0)
		return r;
	/* Read first: it says whether perf events are wanted. What is wrong is told in setup.c. */
	config_defaults(&ret->config);
	ret->configured = config_load(&o->flags, &ret->config, &why) == 0;
	examine_guest(ret);
	if (!ret->configured)
		find_remedy(ret, "configuration", VERDICT_FAIL,
			    "correct it; the checks below look at the defaults", "%s", why.msg);
	examine_setup(ret, &o->flags);
	return 0;
}
