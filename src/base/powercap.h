/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_POWERCAP_H
#define BASE_POWERCAP_H

/* Names and numbers of powercap trees, read or made. */

#include <stdint.h>

#define POWERCAP_CLASS "/class/powercap" /* below a sysfs */

/*
 * Counters go from 0 to one below this and begin anew, as a 32-bit counter of
 * Intel's usual 61 uJ does. A reader that adds `range - before + now` is exact.
 */
#define POWERCAP_RANGE_UJ UINT64_C(262143328850)

/* Below POWERCAP_CLASS: where this is, the tree is ours and no meter. */
#define POWERCAP_MARKER "/intel-rapl/vmwatts"

#endif
