/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_ZONES_H
#define AGENT_ZONES_H

/*
 * Who answers each zone of a row. The bundle's models do, over them a model
 * server that knows better, and over both the host where it hands energy in;
 * the prior answers what is left. Watts that are not confident are the physics
 * part's or left out, as the configuration says.
 */

#include "agent/host.h"
#include "agent/policy.h"
#include "config/config.h"
#include "model/estimator.h"
#include "remote/wire.h"

struct zones {
	/* borrowed, set by the owner */
	const struct config *config;
	const struct model_set *set; /* NULL: the prior alone */
	const struct prior *prior;
	struct estimator *estimator;
	const struct host_zone *host;	    /* NULL: none; read with every row */
	const struct remote_answer *remote; /* for the next row; NULL: none */
	bool asks_remote;		    /* where there is none, that is a fallback */

	bool again; /* the next row is the last one of the estimator's past, pushed already */

	struct policy policy[ZONE_RAPL_COUNT];
	struct row masked;

	/* of the last row */
	struct estimate estimate;
	struct estimate raw; /* what the bundle alone said */
	bool left_out[ZONE_RAPL_COUNT], from_remote[ZONE_RAPL_COUNT], from_host[ZONE_RAPL_COUNT];
	bool host_changed; /* some zone is the host's now and was not, or the other way */
};

/* `row` as models may see it: only whitelisted features. It may live in `z`. */
const struct row *zones_visible(struct zones *z, const struct row *row);

/* Answer one row; its dt_s as for estimator_push. Allocates nothing. */
void zones_answer(struct zones *z, const struct row *row);

#endif
