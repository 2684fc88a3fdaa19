// SPDX-License-Identifier: Apache-2.0
/* Zone names: see zone.h. */
#include "base/zone.h"

#include <string.h>

static const char *const names[ZONE_COUNT] = {"package", "core", "dram", "uncore", "platform"};

const char *zone_name(enum zone z)
{
	return names[z];
}

int zone_find(const char *name)
{
	zone_foreach (z) {
		if (!strcmp(name, names[z]))
			return (int)z;
	}
	return -1;
}
