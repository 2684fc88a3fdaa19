// SPDX-License-Identifier: Apache-2.0
/*
 * QEMU processes and their VMs: see qemu.h.
 *
 * The program is told by its first argument, not by its name in the kernel:
 * that is cut to 15 characters and `-name ...,process=x` changes it. Kernel
 * threads of KVM have no arguments.
 */
#include "record/qemu.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "record/host_vm.h"

#define CMDLINE_MAX (256 * 1024) /* a libvirt guest with many disks has some 10 KiB */

/*
 * The value of `key` in QEMU's option text "first,key=value,..." where ",,"
 * stands for a comma; `first` is the key that the first part may leave out
 * (NULL: none may). Empty where it is not there.
 */
static void option_value(const char *text, const char *key, const char *first, char *ret,
			 size_t size)
{
	size_t key_len = strlen(key), n = 0;
	bool at_first = true;

	*ret = 0;
	while (*text) {
		bool named = !strncmp(text, key, key_len) && text[key_len] == '=';
		bool bare = at_first && first && !strcmp(first, key) &&
			    !memchr(text, '=', strcspn(text, ","));
		bool wanted = named || bare;

		if (named)
			text += key_len + 1;
		for (; *text && !(text[0] == ',' && text[1] != ','); text++) {
			text += text[0] == ','; /* the second of two */
			if (wanted && n + 1 < size)
				ret[n++] = *text;
		}
		if (wanted) {
			ret[n] = 0;
			return;
		}
		text += *text == ',';
		at_first = false;
	}
}

/* One argument and the one behind it ("" at the end). */
static void take_argument(const char *option, const char *value, struct qemu *q)
{
	char type[8];

	option += option[0] == '-' && option[1] == '-'; /* QEMU takes two dashes too */
	if (!strcmp(option, "-name")) {
		option_value(value, "guest", "guest", q->name, sizeof(q->name));
	} else if (!strcmp(option, "-uuid")) {
		snprintf(q->uuid, sizeof(q->uuid), "%.63s", value);
	} else if (!strcmp(option, "-smbios") && !q->uuid[0]) {
		option_value(value, "type", NULL, type, sizeof(type));
		if (!strcmp(type, "1"))
			option_value(value, "uuid", NULL, q->uuid, sizeof(q->uuid));
	} else if (!strcmp(option, "-id")) {
		q->manager = "proxmox"; /* its own patch of QEMU */
	} else if (!strcmp(option, "-object") && strstr(value, "/libvirt/")) {
		q->manager = "libvirt";
	}
}

bool qemu_parse(const char *cmdline, size_t len, struct qemu *ret)
{
	const char *at = cmdline, *end = cmdline + len;
	struct qemu q = {.manager = "qemu"};

	if (!len || cmdline[len - 1] || !host_is_qemu(cmdline))
		return false;
	for (at += strlen(at) + 1; at < end; at += strlen(at) + 1) {
		const char *next = at + strlen(at) + 1;

		take_argument(at, next < end ? next : "", &q);
	}
	*ret = q;
	return true;
}

/* Who started it and whether in a container, by /proc/PID/cgroup. */
static void read_cgroup(const struct root *root, struct qemu *q)
{
	static const char *const containers[] = {"kubepods", "docker",	   "libpod",
						 "crio-",    "containerd", "lxc.payload"};
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", q->pid);
	if (root_read(root, path, text, sizeof(text)) < 0)
		return;
	for (size_t i = 0; i < array_size(containers); i++)
		q->in_container |= strstr(text, containers[i]) != NULL;
	if (strstr(text, "kubepods"))
		q->manager = "kubevirt";
	else if (strstr(text, "machine-qemu") || strstr(text, "/machine/qemu"))
		q->manager = "libvirt";
	else if (strstr(text, "qemu.slice"))
		q->manager = "proxmox";
}

static void read_threads(const struct root *root, struct qemu *q)
{
	char path[64], text[4096];
	const char *line;
	uint64_t n;

	snprintf(path, sizeof(path), "/proc/%d/status", q->pid);
	if (root_read(root, path, text, sizeof(text)) < 0)
		return;
	line = strstr(text, "\nThreads:");
	if (!line)
		return;
	line += strlen("\nThreads:");
	if (scan_u64(&line, &n))
		q->threads = (unsigned)n;
}

/* True when process `pid` is a QEMU. `buf` is CMDLINE_MAX long. */
static bool read_process(const struct root *root, int pid, char *buf, struct qemu *ret)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	n = root_read(root, path, buf, CMDLINE_MAX);
	if (n <= 0 || !qemu_parse(buf, (size_t)n, ret))
		return false;
	ret->pid = pid;
	read_cgroup(root, ret);
	read_threads(root, ret);
	return true;
}

static int by_pid(const void *a, const void *b)
{
	const struct qemu *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static int scan(const struct root *root, DIR *dir, struct qemu **found, size_t *n)
{
	autofree char *buf = malloc(CMDLINE_MAX);
	size_t cap = 0;

	if (!buf)
		return -ENOMEM;
	for (struct dirent *d; (d = readdir(dir));) {
		struct qemu q;
		uint64_t pid;

		if (parse_u64(d->d_name, &pid) < 0 || pid > INT32_MAX ||
		    !read_process(root, (int)pid, buf, &q))
			continue;
		if (*n == cap) {
			struct qemu *grown = reallocarray(*found, cap * 2 + 8, sizeof(q));

			if (!grown)
				return -ENOMEM;
			*found = grown;
			cap = cap * 2 + 8;
		}
		(*found)[(*n)++] = q;
	}
	return 0;
}

int qemu_find(const struct root *root, struct qemu **ret, size_t *ret_n, struct err *e)
{
	autofree struct qemu *found = NULL;
	char path[600];
	size_t n = 0;
	DIR *dir;
	int r;

	snprintf(path, sizeof(path), "%s/proc", root->prefix);
	dir = opendir(path);
	if (!dir)
		return err_errno(e, "%s", path);
	r = scan(root, dir, &found, &n);
	closedir(dir);
	if (r < 0)
		return err_nomem(e);
	if (n)
		qsort(found, n, sizeof(*found), by_pid);
	*ret = steal(found);
	*ret_n = n;
	return 0;
}
