/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POWERCAP_PRIVILEGES_H
#define POWERCAP_PRIVILEGES_H

/*
 * What root keeps once the tree stands: reading a page in an agent's private
 * directory (CAP_DAC_READ_SEARCH), and, out of force until then, unmounting
 * (CAP_SYS_ADMIN). Without root there is nothing to give up.
 */

#include <stdbool.h>

/* `unmounts`: keep what privileges_unmount() will need. */
void privileges_drop(bool unmounts);
void privileges_unmount(void);

#endif
