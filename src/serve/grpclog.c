// SPDX-License-Identifier: Apache-2.0
/* See grpclog.h. */
#include "serve/grpclog.h"

#include <grpc/support/log.h>
#include <string.h>

#include "base/listen.h"
#include "base/log.h"

static void take(gpr_log_func_args *args)
{
	log_debug("grpc: %.400s", args->message);
}

void grpclog_take(void)
{
	gpr_set_log_function(take);
}

bool address_is_local(const char *address)
{
	const char *port;
	char host[256];

	if (!strncmp(address, "unix:", 5))
		return true;
	if (listen_split(address, host, sizeof(host), &port) < 0)
		return false;
	return !strcmp(host, "localhost") || !strcmp(host, "::1") ||
	       (!strncmp(host, "127.", 4) && strspn(host, "0123456789.") == strlen(host));
}
