/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_QEMU_H
#define RECORD_QEMU_H

/*
 * The QEMU processes below a root, with what their command lines say of the
 * VM: libvirt (`-name guest=web,debug-threads=on -uuid U`), Proxmox
 * (`/usr/bin/kvm -id 100 -name web,debug-threads=on -smbios type=1,uuid=U`),
 * KubeVirt (libvirt's, inside a virt-launcher's container), and by hand.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/root.h"

struct qemu {
	int pid;
	unsigned threads;    /* 0: not known */
	char name[128];	     /* "" where it has none */
	char uuid[64];	     /* "" where it has none */
	const char *manager; /* "libvirt", "proxmox", "kubevirt" or "qemu" */
	bool in_container;   /* by its cgroup */
};

/*
 * All of them, by pid; *ret is to be freed and NULL when there is none.
 * -ENOENT when the root has no /proc.
 */
int qemu_find(const struct root *root, struct qemu **ret, size_t *ret_n, struct err *e);

/* What one command line says: arguments ended by NUL each. False: it is no QEMU's. */
bool qemu_parse(const char *cmdline, size_t len, struct qemu *ret);

#endif
