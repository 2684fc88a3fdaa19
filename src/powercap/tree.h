/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POWERCAP_TREE_H
#define POWERCAP_TREE_H

/*
 * The powercap tree that RAPL's readers look for, as a table: what is in it,
 * and what a file says at an instant. Who shows it (powercap.h) only walks
 * the table. Paths are below the tree's root, which stands for /sys.
 *
 * Package, core, uncore and dram are siblings, as the class directory of a
 * kernel shows them, and linked into each other as the device directories are:
 *
 *	/class/powercap/intel-rapl/		enabled, vmwatts (the marker), no name
 *	/class/powercap/intel-rapl/intel-rapl:0	-> ../intel-rapl:0
 *	/class/powercap/intel-rapl/subsystem	-> ..	(CodeCarbon begins there)
 *	/class/powercap/intel-rapl:0/		name, energy_uj, max_energy_range_uj, enabled
 *	/class/powercap/intel-rapl:0/intel-rapl:0:0 -> ../intel-rapl:0:0 (pyRAPL)
 *	/class/powercap/intel-rapl:0:0/ ...	core; :0:1 uncore; :0:2 dram
 *	/class/hwmon/hwmon0/			name, powerN_label, powerN_input, powerN_enable
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "publish/counter_page.h"

enum tree_kind { TREE_DIRECTORY, TREE_LINK, TREE_TEXT, TREE_ENERGY, TREE_POWER };

struct tree_node {
	const char *path; /* a directory stands before what is in it */
	enum tree_kind kind;
	const char *text; /* of a text, or where a link points */
	enum zone zone;	  /* of energy and power */
};

extern const struct tree_node tree_nodes[];

/* How many of them there are, with or without hwmon, which comes last. */
size_t tree_count(bool hwmon);

/* NULL when there is none of the first `n`. */
const struct tree_node *tree_find(size_t n, const char *path);

/* The name of `node` when it is right below `directory`, else NULL. */
const char *tree_child(const struct tree_node *directory, const struct tree_node *node);

#define TREE_TEXT_MAX 32

/* What a file says; its length. Energy and power: call counter_reader_refresh() before. */
size_t tree_read(const struct tree_node *n, struct counter_reader *r, int64_t now_ns,
		 char buf[TREE_TEXT_MAX]);

/* Permissions: everyone reads; host's own readings only the owner. */
mode_t tree_mode(const struct tree_node *n, const struct counter_reader *r);

static inline bool tree_moves(const struct tree_node *n)
{
	return n->kind == TREE_ENERGY || n->kind == TREE_POWER;
}

#endif
