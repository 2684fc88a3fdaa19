// SPDX-License-Identifier: Apache-2.0
/* powercap: what the tree holds, what its files say, and that files go on where they stood. */
#include "folder.h"

#include <sys/stat.h>

#include "base/file.h"
#include "base/powercap.h"
#include "powercap/tree.h"

#define S_NS INT64_C(1000000000)

static struct counter_reader reader;

/* Two seconds of 20 W package, 15 core, 2 dram, 1 uncore; the reader follows it. */
static void make_page(const char *path)
{
	static const uint64_t start[ZONE_RAPL_COUNT] = {POWERCAP_RANGE_UJ + 7, 0, 0, 0};
	static const double uj[ZONE_RAPL_COUNT] = {20e6, 15e6, 2e6, 1e6};
	struct counter_writer w;
	struct err e = ERR_INIT;
	bool kept;

	assert_int_equal(counter_writer_open(&w, path, 10 * S_NS, S_NS, start, &kept, &e), 0);
	counter_writer_add(&w, 11 * S_NS, uj);
	counter_writer_close(&w);
	counter_reader_init(&reader, path);
	counter_reader_refresh(&reader);
	assert_true(reader.has_page);
}

static const char *says(const char *path, int64_t now_ns)
{
	static char text[TREE_TEXT_MAX];
	const struct tree_node *n = tree_find(tree_count(true), path);
	size_t len;

	assert_non_null(n);
	len = tree_read(n, &reader, now_ns, text);
	assert_int_equal(len, strlen(text));
	return text;
}

static void says_what_rapl_would(void **state)
{
	int64_t t_ns = 11 * S_NS + S_NS / 2;

	(void)state;
	make_page(path_of("says"));
	assert_string_equal(says("/class/powercap/intel-rapl:0/name", 0), "package-0\n");
	assert_string_equal(says("/class/powercap/intel-rapl:0:0/name", 0), "core\n");
	assert_string_equal(says("/class/powercap/intel-rapl:0:1/name", 0), "uncore\n");
	assert_string_equal(says("/class/powercap/intel-rapl:0:2/name", 0), "dram\n");
	assert_string_equal(says("/class/powercap/intel-rapl:0:2/max_energy_range_uj", 0),
			    "262143328850\n");
	assert_string_equal(says("/class/powercap/intel-rapl:0/energy_uj", t_ns), "10000007\n");
	assert_string_equal(says("/class/powercap/intel-rapl:0:0/energy_uj", t_ns), "7500000\n");
	assert_string_equal(says("/class/powercap/intel-rapl:0:1/energy_uj", t_ns), "500000\n");
	assert_string_equal(says("/class/powercap/intel-rapl:0:2/energy_uj", t_ns), "1000000\n");
	counter_reader_release(&reader);
}

static void hwmon_says_watts_until_the_agent_is_silent(void **state)
{
	(void)state;
	make_page(path_of("hwmon"));
	assert_string_equal(says("/class/hwmon/hwmon0/power1_label", 0), "package\n");
	assert_string_equal(says("/class/hwmon/hwmon0/power1_input", 11 * S_NS), "20000000\n");
	assert_string_equal(says("/class/hwmon/hwmon0/power4_input", 14 * S_NS), "2000000\n");
	assert_string_equal(says("/class/hwmon/hwmon0/power1_input", 14 * S_NS + 1), "0\n");
	assert_null(tree_find(tree_count(false), "/class/hwmon/hwmon0/name"));
	counter_reader_release(&reader);
}

static void before_there_is_a_page_all_stand_at_zero(void **state)
{
	(void)state;
	counter_reader_init(&reader, path_of("nothing"));
	counter_reader_refresh(&reader);
	assert_string_equal(says("/class/powercap/intel-rapl:0/energy_uj", S_NS), "0\n");
	assert_string_equal(says("/class/hwmon/hwmon0/power1_input", S_NS), "0\n");
	counter_reader_release(&reader);
}

