/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCTOR_DOCTOR_H
#define DOCTOR_DOCTOR_H

/*
 * What this machine shows of itself to the agent, what is missing, what that
 * costs and how to get it; and whether everything that the agent is given
 * (configuration, keys, bundle, port, directories, powercap tree) is right.
 *
 * One finding a check. What a finding says may name paths and addresses; what
 * goes into a report is made of numbers and of words of our own alone, so that
 * it holds nothing personal whatever the machine's files say.
 */

#include "base/kernel.h"
#include "base/root.h"
#include "base/text.h"
#include "collect/collector.h"
#include "collect/identity.h"
#include "config/config.h"

enum verdict { VERDICT_OK, VERDICT_WARN, VERDICT_FAIL, VERDICT_COUNT };

struct finding {
	const char *check; /* one word */
	enum verdict verdict;
	char said[700];	  /* one sentence */
	char remedy[700]; /* "" where none is needed */
	const char *cost; /* what it costs in accuracy; NULL: nothing */
};

/* Where the machine runs, as far as its firmware says. */
enum platform {
	PLATFORM_UNKNOWN,
	PLATFORM_AWS,
	PLATFORM_GCP,
	PLATFORM_AZURE,
	PLATFORM_OPENSTACK,
	PLATFORM_KUBEVIRT,
	PLATFORM_QEMU, /* libvirt, Proxmox, or QEMU by hand */
	PLATFORM_VMWARE,
	PLATFORM_COUNT,
};

#define FINDINGS_MAX 32

struct doctor_bundle {
	bool present, expired, misfit;
	enum tier tier; /* of package's best model */
	int scope, n_zones;
};

struct doctor {
	struct root root;
	const struct kernel *kernel;
	struct config config;
	bool configured; /* `config` is what was asked for; else the defaults */
	struct identity identity;
	bool identified;
	enum platform platform;
	enum tier tier;
	bool present[SOURCE_COUNT];
	int64_t duration_ns[SOURCE_COUNT];
	double steal_ratio; /* of all CPU time since boot; NaN where not told */
	int perf_code;	    /* of opening a perf event: 0, -errno; 1: not asked */
	char clock_source[32];
	struct doctor_bundle bundle;
	size_t n;
	struct finding findings[FINDINGS_MAX];
};

struct doctor_options {
	struct config_flags flags;
	const char *root;	     /* NULL: this machine */
	const struct kernel *kernel; /* &kernel_linux, or a test's */
};

/*
 * Look at everything. What is wrong becomes a finding; the return is only for
 * what keeps the doctor itself from looking: -ENOENT for a root, -ENOMEM.
 * Takes a fifth of a second, and up to two where there is energy of the host to
 * watch rising. `ret` is large: allocate it.
 */
int doctor_examine(const struct doctor_options *o, struct doctor *ret, struct err *e);

size_t doctor_count(const struct doctor *d, enum verdict v);
const char *verdict_name(enum verdict v);

void doctor_text(const struct doctor *d, struct text *t);
void doctor_json(const struct doctor *d, struct text *t);

/* Facts for a bug report, as JSON, with nothing personal in it. */
void doctor_report(const struct doctor *d, struct text *t);

#endif
