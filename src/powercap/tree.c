// SPDX-License-Identifier: Apache-2.0
/* The table of the tree: see tree.h. */
#include "powercap/tree.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/powercap.h"

#define CLASS POWERCAP_CLASS
#define HWMON "/class/hwmon"

#define ZONE(directory, zone_name, id)                                                             \
	{CLASS "/" directory, TREE_DIRECTORY, NULL, ZONE_PACKAGE},                                 \
		{CLASS "/" directory "/name", TREE_TEXT, zone_name "\n", ZONE_PACKAGE},            \
		{CLASS "/" directory "/energy_uj", TREE_ENERGY, NULL, id},                         \
		{CLASS "/" directory "/max_energy_range_uj", TREE_TEXT, NULL, ZONE_PACKAGE},       \
		{CLASS "/" directory "/enabled", TREE_TEXT, "1\n", ZONE_PACKAGE},                  \
	{                                                                                          \
		CLASS "/" directory "/subsystem", TREE_LINK, "..", ZONE_PACKAGE                    \
	}

#define NESTED(directory)                                                                          \
	{                                                                                          \
		CLASS "/intel-rapl:0/" directory, TREE_LINK, "../" directory, ZONE_PACKAGE         \
	}

#define POWER(n, label, id)                                                                        \
	{HWMON "/hwmon0/power" n "_label", TREE_TEXT, label "\n", ZONE_PACKAGE},                   \
		{HWMON "/hwmon0/power" n "_input", TREE_POWER, NULL, id},                          \
	{                                                                                          \
		HWMON "/hwmon0/power" n "_enable", TREE_TEXT, "1\n", ZONE_PACKAGE                  \
	}

const struct tree_node tree_nodes[] = {
	{"/", TREE_DIRECTORY, NULL, ZONE_PACKAGE},
	{"/class", TREE_DIRECTORY, NULL, ZONE_PACKAGE},
	{CLASS, TREE_DIRECTORY, NULL, ZONE_PACKAGE},
	{CLASS "/intel-rapl", TREE_DIRECTORY, NULL, ZONE_PACKAGE},
	{CLASS "/intel-rapl/enabled", TREE_TEXT, "1\n", ZONE_PACKAGE},
	{CLASS POWERCAP_MARKER, TREE_TEXT, "vmwatts " VMWATTS_VERSION "\n", ZONE_PACKAGE},
	{CLASS "/intel-rapl/subsystem", TREE_LINK, "..", ZONE_PACKAGE},
	{CLASS "/intel-rapl/intel-rapl:0", TREE_LINK, "../intel-rapl:0", ZONE_PACKAGE},
	ZONE("intel-rapl:0", "package-0", ZONE_PACKAGE),
	NESTED("intel-rapl:0:0"),
	NESTED("intel-rapl:0:1"),
	NESTED("intel-rapl:0:2"),
	ZONE("intel-rapl:0:0", "core", ZONE_CORE),
	ZONE("intel-rapl:0:1", "uncore", ZONE_UNCORE),
	ZONE("intel-rapl:0:2", "dram", ZONE_DRAM),
	{HWMON, TREE_DIRECTORY, NULL, ZONE_PACKAGE},
	{HWMON "/hwmon0", TREE_DIRECTORY, NULL, ZONE_PACKAGE},
	{HWMON "/hwmon0/name", TREE_TEXT, "vmwatts\n", ZONE_PACKAGE},
	POWER("1", "package", ZONE_PACKAGE),
	POWER("2", "core", ZONE_CORE),
	POWER("3", "uncore", ZONE_UNCORE),
	POWER("4", "dram", ZONE_DRAM),
};

size_t tree_count(bool hwmon)
{
	size_t n = 0;

	while (n < sizeof(tree_nodes) / sizeof(*tree_nodes) &&
	       (hwmon || strcmp(tree_nodes[n].path, HWMON) != 0))
		n++;
	return n;
}

const struct tree_node *tree_find(size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(tree_nodes[i].path, path))
			return &tree_nodes[i];
	}
	return NULL;
}

const char *tree_child(const struct tree_node *directory, const struct tree_node *node)
{
	size_t len = strlen(directory->path);
	const char *name;

	if (len == 1) /* the root */
		len = 0;
	if (strncmp(directory->path, node->path, len) != 0 || node->path[len] != '/')
		return NULL;
	name = node->path + len + 1;
	return *name && !strchr(name, '/') ? name : NULL;
}

size_t tree_read(const struct tree_node *n, struct counter_reader *r, int64_t now_ns,
		 char buf[TREE_TEXT_MAX])
{
	double power_w;
	int len;

	switch (n->kind) {
	case TREE_ENERGY:
		len = snprintf(buf, TREE_TEXT_MAX, "%" PRIu64 "\n",
			       counter_reader_show(r, n->zone, now_ns));
		return (size_t)len;
	case TREE_POWER:
		power_w = r->has_page ? counter_power_w(&r->page, n->zone, now_ns, r->boot_id) : 0;
		return (size_t)snprintf(buf, TREE_TEXT_MAX, "%.0f\n", power_w * 1e6);
	case TREE_TEXT:
		/* The one text that is a number of ours. */
		if (!n->text)
			return (size_t)snprintf(buf, TREE_TEXT_MAX, "%" PRIu64 "\n",
						POWERCAP_RANGE_UJ);
		return (size_t)snprintf(buf, TREE_TEXT_MAX, "%s", n->text);
	case TREE_DIRECTORY:
	case TREE_LINK:
		break;
	}
	return 0;
}

mode_t tree_mode(const struct tree_node *n, const struct counter_reader *r)
{
	if (n->kind == TREE_DIRECTORY)
		return S_IFDIR | 0555;
	if (n->kind == TREE_LINK)
		return S_IFLNK | 0777;
	return S_IFREG | (tree_moves(n) && r->has_page && r->page.owner_only ? 0400 : 0444);
}
