/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VMWATTS_H
#define VMWATTS_H

/*
 * libvmwatts: watts of this virtual machine, estimated inside it.
 *
 *   struct vmwatts *v;
 *   char why[VMWATTS_ERROR_SIZE];
 *   if (vmwatts_open("model.vmw", "model.pub", &v, why) < 0)
 *           errx(1, "%s", why);
 *   double x[VMWATTS_FEATURES_MAX];
 *   vmwatts_features_clear(x);
 *   x[vmwatts_feature_find("cpu_utilization")] = 0.4;
 *   x[vmwatts_feature_find("vcpus")] = 4;
 *   struct vmwatts_zone zones[VMWATTS_ZONE_COUNT];
 *   vmwatts_estimate(v, x, zones);
 *
 * Errors: functions return 0 or a negative code, -errno or one of enum
 * vmwatts_error, and put one sentence into `why` (VMWATTS_ERROR_SIZE bytes, or
 * NULL). Outputs are untouched on failure.
 *
 * Threads: a `struct vmwatts` is const once opened and may be shared by any
 * number of them, until one closes it; a session or a meter belongs to one
 * thread at a time.
 *
 * ABI: functions are added, never changed or taken away; see vmwatts_abi().
 * `struct vmwatts_zone` stays as it is. A structure that starts with `sz` grows
 * at its end: the caller sets sz to sizeof what it was compiled with.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VMWATTS_API __attribute__((visibility("default")))

#define VMWATTS_ERROR_SIZE   640
#define VMWATTS_FEATURES_MAX 64 /* room for every feature of this and later versions */

/* Codes beside those of errno. */
enum vmwatts_error {
	VMWATTS_ERR_FORMAT = 4000,    /* bytes are not what their format says */
	VMWATTS_ERR_SIGNATURE = 4001, /* signature missing, wrong, or by an unknown key */
	VMWATTS_ERR_CONFIG = 4002,    /* a value is not allowed */
	VMWATTS_ERR_DATA = 4003,      /* the numbers cannot be used for what was asked */
	VMWATTS_ERR_USAGE = 4004,     /* arguments that exclude each other */
	VMWATTS_ERR_STALE = 4005,     /* older than what is installed, or expired */
};

enum vmwatts_zone_id {
	VMWATTS_ZONE_PACKAGE,
	VMWATTS_ZONE_CORE,
	VMWATTS_ZONE_DRAM,
	VMWATTS_ZONE_UNCORE,
	VMWATTS_ZONE_COUNT,
};

struct vmwatts_zone {
	int32_t valid;		      /* 0: this zone cannot be answered; all else is 0 */
	int32_t out_of_distribution;  /* 1: the features lie outside the training data */
	double watts;		      /* active + idle */
	double active_watts;	      /* the VM's share of the host's active power */
	double watts_low, watts_high; /* 90 % interval */
	double confidence;	      /* 0 to 1 */
	char provenance[16];	      /* "trained", "derived", "prior", "host" */
};

/* "0.1.0". */
VMWATTS_API const char *vmwatts_version(void);

/* Grows by one with every addition to this header; nothing is ever taken away. */
VMWATTS_API int vmwatts_abi(void);

/* What a code means, in a few words; the sign does not matter. Since: ABI 2. */
VMWATTS_API const char *vmwatts_strerror(int code);

/* The features a guest can read, as in the file format: names, units and how many. */
VMWATTS_API size_t vmwatts_feature_count(void);
VMWATTS_API const char *vmwatts_feature_name(size_t i); /* NULL past the end */
VMWATTS_API const char *vmwatts_feature_unit(size_t i); /* NULL past the end */
VMWATTS_API int vmwatts_feature_find(const char *name); /* -1: no such feature */

/* Mark every feature as missing (NaN). Missing is never 0. */
VMWATTS_API void vmwatts_features_clear(double x[VMWATTS_FEATURES_MAX]);

/* What a guest with these features sees: "os", "clock" or "pmu". Since: ABI 2. */
VMWATTS_API const char *vmwatts_features_tier(const double x[VMWATTS_FEATURES_MAX]);

/* "package", "core", "dram", "uncore"; NULL past the end. */
VMWATTS_API const char *vmwatts_zone_name(int zone);

struct vmwatts;

/*
 * Open the bundle at `bundle`, verified with the public key file `key`.
 * Both NULL: no bundle, the built-in prior of this machine answers.
 * Since ABI 2 `bundle` may be a directory of installed bundles, of which the
 * one that the agent would serve is opened, and `key` a directory of keys.
 */
VMWATTS_API int vmwatts_open(const char *bundle, const char *key, struct vmwatts **ret, char *why);

/*
 * The same, where so many different keys of `key` must have signed the bundle:
 * the agent's signature_threshold (0: 1). Since: ABI 3.
 */
VMWATTS_API int vmwatts_open_signed(const char *bundle, const char *key, unsigned signatures,
				    struct vmwatts **ret, char *why);

VMWATTS_API void vmwatts_close(struct vmwatts *v);

