// SPDX-License-Identifier: Apache-2.0
/* Which cloud or hypervisor this is, and how counters are had there: see parts.h. */
#include <string.h>

#include "base/cleanup.h"
#include "doctor/parts.h"

static const struct {
	const char *vendor, *product; /* words of DMI; NULL: any */
	enum platform platform;
} words[] = {
	{"Amazon EC2", NULL, PLATFORM_AWS},
	{"Google", NULL, PLATFORM_GCP},
	{"OpenStack", NULL, PLATFORM_OPENSTACK},
	{NULL, "OpenStack", PLATFORM_OPENSTACK},
	{"KubeVirt", NULL, PLATFORM_KUBEVIRT},
	{NULL, "KubeVirt", PLATFORM_KUBEVIRT},
	{"Microsoft", "Virtual Machine", PLATFORM_AZURE},
	{"VMware", NULL, PLATFORM_VMWARE},
	{"QEMU", NULL, PLATFORM_QEMU},
	{NULL, "KVM", PLATFORM_QEMU},
};

static const struct {
	const char *name, *pmu;
} platforms[PLATFORM_COUNT] = {
	[PLATFORM_UNKNOWN] = {"unknown", "whoever runs the host must give this VM a virtual PMU"},
	[PLATFORM_AWS] = {"aws", "on EC2 the instance type decides: bare-metal types and the "
				 "largest of a family show counters"},
	[PLATFORM_GCP] = {"gcp",
			  "set the instance's advancedMachineFeatures.performanceMonitoringUnit "
			  "to STANDARD or ENHANCED (it is off unless asked for, and a matter of "
			  "the machine type)"},
	[PLATFORM_AZURE] = {"azure", "no setting for it is known here; another VM size may have "
				     "counters"},
	[PLATFORM_OPENSTACK] = {"openstack", "set the flavor's extra spec hw:pmu=true or the "
					     "image's property hw_pmu=true (libvirt driver)"},
	[PLATFORM_KUBEVIRT] = {"kubevirt", "set the VM's spec.template.spec.domain.cpu.model to "
					   "host-passthrough"},
	[PLATFORM_QEMU] = {"qemu", "in libvirt's XML of this domain set <cpu "
				   "mode='host-passthrough'/> and <pmu state='on'/> below "
				   "<features>; in Proxmox VE choose the CPU type host"},
	[PLATFORM_VMWARE] = {"vmware", "no setting for it is known here"},
};

enum platform platform_of(const struct identity *id)
{
	for (size_t i = 0; i < array_size(words); i++) {
		if ((!words[i].vendor || strstr(id->dmi_vendor, words[i].vendor)) &&
		    (!words[i].product || strstr(id->dmi_product, words[i].product)))
			return words[i].platform;
	}
	return PLATFORM_UNKNOWN;
}

const char *platform_name(enum platform p)
{
	return platforms[p].name;
}

const char *platform_pmu(enum platform p)
{
	return platforms[p].pmu;
}
