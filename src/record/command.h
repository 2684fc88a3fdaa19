/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_COMMAND_H
#define RECORD_COMMAND_H

/* A command that runs while it is recorded. */

#include <sys/types.h>

#include "base/err.h"

/*
 * Start it with VMWATTS_LABEL_FILE set to `label_file`. It is sent SIGTERM
 * when the recorder dies. A command that cannot be executed is an error here.
 */
int command_start(char *const *argv, const char *label_file, pid_t *ret_pid, struct err *e);

/* SIGTERM, and SIGKILL after 5 s; returns its status. */
int command_stop(pid_t pid);

#endif
