// SPDX-License-Identifier: Apache-2.0
/* Capabilities by system call, which needs no library: see privileges.h. */
#include "powercap/privileges.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(cap) (UINT32_C(1) << (cap))

static uint32_t held(void)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{0}};

	return syscall(SYS_capget, &head, data) == 0 ? data[0].permitted : 0;
}

/* Both capabilities are among the first 32. */
static void set(uint32_t effective, uint32_t permitted)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{effective, permitted, 0}, {0, 0, 0}};

	syscall(SYS_capset, &head, data);
}

void privileges_drop(bool unmounts)
{
	uint32_t reads = held() & BIT(CAP_DAC_READ_SEARCH);
	uint32_t mounts = unmounts ? held() & BIT(CAP_SYS_ADMIN) : 0;

	if (geteuid() != 0)
		return; /* fusermount3, which a user unmounts with, must be able to raise itself */
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	set(reads, reads | mounts);
}

void privileges_unmount(void)
{
	if (geteuid() == 0)
		set(held(), held());
}
