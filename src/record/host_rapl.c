// SPDX-License-Identifier: Apache-2.0
/* What is wrong with a host's energy counters, and what to do: see host_rapl.h. */
#include "record/host_rapl.h"

#include <errno.h>
#include <string.h>

#include "base/powercap.h"

#define POWERCAP "/sys" POWERCAP_CLASS

int rapl_open(struct rapl *r, const struct root *root, struct err *e)
{
	int error = rapl_find(r, root, POWERCAP);

	if (error == -EEXIST)
		return err_set(e, -ENODEV,
			       "%s" POWERCAP
			       " is a tree of vmwatts powercap, which shows estimates: "
			       "record where the kernel has RAPL",
			       root->prefix);
	if (error < 0)
		return err_set(e, -ENODEV,
			       "%s" POWERCAP
			       " has no RAPL zone: record on the bare-metal host, with "
			       "the kernel module intel_rapl_common loaded",
			       root->prefix);
	error = r->error;
	if (error == 0)
		return 0;
	rapl_close(r);
	if (error == -EACCES || error == -EPERM)
		return err_set(e, error,
			       "%s" POWERCAP ": energy_uj may not be read: the kernel keeps it to "
			       "root, so run this as root",
			       root->prefix);
	return err_set(e, error, "%s" POWERCAP ": a zone's energy_uj cannot be read: %s",
		       root->prefix, strerror(-error));
}
