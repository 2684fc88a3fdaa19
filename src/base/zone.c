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

int zone_find_rapl(const char *name)
{
	if (!strcmp(name, "psys"))
		return ZONE_PLATFORM;
	if (!strncmp(name, "package-", 8) && name[8] &&
	    strspn(name + 8, "0123456789-") == strlen(name + 8))
		return ZONE_PACKAGE;
	return zone_find(name);
}
