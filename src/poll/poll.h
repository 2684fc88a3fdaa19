/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLL_POLL_H
#define POLL_POLL_H

/*
 * A publishing location into an agent's model_path. One look:
 *
 *	latest --(changed?)--> bundle + signature --> private folder
 *	    --> signature against trusted keys --> store_install
 *
 * `latest` is asked for with the ETag of what was installed last, so a look
 * that finds nothing new costs one answer without a body. Every answer is
 * bounded in bytes and time. The signature is checked before a byte of the
 * bundle is parsed, and the store refuses what is expired or of an older
 * sequence. When anything is wrong nothing is installed.
 *
 * The file `.poll` in model_path remembers the location, its ETag and which
 * `latest` was installed, so that a rollback on the agent's side stands: the
 * same version is not installed a second time.
 */

#include <stdbool.h>
#include <stddef.h>

#include "bundle/bundle.h"

struct poll_options {
	const char *url;	/* https://, file:///, or http:// on this machine */
	const char *model_path; /* the store; made where it is missing */
	const struct trust *trust;
	unsigned signatures; /* that `trust` requires: above 1, .minisig.2 and so on are fetched too
			      */
	const char *cacert;  /* NULL: the system's */
	const char *token_file; /* holds a bearer token; NULL: none */
	size_t max_bytes;	/* of a bundle */
	double timeout_s;	/* of one request */
	int stop_fd;		/* readable: give up with -EINTR; -1: none */
};

/* ERR_USAGE unless the URL is one of those above. */
int poll_check_url(const char *url, struct err *e);

struct poll_result {
	bool installed;
	bool unchanged;	 /* the server said so, without a body */
	char path[4096]; /* of what was installed */
	char file[128];	 /* what `latest` names; "" where it was not sent */
	long long sequence;
};

/* One look. 0 also where nothing is new. */
int poll_once(const struct poll_options *o, struct poll_result *ret, struct err *e);

/*
 * Seconds to wait: `interval_s` give or take a tenth, so that a fleet does not
 * come at once; after k failures in a row 30 s doubled k - 1 times and the same
 * jitter, but never over the larger of interval_s and an hour. `chance` is in [0, 1).
 */
double poll_wait_s(double interval_s, unsigned failures, double chance);

#endif
