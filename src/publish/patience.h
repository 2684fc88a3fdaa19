/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PUBLISH_PATIENCE_H
#define PUBLISH_PATIENCE_H

/*
 * How long an HTTP client may take. libmicrohttpd's own timeout begins anew
 * with every byte, so that a client that drips them holds a connection for
 * ever; here a request's header has PATIENCE_S, and so have its body and the
 * answer together. Safe where libmicrohttpd has a thread of its own.
 */

#include <microhttpd.h>
#include <pthread.h>
#include <stdint.h>

#define PATIENCE_S	     10
#define PATIENCE_CONNECTIONS 64 /* at most: more are not watched */

struct patience {
	pthread_mutex_t lock;
	struct {
		int fd; /* -1: free */
		int64_t since_s;
	} waiting[PATIENCE_CONNECTIONS];
};

void patience_init(struct patience *p);

/* For MHD_OPTION_NOTIFY_CONNECTION and MHD_OPTION_NOTIFY_COMPLETED, with the patience as cls. */
void patience_connection(void *cls, struct MHD_Connection *connection, void **context,
			 enum MHD_ConnectionNotificationCode code);
void patience_completed(void *cls, struct MHD_Connection *connection, void **context,
			enum MHD_RequestTerminationCode code);

/* The header came: as long again, for the body and the answer. */
void patience_anew(struct patience *p, struct MHD_Connection *connection);

/* Shut the connections whose time is over; libmicrohttpd closes them. */
void patience_check(struct patience *p);

#endif
