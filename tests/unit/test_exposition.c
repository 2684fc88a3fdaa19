// SPDX-License-Identifier: Apache-2.0
/* The parser of Prometheus' text format, and Kepler's series as VMs. */
#include "test.h"

#include <errno.h>

#include "record/host_exposition.h"

static char text[4096];
static struct exposition x;
static struct exposition_sample s;
static struct err e;

static void start(const char *t)
{
	snprintf(text, sizeof(text), "%s", t);
	e = (struct err)ERR_INIT;
	exposition_init(&x, text, strlen(text));
}

static void reads_names_labels_values_and_times(void **state)
{
	(void)state;
	start("# HELP a b\n# TYPE a counter\n\na 1\nb{x=\"1\",y=\"two\"} 2.5e3 1700000000123\n"
	      "c:d_9 { q = \"\" , } NaN\n\t e{} +Inf\nf -Inf -5\n");
	assert_int_equal(exposition_next(&x, &s, &e), 1);
	assert_string_equal(s.name, "a");
	assert_int_equal(s.labels.n, 0);
	assert_close(s.value, 1, 0);
	assert_int_equal(exposition_next(&x, &s, &e), 1);
	assert_string_equal(s.name, "b");
	assert_string_equal(host_label(&s.labels, "x"), "1");
	assert_string_equal(host_label(&s.labels, "y"), "two");
	assert_string_equal(host_label(&s.labels, "z"), "");
	assert_close(s.value, 2500, 0);
	assert_int_equal(exposition_next(&x, &s, &e), 1);
	assert_string_equal(s.name, "c:d_9");
	assert_true(isnan(s.value));
	assert_int_equal(exposition_next(&x, &s, &e), 1);
	assert_string_equal(s.name, "e");
	assert_true(isinf(s.value) && s.value > 0);
	assert_int_equal(exposition_next(&x, &s, &e), 1);
	assert_true(isinf(s.value) && s.value < 0);
	assert_int_equal(exposition_next(&x, &s, &e), 0);
}

static void unescapes_label_values(void **state)
{
	(void)state;
	start("a{x=\"q\\\"q\\\\n\\nl, } 7\"} 1\n");
	assert_int_equal(exposition_next(&x, &s, &e), 1);
	assert_string_equal(host_label(&s.labels, "x"), "q\"q\\n\nl, } 7");
}

static void refuses_what_the_format_does_not_allow(void **state)
{
	static const char *const bad[] = {
		"1a 1\n",	    "a\n",
		"a 1x\n",	    "a 0x10\n",
		"a nan\n",	    "a 1 2 3\n",
		"a 1 x\n",	    "a{x} 1\n",
		"a{x=1} 1\n",	    "a{x=\"1} 1\n",
		"a{x=\"\\t\"} 1\n", "a{x=\"1\" y=\"2\"} 1\n",
		"a{x=\"1\" 1\n",    "a{=\"1\"} 1\n",
		"a{,} 1\n",	    "a-b 1\n",
		"a 1\r\n",	    "<html>\n",
		"{} 1\n",	    "a 12345",
		"a{x=\"1\"}\n",	    "a 1 # {t=\"1\"} 2\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		start(bad[i]);
		if (exposition_next(&x, &s, &e) != -ERR_FORMAT || !strstr(e.msg, "line 1"))
			fail_msg("taken: %s", bad[i]);
	}
	start("a 1\n\n# c\nb !\n");
	assert_int_equal(exposition_next(&x, &s, &e), 1);
	assert_int_equal(exposition_next(&x, &s, &e), -ERR_FORMAT);
	assert_non_null(strstr(e.msg, "line 4"));
	memcpy(text, "a\0b 1\n", 6);
	exposition_init(&x, text, 6);
	assert_int_equal(exposition_next(&x, &s, &e), -ERR_FORMAT);
}

static void refuses_too_many_labels(void **state)
{
	(void)state;
	strcpy(text, "a{");
	for (int i = 0; i <= EXPOSITION_LABELS_MAX; i++)
		strcat(text, "l=\"1\",");
	strcat(text, "} 1\n");
	exposition_init(&x, text, strlen(text));
	assert_int_equal(exposition_next(&x, &s, &e), -ERR_FORMAT);
}

static bool figure(const char *line, struct host_figure *f)
{
	start(line);
	assert_int_equal(exposition_next(&x, &s, &e), 1);
	return host_figure_read(s.name, &s.labels, f);
}

