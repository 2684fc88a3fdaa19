/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

/*
 * The power zones, in the order in which they are always written: the four
 * RAPL zones of Kepler, and `platform` (psys or a wall meter) where a label
 * exists.
 */
enum zone {
	ZONE_PACKAGE,
	ZONE_CORE,
	ZONE_DRAM,
	ZONE_UNCORE,
	ZONE_PLATFORM,
	ZONE_COUNT,
};

#define ZONE_RAPL_COUNT ZONE_PLATFORM

#define zone_foreach(z) for (enum zone z = ZONE_PACKAGE; z < ZONE_COUNT; z = (enum zone)(z + 1))

/* "package", ...; never NULL for a valid zone. */
const char *zone_name(enum zone z);

/* The zone called `name`, or -1. */
int zone_find(const char *name);

/*
 * Kepler's and the kernel's name of a zone: `psys` is platform, `package-1` is
 * package (several sockets are summed). -1 for others.
 */
int zone_find_rapl(const char *name);

#endif
