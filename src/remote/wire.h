/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTE_WIRE_H
#define REMOTE_WIRE_H

/*
 * What the agent and its helper for remote inference say to each other over a
 * socket pair of SOCK_SEQPACKET: a question is one packet, its answer another,
 * told together by a number. Little-endian, field by field, bounded: the
 * agent links no gRPC, and believes the helper no more than the network.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "features/catalogue.h"
#include "model/estimate.h"
#include "publish/snapshot.h"

#define REMOTE_PACKET_MAX 4096
#define REMOTE_TEXT	  64

struct remote_question {
	uint64_t number;
	struct row row;
	char cpu_model[REMOTE_TEXT];
};

struct remote_zone {
	bool valid;
	double watts, low_w, high_w, confidence;
	enum provenance provenance;
	bool is_pp1; /* of uncore: the client graphics rail rather than package minus core */
};

struct remote_answer {
	uint64_t number;
	enum remote_reason reason; /* REMOTE_NONE: what follows is an answer */
	double distance;
	char name[REMOTE_TEXT], version[REMOTE_TEXT];
	struct remote_zone zones[ZONE_COUNT];
};

/* Append to `w`, which is empty; it allocates only while it is cold. */
void remote_put_question(const struct remote_question *q, struct byte_writer *w);
void remote_put_answer(const struct remote_answer *a, struct byte_writer *w);

/* False for what is none: *ret is undefined then. Every number is in its range. */
bool remote_get_question(const void *data, size_t len, struct remote_question *ret);
bool remote_get_answer(const void *data, size_t len, struct remote_answer *ret);

#endif
