/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_RUN_RAPL_H
#define CLI_RUN_RAPL_H

/*
 * `run --rapl`: the command finds its own energy where readers of RAPL look. A
 * private counter page, advanced row by row by what is charged to the command; a
 * vmwatts-powercap of our own that shows it, by FUSE or else by files; and
 * namespaces in which the command sees that at /sys/class/powercap.
 */

#include <sys/types.h>

#include "attribute/energy.h"
#include "publish/counter_page.h"

struct run_rapl {
	char directory[64]; /* "" until it is made */
	pid_t server;	    /* 0: none */
	struct counter_writer writer;
};

/* -EPERM and the like where namespaces are not allowed. Close it also when this fails. */
int run_rapl_open(struct run_rapl *r, int64_t tick_ns, struct err *e);

/* In the command's process, before it becomes the command: see measure.h. */
int run_rapl_enter(void *run_rapl);

void run_rapl_add(struct run_rapl *r, const struct energy_row *row);

/* Ends the server and removes what was made. */
void run_rapl_close(struct run_rapl *r);

#endif
