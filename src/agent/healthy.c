// SPDX-License-Identifier: Apache-2.0
/* Whether the agent of a configuration is alive, for images that hold no other client. */
#include "agent/agent.h"

#include <errno.h>
#include <string.h>

#include "base/listen.h"

#define ANSWER_MS 2000

int agent_healthy(const struct agent_options *o, struct err *e)
{
	struct config config;
	char text[512];
	int r = config_load(&o->flags, &config, e);

	if (r < 0)
		return r;
	if (listen_ask(config.listen, "/healthz", text, sizeof(text), ANSWER_MS) < 0)
		return err_set(e, -ECONNREFUSED, "nobody serves at %s; is the agent running?",
			       config.listen);
	/* "HTTP/1.1 200 OK" */
	if (strncmp(text, "HTTP/1.", 7) != 0 || strncmp(text + 8, " 200 ", 5) != 0)
		return err_set(e, -EPROTO, "what serves at %s is not well", config.listen);
	return 0;
}
