/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_CREDENTIALS_H
#define SERVE_CREDENTIALS_H

/* Certificates of a server, read anew when they have changed: a new connection sees the new ones.
 */

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <stdatomic.h>

#include "base/err.h"

struct credentials {
	const char *cert, *key, *client_ca; /* files; client_ca may be NULL */
	atomic_uint wanted;		    /* raise it to have the files read anew */
	unsigned have;			    /* gRPC's handshakes only */
};

/* Read the files once, so that a bad one is said before anything listens. */
int credentials_check(const struct credentials *c, struct err *e);

/* The server's; `c` must outlive it. NULL when gRPC takes them for none. */
grpc_server_credentials *credentials_make(struct credentials *c);

#endif