static void knows_keplers_series(void **state)
{
	struct host_figure f;

	(void)state;
	assert_true(figure("kepler_vm_cpu_joules_total{hypervisor=\"kvm\",node_name=\"n1\",state="
			   "\"running\",vm_id=\"u1\",vm_name=\"web\",zone=\"package\"} 5\n",
			   &f));
	assert_string_equal(f.vm.name, "web");
	assert_string_equal(f.vm.uuid, "u1");
	assert_string_equal(f.vm.node, "n1");
	assert_int_equal(f.zone, ZONE_PACKAGE);
	assert_true(f.joules && !f.vm.process);
	assert_true(figure("kepler_process_cpu_watts{comm=\"qemu-system-x86\",exe=\"\",pid=\"7\","
			   "type=\"container\",container_id=\"c\",zone=\"psys\"} 5\n",
			   &f));
	assert_string_equal(f.vm.pid, "7");
	assert_int_equal(f.zone, ZONE_PLATFORM);
	assert_true(!f.joules && f.vm.process);
	assert_false(
		figure("kepler_process_cpu_watts{comm=\"bash\",pid=\"7\",zone=\"core\"} 5\n", &f));
	assert_false(figure("kepler_node_cpu_watts{zone=\"core\"} 5\n", &f));
	assert_false(figure(
		"kepler_vm_cpu_watts{vm_id=\"u\",state=\"terminated\",zone=\"core\"} 5\n", &f));
	assert_true(figure("kepler_vm_cpu_watts{vm_id=\"u\",zone=\"gpu\"} 5\n", &f));
	assert_int_equal(f.zone, -1);
	/* a guest's name may be anything, and a trace refuses these */
	assert_true(figure(
		"kepler_vm_cpu_watts{vm_id=\"u\",vm_name=\"a\x1b[2Jb\x7f\",zone=\"core\"} 5\n",
		&f));
	assert_string_equal(f.vm.name, "a?[2Jb?");
	assert_int_equal(zone_find_rapl("package-1"), ZONE_PACKAGE);
	assert_int_equal(zone_find_rapl("package-x"), -1);
}

static size_t add(struct host_vms *v, const char *name, const char *uuid, const char *pid,
		  const char *node, bool process)
{
	struct host_vm vm = {.process = process};
	size_t at;

	snprintf(vm.name, sizeof(vm.name), "%s", name);
	snprintf(vm.uuid, sizeof(vm.uuid), "%s", uuid);
	snprintf(vm.pid, sizeof(vm.pid), "%s", pid);
	snprintf(vm.node, sizeof(vm.node), "%s", node);
	assert_int_equal(host_vms_add(v, &vm, &at), 0);
	return at;
}

static void chooses_by_name_uuid_or_pid(void **state)
{
	struct host_vms v = {0};
	char title[HOST_TEXT], *web[] = {(char *)"web"}, *mixed[] = {(char *)"u2", (char *)"9"};
	char *none[] = {(char *)"mail"};
	bool chosen[8];

	(void)state;
	add(&v, "web", "u1", "", "n1", false);
	add(&v, "db", "u2", "", "n1", false);
	assert_int_equal(add(&v, "web", "u1", "", "n1", false), 0);
	add(&v, "", "", "9", "n1", true);
	assert_int_equal(host_choose(&v, &(struct host_choice){.words = web, .n = 1}, NULL, "here",
				     chosen, &e),
			 0);
	assert_true(chosen[0] && !chosen[1] && !chosen[2]);
	assert_int_equal(host_choose(&v, &(struct host_choice){.words = mixed, .n = 2}, NULL,
				     "here", chosen, &e),
			 0);
	assert_true(!chosen[0] && chosen[1] && chosen[2]);
	assert_int_equal(host_choose(&v, &(struct host_choice){.words = none, .n = 1}, NULL, "here",
				     chosen, &e),
			 -ERR_DATA);
	assert_non_null(strstr(e.msg, "no VM 'mail' in here; there are: web, db, 9"));
	host_vms_title(&v, 0, title);
	assert_string_equal(title, "web");
	/* its name a second time, with another uuid, on another node */
	add(&v, "web", "u3", "", "n2", false);
	assert_int_equal(host_choose(&v, &(struct host_choice){.words = web, .n = 1}, NULL, "here",
				     chosen, &e),
			 -ERR_DATA);
	assert_non_null(strstr(e.msg, "web (uuid u1, node n1); web (uuid u3, node n2)"));
	host_vms_title(&v, 0, title);
	assert_string_equal(title, "u1");
	/* the same uuid on two nodes: it moved */
	add(&v, "web", "u1", "", "n2", false);
	host_vms_title(&v, 0, title);
	assert_string_equal(title, "u1@n1");
	/* a process whose VM has series of its own is not taken twice */
	assert_int_equal(add(&v, "", "u2", "77", "n1", true), 5);
	assert_int_equal(
		host_choose(&v, &(struct host_choice){.all = true}, NULL, "here", chosen, &e), 0);
	assert_true(chosen[0] && chosen[1] && chosen[2] && chosen[3] && chosen[4] && !chosen[5]);
	host_vms_release(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_names_labels_values_and_times),
		cmocka_unit_test(unescapes_label_values),
		cmocka_unit_test(refuses_what_the_format_does_not_allow),
		cmocka_unit_test(refuses_too_many_labels),
		cmocka_unit_test(knows_keplers_series),
		cmocka_unit_test(chooses_by_name_uuid_or_pid),
	};

	return run_unit(tests);
}
