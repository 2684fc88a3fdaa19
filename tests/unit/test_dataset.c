// SPDX-License-Identifier: Apache-2.0
/* dataset: import, load, export and merge of recordings. */
#include "folder.h"

#include <errno.h>
#include <unistd.h>

#include "align/dataset.h"
#include "base/cleanup.h"

static struct dataset *fresh(const char *name)
{
	struct dataset *d = NULL;
	struct err e = ERR_INIT;

	unlink(path_of(name));
	assert_int_equal(dataset_open(path_of(name), DATASET_WRITE, &d, &e), 0);
	return d;
}

static struct import_report imported(struct dataset *d, const char *name, const char *text,
				     const struct import_options *o)
{
	struct import_report report;
	struct err e = ERR_INIT;

	if (dataset_import_joined(d, csv(name, text), o, NULL, &report, &e) < 0)
		fail_msg("%s", e.msg);
	return report;
}

static struct table *loaded(struct dataset *d)
{
	struct table *t = NULL;
	struct err e = ERR_INIT;

	if (dataset_load(d, &t, &e) < 0)
		fail_msg("%s", e.msg);
	return t;
}

static void refuses(struct dataset *d, const char *text, const struct import_options *o,
		    const char *reason)
{
	struct import_report report;
	struct err e = ERR_INIT;
	struct table *t;

	assert_int_equal(dataset_import_joined(d, csv("bad.csv", text), o, NULL, &report, &e),
			 -ERR_DATA);
	if (!strstr(e.msg, reason))
		fail_msg("'%s' does not say '%s'", e.msg, reason);
	t = loaded(d);
	for (size_t i = 0; i < t->n_runs; i++)
		assert_string_not_equal(t->runs[i].name, "bad");
	table_free(t);
}

static const struct import_options plain;

static void imports_a_run_named_after_its_file(void **state)
{
	struct dataset *d = fresh("a.db");
	struct import_report report =
		imported(d, "monday.csv",
			 "time_s,vcpus,cpu_utilization,package_watts,note\n"
			 "100,4,0.5,10,x\n102,4,,11,x\n104,4,0.25,,x\n106,4,0.25,13,x\n",
			 &plain);
	struct table *t = loaded(d);
	struct row r;

	(void)state;
	assert_int_equal(report.rows, 4);
	assert_int_equal(report.runs, 1);
	assert_int_equal(report.n_features, 2);
	assert_int_equal(report.n_zones, 1);
	assert_string_equal(report.ignored, "note");
	assert_int_equal(t->n_rows, 4);
	assert_int_equal(t->n_runs, 1);
	assert_int_equal(t->n_groups, 1);
	assert_string_equal(t->runs[0].name, "monday");
	assert_true(t->runs[0].ordered);
	assert_close(t->runs[0].interval_s, 2, 0);
	assert_close(t->runs[0].window_s, 2, 0);
	table_row(t, 0, &r);
	assert_close(r.t_s, 100, 0);
	assert_close(r.dt_s, 2, 0);
	assert_close(r.v[FEATURE_CPU_BUSY_VCPUS], 2, 0);
	table_row(t, 1, &r);
	assert_true(isnan(r.v[FEATURE_CPU_UTILIZATION]));
	assert_true(isnan(t->y_w[ZONE_PACKAGE][2]));
	assert_close(t->y_w[ZONE_PACKAGE][3], 13, 0);
	assert_null(t->y_w[ZONE_CORE]);
	assert_null(t->x[FEATURE_CYCLES_RATE]);
	table_free(t);
	dataset_close(d);
}

