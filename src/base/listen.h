/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LISTEN_H
#define BASE_LISTEN_H

/* TCP addresses to serve on. */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * Split "host:port", "[v6]:port" or ":port" (host "": every address) into
 * host[host_size] and *ret_port, which points into `address`. -EINVAL.
 */
int listen_split(const char *address, char *host, size_t host_size, const char **ret_port);

/* Whether it can be split and its port is a number. */
bool listen_address_ok(const char *address);

/*
 * A listening socket, non-blocking and closed on exec, or the reason:
 * -EADDRINUSE, ERR_CONFIG for what is no address, or -errno.
 */
int listen_open(const char *address, int backlog, struct err *e);

/*
 * Ask whoever listens at `address` ("": this machine) for `path` by HTTP/1.0:
 * header and body into text[size], cut there and NUL-terminated. Every wait is
 * at most `timeout_ms`. -ECONNREFUSED where nobody is reached.
 */
int listen_ask(const char *address, const char *path, char *text, size_t size, int timeout_ms);

#endif