/* Kepler takes each directory with a name for a zone, and must find no further one. */
static void only_zones_have_names_and_links_lead_somewhere(void **state)
{
	size_t n = tree_count(true), names = 0;

	(void)state;
	assert_null(tree_find(n, POWERCAP_CLASS "/intel-rapl/name"));
	assert_non_null(tree_find(n, POWERCAP_CLASS POWERCAP_MARKER));
	for (size_t i = 1; i < n; i++) {
		const struct tree_node *node = &tree_nodes[i], *parent = NULL;
		char target[256];

		for (size_t k = 0; k < i && !parent; k++)
			parent = tree_child(&tree_nodes[k], node) ? &tree_nodes[k] : NULL;
		assert_non_null(parent); /* and it stands before */
		assert_int_equal(parent->kind, TREE_DIRECTORY);
		names += strstr(node->path, POWERCAP_CLASS) && strstr(node->path, "/name");
		if (node->kind != TREE_LINK)
			continue;
		/* "..", or "../x", from the directory that holds the link. */
		snprintf(target, sizeof(target), "%s%s", POWERCAP_CLASS, node->text + 2);
		assert_non_null(tree_find(n, target));
	}
	assert_int_equal(names, 4);
}

static void host_readings_are_for_the_owner(void **state)
{
	const struct tree_node *energy =
		tree_find(tree_count(true), "/class/powercap/intel-rapl:0/energy_uj");

	(void)state;
	make_page(path_of("modes"));
	assert_int_equal(tree_mode(energy, &reader), S_IFREG | 0444);
	reader.page.owner_only = 1;
	assert_int_equal(tree_mode(energy, &reader), S_IFREG | 0400);
	assert_int_equal(tree_mode(tree_find(tree_count(true), "/class/powercap/intel-rapl:0/name"),
				   &reader),
			 S_IFREG | 0444);
	counter_reader_release(&reader);
}

static void a_tree_that_stood_goes_on(void **state)
{
	const int64_t t_ns = 20 * S_NS; /* all is played out: 20 J and 7 uJ beyond a wrap */

	(void)state;
	make_page(path_of("resume"));
	/* Behind: the counter has come further meanwhile. */
	counter_reader_resume(&reader, ZONE_PACKAGE, 5000000, t_ns);
	assert_int_equal(counter_reader_show(&reader, ZONE_PACKAGE, t_ns), 20000007);
	/* Behind, over a wrap. */
	counter_reader_resume(&reader, ZONE_PACKAGE, POWERCAP_RANGE_UJ - 1, t_ns);
	assert_int_equal(counter_reader_show(&reader, ZONE_PACKAGE, t_ns), 20000007);
	/* Ahead: another count was shown; no fall. */
	counter_reader_resume(&reader, ZONE_PACKAGE, 90000000, t_ns);
	assert_int_equal(counter_reader_show(&reader, ZONE_PACKAGE, t_ns), 90000000);
	counter_reader_release(&reader);
	/* And with no page yet. */
	counter_reader_init(&reader, path_of("not there"));
	counter_reader_resume(&reader, ZONE_CORE, 33, t_ns);
	assert_int_equal(counter_reader_show(&reader, ZONE_CORE, t_ns), 33);
	counter_reader_release(&reader);
}

static void makes_directories_and_leaves_those_there(void **state)
{
	struct err e = ERR_INIT;
	struct stat st;

	(void)state;
	assert_int_equal(file_make_directories(path_of("a/b/c"), 0700, &e), 0);
	assert_int_equal(file_make_directories(path_of("a/b"), 0700, &e), 0);
	assert_int_equal(stat(path_of("a/b"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0755);
	assert_int_equal(stat(path_of("a/b/c"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	csv("a/file", "x");
	assert_true(file_make_directories(path_of("a/file/d"), 0700, &e) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_rapl_would),
		cmocka_unit_test(hwmon_says_watts_until_the_agent_is_silent),
		cmocka_unit_test(before_there_is_a_page_all_stand_at_zero),
		cmocka_unit_test(only_zones_have_names_and_links_lead_somewhere),
		cmocka_unit_test(host_readings_are_for_the_owner),
		cmocka_unit_test(a_tree_that_stood_goes_on),
		cmocka_unit_test(makes_directories_and_leaves_those_there),
	};

	return cmocka_run_group_tests_name("powercap", tests, make_dir, remove_dir);
}
