/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_SERVER_H
#define SERVE_SERVER_H

/*
 * The model server: gRPC on addresses, models from stores. One thread answers
 * all calls; another waits for signals and for changes of store; gRPC core and
 * the metrics page have their own. SIGHUP reads models, tokens and
 * certificates anew, SIGTERM lets calls end and leaves.
 */

#include <stdbool.h>
#include <stddef.h>

#include "serve/models.h"

struct server_options {
	const char *const *listen; /* "ADDRESS:PORT", ":PORT" or "unix:/PATH" */
	size_t n_listen;
	const char *cert, *key; /* PEM; NULL: plaintext */
	const char *client_ca;	/* PEM; NULL: clients show no certificate */
	const char *tokens;	/* NULL: nobody needs one */
	const char *metrics;	/* address of the metrics page; "" none */
	bool insecure;		/* plaintext and open to everyone, also beyond this machine */
	unsigned max_message, drain_ms, keepalive_ms;
	struct models_options models;
};

/* What can be said of the options alone: ERR_USAGE. */
int server_check(const struct server_options *o, struct err *e);

/* Serve until SIGTERM or SIGINT. */
int server_run(const struct server_options *o, struct err *e);

#endif
