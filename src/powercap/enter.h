/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POWERCAP_ENTER_H
#define POWERCAP_ENTER_H

/*
 * A tree at /sys/class/powercap for this process and what it starts, and for
 * nobody else: in a mount namespace of its own, and where that takes privileges
 * that we lack, in a user namespace of its own, in which it stays who it was.
 * Where the kernel has no /sys/class/powercap, a tmpfs stands for /sys/class,
 * with everything else that was there bound into it.
 */

#include "base/err.h"

/*
 * Show `tree`, which holds class/powercap (tree.h), to this process. Call it
 * between fork and exec, or in a process of one thread: namespaces are left
 * by ending only. -EPERM and the like where they are not allowed.
 */
int powercap_enter(const char *tree, struct err *e);

#endif