static void a_second_import_of_a_run_needs_replace(void **state)
{
	static const char one[] = "time_s,cpu_user,core_watts\n1,0.5,1\n";
	static const char two[] = "time_s,cpu_user,core_watts\n1,0.5,2\n2,0.5,3\n";
	struct import_options replace = {.replace = true};
	struct dataset *d = fresh("a.db");
	struct import_report report;
	struct err e = ERR_INIT;
	struct table *t;

	(void)state;
	imported(d, "x.csv", one, &plain);
	assert_int_equal(dataset_import_joined(d, csv("x.csv", two), &plain, NULL, &report, &e),
			 -ERR_DATA);
	assert_non_null(strstr(e.msg, "run 'x' is in "));
	assert_non_null(strstr(e.msg, "--replace"));
	imported(d, "x.csv", two, &replace);
	imported(d, "y.csv", one, &replace);
	/* A run that a file breaks apart is not replaced by its own second part. */
	refuses(d, "run,time_s,cpu_user,core_watts\ny,1,0,7\nz,1,0,7\ny,2,0,7\n", &replace,
		"run 'y' comes back after another run");
	t = loaded(d);
	assert_int_equal(t->n_runs, 2);
	assert_int_equal(t->n_rows, 3);
	assert_close(t->y_w[ZONE_CORE][1], 3, 0);
	table_free(t);
	dataset_close(d);
}

static void a_named_column_groups_rows_across_runs(void **state)
{
	struct import_options o = {.group_column = "program"};
	struct dataset *d = fresh("a.db");
	struct table *t;

	(void)state;
	imported(d, "x.csv", "time_s,program,cpu_user,core_watts\n1,a,0,1\n2,b,0,1\n3,,0,1\n", &o);
	imported(d, "y.csv", "time_s,program,cpu_user,core_watts\n1,b,0,1\n", &o);
	t = loaded(d);
	assert_int_equal(t->n_groups, 3);
	assert_int_equal(t->group[1], t->group[3]);
	assert_int_not_equal(t->group[0], t->group[1]);
	assert_int_not_equal(t->group[2], t->group[0]);
	table_free(t);
	dataset_close(d);
}

static void bad_rows_are_told_counted_and_left_out(void **state)
{
	struct dataset *d = fresh("a.db");
	autofree char *text = malloc(4096);
	autofree char *said = NULL;
	size_t said_len = 0, at;
	struct import_report report;
	struct err e = ERR_INIT;
	FILE *talk = open_memstream(&said, &said_len);

	(void)state;
	at = (size_t)snprintf(text, 64, "time_s,cpu_user,core_watts\n1,0.5,4\n");
	for (int i = 0; i < 30; i++)
		at += (size_t)snprintf(text + at, 32, "%d,high,4\n", i);
	assert_int_equal(dataset_import_joined(d, csv("b.csv", text), &plain, talk, &report, &e),
			 0);
	fclose(talk);
	assert_int_equal(report.rows, 1);
	assert_int_equal(report.bad_rows, 30);
	assert_non_null(strstr(said, "b.csv:3: column cpu_user: 'high' is not a number"));
	assert_non_null(strstr(said, "b.csv:22: "));
	assert_null(strstr(said, "b.csv:23: "));
	assert_non_null(strstr(said, "10 more bad rows"));
	dataset_close(d);
}

static void refuses_a_file_without_labels_or_good_rows(void **state)
{
	struct import_options bad_name = {.run = "a,b"};
	struct dataset *d = fresh("a.db");

	(void)state;
	refuses(d, "time_s,cpu_user\n1,0.5\n", &plain, "no row has a label");
	refuses(d, "time_s,cpu_user,core_watts\n1,0.5,\n", &plain, "no row has a label");
	refuses(d, "time_s,cpu_user,core_watts\n1,half,1\n", &plain, "no good row (1 bad ones)");
	refuses(d, "time_s,cpu_user,core_watts\n", &plain, "no good row");
	refuses(d, "time_s,core_watts\n1,2\n", &plain, "known feature");
	refuses(d, "time_s,cpu_user,core_watts\n1,0.5,1\n", &bad_name, "cannot be a run's name");
	refuses(d, "time_s,run,cpu_user,core_watts\n1,bad,0,1\n1,c,0,1\n2,bad,0,1\n", &plain,
		"keep the rows of a run together");
	dataset_close(d);
}

