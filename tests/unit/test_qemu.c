// SPDX-License-Identifier: Apache-2.0
/* QEMU processes below simulated trees: libvirt's, Proxmox', KubeVirt's command lines. */
#include "folder.h"

#include <errno.h>
#include <sys/stat.h>

#include "record/qemu.h"

static struct err e;

#define LIBVIRT                                                                                    \
	"/usr/bin/qemu-system-x86_64\0-name\0guest=web,debug-threads=on\0-S\0-object\0"            \
	"{\"qom-type\":\"secret\",\"id\":\"masterKey0\",\"file\":\"/var/lib/libvirt/qemu/"         \
	"domain-1-web/"                                                                            \
	"master-key.aes\"}\0-machine\0pc-q35-7.2,usb=off\0-accel\0kvm\0-m\0002048\0-uuid\0"        \
	"0c8d1f5e-7a2b-4c3d-9e4f-5a6b7c8d9e0f\0-no-user-config\0"
#define PROXMOX                                                                                    \
	"/usr/bin/kvm\0-id\000100\0-name\0web01,debug-threads=on\0-no-shutdown\0-smbios\0"         \
	"type=1,uuid=11111111-2222-3333-4444-555555555555\0-smp\0004,sockets=1\0"
#define KUBEVIRT                                                                                   \
	"/usr/libexec/qemu-kvm\0-name\0guest=default_testvm,debug-threads=on\0-uuid\0"             \
	"5d307ca9-b3ef-428c-8861-06e72d69f223\0"

static void write_file(int pid, const char *name, const void *data, size_t len)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/%d", dir, pid);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/proc/%d/%s", dir, pid, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fwrite(data, 1, len, f);
	fclose(f);
}

#define process(pid, cmdline, cgroup)                                                              \
	do {                                                                                       \
		write_file(pid, "cmdline", cmdline, sizeof(cmdline) - 1);                          \
		write_file(pid, "cgroup", cgroup, strlen(cgroup));                                 \
		write_file(pid, "status", "Name:\tq\nThreads:\t9\n", 20);                          \
	} while (0)

static void finds_every_kind_of_guest(void **state)
{
	struct qemu *q = NULL;
	struct root root;
	char path[128];
	size_t n = 0;

	(void)state;
	snprintf(path, sizeof(path), "%s/proc", dir);
	mkdir(path, 0755);
	assert_int_equal(root_init(&root, dir, &e), 0);
	process(12, "/bin/bash\0-c\0qemu-system-x86_64\0", "0::/user.slice\n");
	write_file(13, "cmdline", "", 0); /* a kernel's thread */
	assert_int_equal(qemu_find(&root, &q, &n, &e), 0);
	assert_int_equal(n, 0);
	assert_null(q);
	process(4321, LIBVIRT,
		"0::/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/emulator\n");
	process(900, PROXMOX, "0::/qemu.slice/100.scope\n");
	process(77, KUBEVIRT, "0::/kubepods.slice/kubepods-burstable.slice/crio-abc.scope\n");
	process(5, "qemu-system-aarch64\0-machine\0virt\0", "0::/user.slice\n");
	assert_int_equal(qemu_find(&root, &q, &n, &e), 0);
	assert_int_equal(n, 4);
	assert_int_equal(q[0].pid, 5);
	assert_string_equal(q[0].name, "");
	assert_string_equal(q[0].manager, "qemu");
	assert_int_equal(q[1].pid, 77);
	assert_string_equal(q[1].name, "default_testvm");
	assert_string_equal(q[1].manager, "kubevirt");
	assert_true(q[1].in_container);
	assert_int_equal(q[2].pid, 900);
	assert_string_equal(q[2].name, "web01");
	assert_string_equal(q[2].uuid, "11111111-2222-3333-4444-555555555555");
	assert_string_equal(q[2].manager, "proxmox");
	assert_int_equal(q[3].pid, 4321);
	assert_string_equal(q[3].name, "web");
	assert_string_equal(q[3].uuid, "0c8d1f5e-7a2b-4c3d-9e4f-5a6b7c8d9e0f");
	assert_string_equal(q[3].manager, "libvirt");
	assert_int_equal(q[3].threads, 9);
	assert_false(q[3].in_container);
	free(q);
}

static void says_where_no_proc_is(void **state)
{
	struct root root = {.prefix = "/nothere"};
	struct qemu *q;
	size_t n;

	(void)state;
	assert_int_equal(qemu_find(&root, &q, &n, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "/nothere/proc"));
}

#define parsed(text) qemu_parse(text, sizeof(text), &q)

static void reads_names_as_qemu_does(void **state)
{
	struct qemu q;

	(void)state;
	assert_true(parsed("kvm\0--name\0a,,b,process=c"));
	assert_string_equal(q.name, "a,b");
	assert_true(parsed("kvm\0-name\0debug-threads=on,guest=x"));
	assert_string_equal(q.name, "x");
	assert_true(parsed("kvm\0-name\0debug-threads=on"));
	assert_string_equal(q.name, "");
	assert_true(parsed("kvm\0-smbios\0type=0,uuid=bad\0-smbios\0type=1,uuid=good"));
	assert_string_equal(q.uuid, "good");
	assert_true(parsed("/opt/qemu-system-x86_64\0-name"));
	assert_string_equal(q.name, "");
	assert_false(parsed("qemu-x86_64\0ls"));
	assert_false(parsed("qemu-img\0create"));
	assert_false(qemu_parse("kvm", 3, &q)); /* does not end */
	assert_false(qemu_parse("", 0, &q));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_every_kind_of_guest),
		cmocka_unit_test(says_where_no_proc_is),
		cmocka_unit_test(reads_names_as_qemu_does),
	};

	return cmocka_run_group_tests_name(__FILE__, tests, make_dir, remove_dir);
}
