/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCTOR_PARTS_H
#define DOCTOR_PARTS_H

/* What the files of this folder share. */

#include "doctor/doctor.h"

#define COST_NOT_MEASURED "not measured"

/* A new finding; its remedy and cost may be set by the caller. */
struct finding *find(struct doctor *d, const char *check, enum verdict v, const char *said, ...)
	__attribute__((format(printf, 4, 5)));

/* As find, with a remedy. */
struct finding *find_remedy(struct doctor *d, const char *check, enum verdict v, const char *remedy,
			    const char *said, ...) __attribute__((format(printf, 5, 6)));

/* guest.c: what the machine shows. */
void examine_guest(struct doctor *d);

/* setup.c: what the agent is given. */
void examine_setup(struct doctor *d, const struct config_flags *f);

/* platform.c */
enum platform platform_of(const struct identity *id);
const char *platform_name(enum platform p);

/* How to get a virtual PMU there. */
const char *platform_pmu(enum platform p);

#endif