static void a_zone_without_labels_is_fine_where_another_has_them(void **state)
{
	struct dataset *d = fresh("a.db");
	struct import_report report =
		imported(d, "x.csv", "time_s,cpu_user,core_watts,dram_watts\n1,0.5,1,\n", &plain);
	struct table *t = loaded(d);

	(void)state;
	assert_int_equal(report.n_zones, 1);
	assert_true(isnan(t->runs[0].interval_s));
	assert_null(t->y_w[ZONE_DRAM]);
	table_free(t);
	dataset_close(d);
}

static void watts_come_from_joules_where_they_are_missing(void **state)
{
	struct dataset *d = fresh("a.db");
	struct table *t;
	const double *y;

	(void)state;
	/* A given watt, a wrap, a gap, a step back in time. */
	imported(d, "x.csv",
		 "time_s,cpu_user,core_watts,core_joules\n"
		 "0,0,,100\n2,0,,120\n4,0,7,150\n6,0,,160\n8,0,,10\n10,0,,30\n12,0,,50\n"
		 "30,0,,90\n20,0,,100\n22,0,,110\n",
		 &plain);
	t = loaded(d);
	y = t->y_w[ZONE_CORE];
	assert_true(isnan(y[0]));
	assert_close(y[1], 10, 1e-12);
	assert_close(y[2], 7, 0);
	assert_close(y[3], 5, 1e-12);
	assert_true(isnan(y[4]));
	assert_close(y[5], 10, 1e-12);
	assert_true(isnan(y[7]) && isnan(y[8]));
	assert_close(y[9], 5, 1e-12);
	assert_close(t->runs[0].interval_s, 2, 0);
	assert_int_equal(t->n_rows, 10);
	table_free(t);
	dataset_close(d);
}

static void unordered_rows_have_no_interval(void **state)
{
	struct import_options o = {.unordered = true, .window_s = 5};
	struct dataset *d = fresh("a.db");
	struct table *t;

	(void)state;
	imported(d, "x.csv", "time_s,cpu_user,core_watts,dram_joules\n1,0,1,5\n2,0,1,9\n", &o);
	t = loaded(d);
	assert_false(t->runs[0].ordered);
	assert_true(isnan(t->runs[0].interval_s) && isnan(t->runs[0].window_s));
	assert_null(t->y_w[ZONE_DRAM]);
	table_free(t);
	dataset_close(d);
}

static void window_is_kept_and_never_shorter_than_the_interval(void **state)
{
	struct import_options wide = {.window_s = 20}, narrow = {.window_s = 1, .run = "n"};
	static const char text[] = "time_s,cpu_user,core_watts\n1,0,1\n4,0,1\n7,0,1\n";
	struct dataset *d = fresh("a.db");
	struct import_report report;
	struct table *t;

	(void)state;
	report = imported(d, "x.csv", text, &wide);
	assert_int_equal(report.repeated_rows, 2);
	imported(d, "x.csv", text, &narrow);
	t = loaded(d);
	assert_close(t->runs[0].window_s, 20, 0);
	assert_close(t->runs[1].window_s, 3, 0);
	assert_int_equal(table_repeated_rows(t), 4);
	table_free(t);
	dataset_close(d);
}

static char *exported(struct dataset *d)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct err e = ERR_INIT;

	if (dataset_export(d, f, &e) < 0)
		fail_msg("%s", e.msg);
	fclose(f);
	return text;
}

static void export_reads_back_the_same(void **state)
{
	struct import_options o = {.group_column = "program"};
	struct dataset *d = fresh("a.db"), *again = fresh("b.db");
	autofree char *first = NULL;
	autofree char *second = NULL;
	struct import_report report;

	(void)state;
	imported(d, "x.csv",
		 "time_s,program,vcpus,cpu_user,package_watts,kepler_guest_package_watts\n"
		 "1757512962.659264,a,4,0.1,1.1,\n1757512963.5,,4,,,147.02\n",
		 &o);
	imported(d, "y.csv", "time_s,cpu_busy_vcpus,vcpus,dram_watts\n1,1.5,3,1e-7\n", &plain);
	first = exported(d);
	assert_string_equal(first, "time_s,run,group,vcpus,cpu_utilization,cpu_user,cpu_busy_vcpus,"
				   "package_watts,dram_watts,kepler_guest_package_watts\n"
				   "1757512962.659264,x,a,4,,0.1,,1.1,,\n"
				   "1757512963.5,x,,4,,,,,,147.02\n"
				   "1,y,,3,0.5,,1.5,,1e-07,\n");
	report = imported(again, "export.csv", first, &plain);
	assert_int_equal(report.runs, 2);
	second = exported(again);
	assert_string_equal(first, second);
	dataset_close(d);
	dataset_close(again);
}

