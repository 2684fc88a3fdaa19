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
 * Functions return 0 or a negative code and put one sentence into `why`
 * (VMWATTS_ERROR_SIZE bytes, or NULL). A `struct vmwatts` is const once
 * opened and may be shared by threads; a session belongs to one thread.
 * Structures only ever grow at their end; see vmwatts_abi().
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VMWATTS_API __attribute__((visibility("default")))

#define VMWATTS_ERROR_SIZE   640
#define VMWATTS_FEATURES_MAX 64 /* room for every feature of this and later versions */

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

/* The features a guest can read, as in the file format: names, units and how many. */
VMWATTS_API size_t vmwatts_feature_count(void);
VMWATTS_API const char *vmwatts_feature_name(size_t i); /* NULL past the end */
VMWATTS_API const char *vmwatts_feature_unit(size_t i); /* NULL past the end */
VMWATTS_API int vmwatts_feature_find(const char *name); /* -1: no such feature */

/* Mark every feature as missing (NaN). Missing is never 0. */
VMWATTS_API void vmwatts_features_clear(double x[VMWATTS_FEATURES_MAX]);

/* "package", "core", "dram", "uncore"; NULL past the end. */
VMWATTS_API const char *vmwatts_zone_name(int zone);

struct vmwatts;

/*
 * Open the bundle at `bundle`, verified with the public key file `key`.
 * Both NULL: no bundle, the built-in prior of this machine answers.
 */
VMWATTS_API int vmwatts_open(const char *bundle, const char *key, struct vmwatts **ret, char *why);
VMWATTS_API void vmwatts_close(struct vmwatts *v);

/* "NAME VERSION" of the bundle, or "prior NAME". Valid until vmwatts_close. */
VMWATTS_API const char *vmwatts_model(const struct vmwatts *v);

/* Seconds that a row of features should average over; 0: any. */
VMWATTS_API double vmwatts_interval(const struct vmwatts *v);

/* One row in, one answer out, without history. Allocates nothing. */
VMWATTS_API int vmwatts_estimate(const struct vmwatts *v, const double x[VMWATTS_FEATURES_MAX],
				 struct vmwatts_zone zones[VMWATTS_ZONE_COUNT]);

/* A session remembers the rows before, for bundles with a model of history. */
struct vmwatts_session;
VMWATTS_API int vmwatts_session_new(const struct vmwatts *v, struct vmwatts_session **ret,
				    char *why);
VMWATTS_API void vmwatts_session_free(struct vmwatts_session *s);

/*
 * The next row in time order: `time_s` its end in seconds, `duration_s` what it
 * averages over (NaN: about vmwatts_interval). A gap starts afresh. Allocates nothing.
 */
VMWATTS_API int vmwatts_session_push(struct vmwatts_session *s, double time_s, double duration_s,
				     const double x[VMWATTS_FEATURES_MAX],
				     struct vmwatts_zone zones[VMWATTS_ZONE_COUNT]);

/* This machine's own counters, read into rows: between two calls lies one row. */
struct vmwatts_meter;
VMWATTS_API int vmwatts_meter_new(struct vmwatts_meter **ret, char *why);
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
