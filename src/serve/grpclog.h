/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_GRPCLOG_H
#define SERVE_GRPCLOG_H

#include <stdbool.h>

/* What gRPC core has to say goes into our log, as debug lines: it is about peers, not about us. */
void grpclog_take(void);

/* Whether an address is this machine's only: unix:, loopback, or localhost. */
bool address_is_local(const char *address);

#endif