static void merge_copies_runs_and_refuses_clashes(void **state)
{
	struct import_options o = {.group_column = "program", .window_s = 9};
	struct dataset *a = fresh("a.db"), *b = fresh("b.db");
	struct err e = ERR_INIT;
	struct table *t;
	size_t runs = 0;

	(void)state;
	imported(a, "x.csv", "time_s,program,cpu_user,core_watts\n1,p,0,1\n", &o);
	imported(b, "y.csv", "time_s,program,cpu_user,core_watts\n1,q,0,2\n4,p,0,3\n", &o);
	dataset_close(b);
	assert_int_equal(dataset_merge(a, path_of("b.db"), false, &runs, &e), 0);
	assert_int_equal(runs, 1);
	t = loaded(a);
	assert_int_equal(t->n_runs, 2);
	assert_int_equal(t->n_rows, 3);
	assert_int_equal(t->n_groups, 2);
	assert_int_equal(t->group[0], t->group[2]);
	assert_close(t->y_w[ZONE_CORE][2], 3, 0);
	assert_close(t->runs[1].window_s, 9, 0);
	table_free(t);
	assert_int_equal(dataset_merge(a, path_of("b.db"), false, &runs, &e), -ERR_DATA);
	assert_non_null(strstr(e.msg, "run 'y'"));
	assert_int_equal(dataset_merge(a, path_of("b.db"), true, &runs, &e), 0);
	t = loaded(a);
	assert_int_equal(t->n_rows, 3);
	table_free(t);
	assert_int_equal(dataset_merge(a, path_of("none.db"), true, &runs, &e), -ENOENT);
	dataset_close(a);
}

static void refuses_files_that_are_no_dataset(void **state)
{
	struct dataset *d = NULL;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(dataset_open(path_of("none.db"), DATASET_READ, &d, &e), -ENOENT);
	csv("text.db", "this text is long enough to be looked at as a database, and is none; "
		       "it goes on for more than one hundred bytes to be sure of that.");
	assert_int_equal(dataset_open(path_of("text.db"), DATASET_READ, &d, &e), -ERR_FORMAT);
	assert_non_null(strstr(e.msg, "not a dataset"));
	assert_int_equal(dataset_open(path_of("text.db"), DATASET_WRITE, &d, &e), -ERR_FORMAT);
	csv("empty.db", "");
	assert_int_equal(dataset_open(path_of("empty.db"), DATASET_READ, &d, &e), -ERR_DATA);
	assert_null(d);
}

static void appended_tables_keep_rows_groups_and_unique_names(void **state)
{
	struct dataset *a = fresh("a.db"), *b = fresh("b.db");
	struct table *t = NULL;
	struct err e = ERR_INIT;

	(void)state;
	imported(a, "x.csv", "time_s,cpu_user,core_watts\n1,0.1,1\n2,0.2,2\n", &plain);
	imported(b, "x.csv", "time_s,cpu_system,dram_watts\n1,0.3,3\n", &plain);
	assert_int_equal(table_append(&t, loaded(a), &e), 0);
	assert_int_equal(table_append(&t, loaded(b), &e), 0);
	assert_int_equal(table_append(&t, loaded(a), &e), 0);
	assert_int_equal(t->n_rows, 5);
	assert_int_equal(t->n_groups, 3);
	assert_string_equal(t->runs[1].name, "x#2");
	assert_string_equal(t->runs[2].name, "x#3");
	assert_int_equal(t->runs[2].first, 3);
	assert_int_equal(t->run[4], 2);
	assert_int_equal(t->group[2], 1);
	assert_close(t->x[FEATURE_CPU_USER][4], 0.2, 0);
	assert_true(isnan(t->x[FEATURE_CPU_USER][2]));
	assert_true(isnan(t->x[FEATURE_CPU_SYSTEM][0]));
	assert_close(t->y_w[ZONE_DRAM][2], 3, 0);
	assert_true(isnan(t->y_w[ZONE_DRAM][4]));
	table_free(t);
	dataset_close(a);
	dataset_close(b);
}

