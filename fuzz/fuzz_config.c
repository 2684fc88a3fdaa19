// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a configuration: taken over whole, or refused with a sentence. */
#include <stdint.h>
#include <stdlib.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config c;
	struct err e = ERR_INIT;

	config_defaults(&c);
	if (config_parse((const char *)data, size, "fuzz.yaml", &c, &e) < 0 && !e.msg[0])
		abort();
	return 0;
}