/* "NAME VERSION" of the bundle, or "prior NAME". Valid until vmwatts_close. */
VMWATTS_API const char *vmwatts_model(const struct vmwatts *v);

/* Seconds that a row of features should average over; 0: any. */
VMWATTS_API double vmwatts_interval(const struct vmwatts *v);

/* How this machine differs from those the bundle is for; "" where not. Since: ABI 2. */
VMWATTS_API const char *vmwatts_misfit(const struct vmwatts *v);

/*
 * The card: what the bundle says of itself. All figures are for rows left out
 * of training. Since: ABI 2.
 */
struct vmwatts_card {
	size_t sz; /* sizeof(struct vmwatts_card), set by the caller */
	char name[64], version[32];
	char scope[16];		       /* "vm_active", "node_total", "platform" */
	char cpu_model[64];	       /* of the machine trained on; "" any */
	int64_t sequence;	       /* orders versions of one name */
	int64_t created_s;	       /* seconds since the epoch */
	int64_t expires_s;	       /* 0: never */
	double interval_s;	       /* between rows of training */
	double window_s;	       /* what they averaged over */
	uint32_t vcpus_min, vcpus_max; /* of the machines trained on; 0 not known */
};

/* -ENODATA: no bundle, the prior answers. */
VMWATTS_API int vmwatts_card_get(const struct vmwatts *v, struct vmwatts_card *ret);

struct vmwatts_card_model {
	size_t sz;	     /* set by the caller */
	char family[16];     /* "physics", "blend", ... */
	char tier[8];	     /* the tier it needs */
	char definition[32]; /* of uncore: "pp1" or "package_minus_core"; else "" */
	int32_t history;     /* 1: only sessions use it */
	uint32_t groups;     /* independent recordings among the rows */
	uint64_t rows;	     /* trained on */
	double wmape, mae_w; /* error on left-out rows: share of mean watts; watts */
	double coverage_90;  /* left-out rows inside the 90 % interval */
	double max_w;	     /* it never says more */
};

/* Model `i` of a zone, best first. -ENODATA past the last. */
VMWATTS_API int vmwatts_card_model_get(const struct vmwatts *v, int zone, size_t i,
				       struct vmwatts_card_model *ret);

/* The whole card as JSON; NULL without a bundle. Valid until vmwatts_close. */
VMWATTS_API const char *vmwatts_card_json(const struct vmwatts *v);

/*
 * One row in, one answer out, without history. -EINVAL: a value is infinite, negative, or a share
 * (cpu_utilization and its like) beyond 1. Allocates nothing.
 */
VMWATTS_API int vmwatts_estimate(const struct vmwatts *v, const double x[VMWATTS_FEATURES_MAX],
				 struct vmwatts_zone zones[VMWATTS_ZONE_COUNT]);

/* A session remembers the rows before, for bundles with a model of history. */
struct vmwatts_session;
VMWATTS_API int vmwatts_session_new(const struct vmwatts *v, struct vmwatts_session **ret,
				    char *why);
VMWATTS_API void vmwatts_session_free(struct vmwatts_session *s);

/*
 * The rows are of this very machine, now: from here on intervals are wider and
 * confidence lower where vmwatts_misfit says something or the bundle has
 * expired, as in the agent. Since: ABI 2.
 */
VMWATTS_API void vmwatts_session_fit(struct vmwatts_session *s);

/*
 * The next row in time order: `time_s` its end in seconds, `duration_s` what it
 * averages over (NaN: about vmwatts_interval). A gap starts afresh. -EINVAL as above.
 * Allocates nothing.
 */
VMWATTS_API int vmwatts_session_push(struct vmwatts_session *s, double time_s, double duration_s,
				     const double x[VMWATTS_FEATURES_MAX],
				     struct vmwatts_zone zones[VMWATTS_ZONE_COUNT]);

/* This machine's own counters, read into rows: between two calls lies one row. */
struct vmwatts_meter;
VMWATTS_API int vmwatts_meter_new(struct vmwatts_meter **ret, char *why);

struct vmwatts_meter_options {
	size_t sz;	     /* set by the caller */
	const char *root;    /* read root/proc and root/sys, as /host in a container; NULL: / */
	int32_t no_perf;     /* 1: leave perf events alone */
	int32_t clock_probe; /* 1: time a busy CPU's real clock at every read, as the agent does */
};

/* `o` NULL: as vmwatts_meter_new. Since: ABI 2. */
VMWATTS_API int vmwatts_meter_open(const struct vmwatts_meter_options *o,
				   struct vmwatts_meter **ret, char *why);
VMWATTS_API void vmwatts_meter_free(struct vmwatts_meter *m);

/*
 * Features since the call before (or vmwatts_meter_new); *ret_duration_s is how
 * long that was. Every feature is missing when less than 10 ms passed.
 */
VMWATTS_API int vmwatts_meter_read(struct vmwatts_meter *m, double x[VMWATTS_FEATURES_MAX],
				   double *ret_duration_s);

#ifdef __cplusplus
}
#endif

#endif
