/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRAIN_RETRAIN_H
#define RETRAIN_RETRAIN_H

/*
 * Continuous training: one round takes new recordings in, trains a candidate
 * on all but the most recent ones, compares it with the bundle that serves on
 * those, and publishes it where it is better beyond noise (compare.h).
 *
 *	recordings --intake--> data.db --holdout--> train --> candidate
 *	                                    `-----> compare with `latest`
 *	candidate --publish--> NAME-VERSION.vmw, .minisig, latest --> agents
 *
 * A round that was broken off is taken up behind its last finished step; what
 * is finished is not done again (work.h). docs/retraining.md is for people.
 */

#include <stdio.h>

#include "base/err.h"
#include "base/text.h"
#include "model/prior.h"
#include "retrain/compare.h"
#include "retrain/holdout.h"
#include "train/train.h"

struct retrain_options {
	const char *recordings;	  /* folder of new recordings */
	const char *work;	  /* folder of our own, see work.h */
	const char *publish;	  /* folder that is served to agents */
	const char *sign_key;	  /* minisign's secret key */
	const char *trust;	  /* of the serving bundle; NULL: sign_key's public half */
	const char *group_column; /* as dataset import --group */
	const char *expires;	  /* of the candidate, as parse_until(); NULL: never */
	double window_s;	  /* as dataset import --window */
	struct holdout_rule hold_out;
	enum promote_rule promote;
	struct train_options train; /* version, sequence, created_s are given by the round */
	const struct prior *prior;  /* answers where nothing is published yet; borrowed */
	bool force;		    /* train although there is no new recording */
	bool dry_run;		    /* say what would be done; write nothing */
	FILE *talk;		    /* what a person should know, a line each; NULL: nobody */
};

/*
 * One round. *ret is its line of the history (JSON, without a newline), or ""
 * where there was nothing to do or it was a dry run. -EBUSY while another
 * process works in the folder.
 */
int retrain_round(const struct retrain_options *o, struct text *ret, struct err *e);

#endif