/* As dataset merge has it: rows of one value stay together, in whichever dataset they are. */
static void a_group_of_two_datasets_is_one(void **state)
{
	const struct import_options o = {.group_column = "job"};
	struct dataset *a = fresh("a.db"), *b = fresh("b.db");
	struct table *t = NULL;
	struct err e = ERR_INIT;

	(void)state;
	imported(a, "x.csv", "time_s,cpu_user,core_watts,job\n1,0.1,1,tar\n2,0.2,2,gcc\n", &o);
	imported(b, "y.csv", "time_s,cpu_user,core_watts,job\n1,0.1,1,gcc\n2,0.2,2,\n3,0.3,3,ssh\n",
		 &o);
	assert_int_equal(table_append(&t, loaded(a), &e), 0);
	assert_int_equal(table_append(&t, loaded(b), &e), 0);
	assert_int_equal(t->n_groups, 4);
	assert_int_equal(t->group[0], 0);
	assert_int_equal(t->group[1], 1);
	assert_int_equal(t->group[2], 1);
	assert_int_equal(t->group[3], 2);
	assert_int_equal(t->group[4], 3);
	assert_string_equal(t->group_name[3], "ssh");
	table_free(t);
	dataset_close(a);
	dataset_close(b);
}

static void renamed_runs_are_no_others(void **state)
{
	struct dataset *a = fresh("a.db"), *b = fresh("b.db");
	struct table *t = NULL;
	struct err e = ERR_INIT;

	(void)state;
	imported(a, "x.csv", "time_s,cpu_user,core_watts\n1,0.1,1\n", &plain);
	imported(b, "x.csv", "time_s,cpu_user,core_watts\n1,0.1,1\n", &plain);
	imported(b, "x#2.csv", "time_s,cpu_user,core_watts\n1,0.1,1\n", &plain);
	assert_int_equal(table_append(&t, loaded(a), &e), 0);
	assert_int_equal(table_append(&t, loaded(b), &e), 0);
	assert_string_equal(t->runs[1].name, "x#3");
	assert_string_equal(t->runs[2].name, "x#2");
	table_free(t);
	dataset_close(a);
	dataset_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(imports_a_run_named_after_its_file),
		cmocka_unit_test(a_second_import_of_a_run_needs_replace),
		cmocka_unit_test(a_named_column_groups_rows_across_runs),
		cmocka_unit_test(bad_rows_are_told_counted_and_left_out),
		cmocka_unit_test(refuses_a_file_without_labels_or_good_rows),
		cmocka_unit_test(a_zone_without_labels_is_fine_where_another_has_them),
		cmocka_unit_test(watts_come_from_joules_where_they_are_missing),
		cmocka_unit_test(unordered_rows_have_no_interval),
		cmocka_unit_test(window_is_kept_and_never_shorter_than_the_interval),
		cmocka_unit_test(export_reads_back_the_same),
		cmocka_unit_test(merge_copies_runs_and_refuses_clashes),
		cmocka_unit_test(refuses_files_that_are_no_dataset),
		cmocka_unit_test(appended_tables_keep_rows_groups_and_unique_names),
		cmocka_unit_test(a_group_of_two_datasets_is_one),
		cmocka_unit_test(renamed_runs_are_no_others),
	};

	return cmocka_run_group_tests_name(__FILE__, tests, make_dir, remove_dir);
}
