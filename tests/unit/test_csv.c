// SPDX-License-Identifier: Apache-2.0
/* csv: text in, rows out. */
#include "test.h"

#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "features/csv.h"

static const struct csv_options with_labels = {.labels = true};
static const struct csv_options features_only = {.labels = false};

/* A pipe would stop at its capacity; a nameless file holds any text. */
static int file_of(const char *text, size_t len)
{
	FILE *f = tmpfile();
	int fd;

	assert_non_null(f);
	fd = dup(fileno(f));
	fclose(f);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

struct opened {
	int fd;
	struct csv_reader *reader;
	struct err e;
	int r;
};

static struct opened open_n(const char *text, size_t len, const struct csv_options *o)
{
	struct opened f = {.fd = file_of(text, len)};

	f.r = csv_open_fd(f.fd, "t.csv", o, &f.reader, &f.e);
	return f;
}

static struct opened open_text(const char *text, const struct csv_options *o)
{
	return open_n(text, strlen(text), o);
}

static void closed(struct opened *f)
{
	csv_close(f->reader);
	close(f->fd);
}

static void refuses_header(const char *text, const char *reason)
{
	struct opened f = open_text(text, &with_labels);

	assert_int_equal(f.r, -ERR_DATA);
	assert_null(f.reader);
	if (!strstr(f.e.msg, reason))
		fail_msg("'%s' does not say '%s'", f.e.msg, reason);
	closed(&f);
}

/* A file whose second line is bad and whose third is good. */
static void refuses_row(const char *row, const char *reason)
{
	char text[512];
	struct opened f;
	struct csv_row c;

	snprintf(text, sizeof(text), "time_s,cpu_utilization,package_watts\n%s\n7,0.5,3\n", row);
	f = open_text(text, &with_labels);
	assert_int_equal(f.r, 0);
	assert_int_equal(csv_next(f.reader, &c, &f.e), -ERR_DATA);
	if (!strstr(f.e.msg, reason) || !strstr(f.e.msg, "t.csv:2: "))
		fail_msg("'%s' does not say 't.csv:2: %s'", f.e.msg, reason);
	assert_int_equal(c.line, 2);
	assert_true(isnan(c.row.v[FEATURE_CPU_UTILIZATION]));
	assert_true(isnan(c.y_w[ZONE_PACKAGE]));
	assert_int_equal(csv_next(f.reader, &c, &f.e), 1);
	assert_int_equal(c.line, 3);
	assert_close(c.row.t_s, 7, 0);
	assert_int_equal(csv_next(f.reader, &c, &f.e), 0);
	closed(&f);
}

static void reads_a_file_of_power_without_features(void **state)
{
	const struct csv_options o = {.labels = true, .power_only = true};
	struct opened f = open_text("time_s,cpu_utilization,dram_joules\n1,7,3\n", &o);
	struct csv_row c;

	(void)state;
	assert_int_equal(f.r, 0);
	assert_string_equal(csv_header(f.reader)->ignored, "cpu_utilization");
	assert_int_equal(csv_next(f.reader, &c, &f.e), 1);
	assert_close(c.joules[ZONE_DRAM], 3, 0);
	assert_true(isnan(c.row.v[FEATURE_CPU_UTILIZATION]));
	closed(&f);
	f = open_text("time_s,cpu_utilization\n1,0.5\n", &o);
	assert_int_equal(f.r, -ERR_DATA);
	assert_non_null(strstr(f.e.msg, "no column of measured power"));
	closed(&f);
}

static void reads_features_labels_and_names(void **state)
{
	struct csv_options o = {.labels = true, .group_column = "block"};
	struct opened f = open_text("time_s,block,vcpus,cpu_busy_vcpus,package_watts,dram_joules,"
				    "kepler_guest_package_watts,run\n"
				    "1726244217.0,b1,4,1,12.5,99,147,monday\n",
				    &o);
	const struct csv_header *h;
	struct csv_row c;

	(void)state;
	assert_int_equal(f.r, 0);
	h = csv_header(f.reader);
	assert_int_equal(h->n_features, 2);
	assert_true(h->feature[FEATURE_VCPUS] && h->watts[ZONE_PACKAGE] && h->joules[ZONE_DRAM]);
	assert_true(h->run && h->kepler_guest_package_watts);
	assert_string_equal(h->ignored, "");
	assert_int_equal(csv_next(f.reader, &c, &f.e), 1);
	assert_string_equal(c.time_text, "1726244217.0");
	assert_string_equal(c.run, "monday");
	assert_string_equal(c.group, "b1");
	assert_close(c.row.v[FEATURE_CPU_UTILIZATION], 0.25, 1e-15);
	assert_close(c.y_w[ZONE_PACKAGE], 12.5, 0);
	assert_close(c.joules[ZONE_DRAM], 99, 0);
	assert_close(c.kepler_guest_package_w, 147, 0);
	assert_true(isnan(c.y_w[ZONE_CORE]) && isnan(c.row.dt_s));
	closed(&f);
}

static void empty_field_is_missing_and_not_zero(void **state)
{
	struct opened f = open_text("time_s,cpu_utilization,interrupt_rate,core_watts\n1,0.5,,\n",
				    &with_labels);
	struct csv_row c;

	(void)state;
	assert_int_equal(csv_next(f.reader, &c, &f.e), 1);
	assert_true(isnan(c.row.v[FEATURE_INTERRUPT_RATE]));
	assert_true(isnan(c.y_w[ZONE_CORE]));
	closed(&f);
}

static void tolerates_bom_crlf_blanks_and_a_missing_last_newline(void **state)
{
	struct opened f = open_text("\xef\xbb\xbftime_s, cpu_utilization\r\n1, 0.25\r\n\r\n2 ,0.5",
				    &with_labels);
	struct csv_row c;

	(void)state;
	assert_int_equal(f.r, 0);
	assert_int_equal(csv_next(f.reader, &c, &f.e), 1);
	assert_close(c.row.v[FEATURE_CPU_UTILIZATION], 0.25, 0);
	assert_int_equal(csv_next(f.reader, &c, &f.e), 1);
	assert_string_equal(c.time_text, "2");
	assert_int_equal(c.line, 4);
	assert_int_equal(csv_next(f.reader, &c, &f.e), 0);
	closed(&f);
}

static void refuses_what_is_no_recording(void **state)
{
	(void)state;
	refuses_header("", "empty");
	refuses_header("\n\n", "empty");
	refuses_header("cpu_utilization,package_watts\n", "no column time_s");
	refuses_header("time_s;cpu_utilization\n", "commas");
	refuses_header("time_s,package_watts\n", "known feature");
	refuses_header("time_s,host_vm_busy_vcpus,memory_read_bytes_rate\n", "known feature");
	refuses_header("time_s,cpu_user,cpu_user\n", "columns 2 and 3 are both named cpu_user");
	refuses_header("time_s,core_watts,cpu_user,core_watts\n", "both named core_watts");
	refuses_header("\"time_s\",\"cpu_user\"\n", "quotes");
}

static void refuses_bad_rows_and_goes_on(void **state)
{
	(void)state;
	refuses_row("1,0.5", "2 fields where the header has 3 columns");
	refuses_row("1,0.5,3,4,5", "5 fields where the header has 3 columns");
	refuses_row("1,lots,3", "column cpu_utilization: 'lots' is not a number");
	refuses_row("1,nan,3", "'nan' is not a number");
	refuses_row("1,inf,3", "'inf' is not a number");
	refuses_row("1,0x1,3", "'0x1' is not a number");
	refuses_row("1,1e999,3", "'1e999' is not a number");
	refuses_row("1,43,3", "column cpu_utilization: '43' is not a share of 0 to 1");
	refuses_row("1,-0.1,3", "is not a share");
	refuses_row("1,0.5,-3", "column package_watts: '-3' is negative");
	refuses_row("1,0.5,1e30", "column package_watts: '1e30' is more than 1 MW");
	refuses_row("now,0.5,3", "column time_s: 'now' is not a number");
	refuses_row(",0.5,3", "column time_s is empty");
	refuses_row("1,\"0.5\",3", "quotes");
}

static void bad_row_keeps_its_time(void **state)
{
	struct opened f = open_text("cpu_user,time_s\nx,1.50\n", &features_only);
	struct csv_row c;

	(void)state;
	assert_int_equal(csv_next(f.reader, &c, &f.e), -ERR_DATA);
	assert_non_null(strstr(f.e.msg, "cpu_user"));
	assert_string_equal(c.time_text, "1.50");
	closed(&f);
}

static void labels_do_not_matter_where_only_features_are_read(void **state)
{
	struct opened f =
		open_text("time_s,cpu_user,package_watts,run\n1,0.5,n/a,x\n", &features_only);
	struct csv_row c;

	(void)state;
	assert_int_equal(csv_next(f.reader, &c, &f.e), 1);
	assert_true(isnan(c.y_w[ZONE_PACKAGE]));
	assert_string_equal(c.run, "");
	closed(&f);
}

static void lists_ignored_columns_and_hints_at_misspellings(void **state)
{
	struct opened f = open_text("time_s,cpu_user,cpu_utilisation,zebra,host_package_watts\n",
				    &with_labels);

	(void)state;
	assert_int_equal(f.r, 0);
	assert_string_equal(csv_header(f.reader)->ignored,
			    "cpu_utilisation (did you mean cpu_utilization?), zebra, "
			    "host_package_watts");
	closed(&f);
}

static void many_ignored_columns_are_cut_off(void **state)
{
	char text[8192] = "time_s,cpu_user";
	struct opened f;

	(void)state;
	for (int i = 0; i < 200; i++)
		snprintf(text + strlen(text), 32, ",other_column_%d", i);
	f = open_text(text, &with_labels);
	assert_int_equal(f.r, 0);
	assert_true(strlen(csv_header(f.reader)->ignored) < 512);
	assert_non_null(strstr(csv_header(f.reader)->ignored, "..."));
	closed(&f);
}

static void unknown_group_column_is_named(void **state)
{
	struct csv_options o = {.labels = true, .group_column = "blok"};
	struct opened f = open_text("time_s,cpu_user,block\n", &o);

	(void)state;
	assert_int_equal(f.r, -ERR_DATA);
	assert_non_null(strstr(f.e.msg, "no column 'blok' to group by"));
	closed(&f);
}

static void feature_column_can_be_the_group(void **state)
{
	struct csv_options o = {.labels = true, .group_column = "vcpus"};
	struct opened f = open_text("time_s,cpu_user,vcpus\n1,0.5,8\n", &o);
	struct csv_row c;

	(void)state;
	assert_int_equal(csv_next(f.reader, &c, &f.e), 1);
	assert_string_equal(c.group, "8");
	assert_close(c.row.v[FEATURE_VCPUS], 8, 0);
	closed(&f);
}

static void refuses_nul_bytes_and_goes_on(void **state)
{
	static const char text[] = "time_s,cpu_user\n1,0\0.5\n2,0.5\n";
	struct opened f = open_n(text, sizeof(text) - 1, &features_only);
	struct csv_row c;

	(void)state;
	assert_int_equal(csv_next(f.reader, &c, &f.e), -ERR_DATA);
	assert_non_null(strstr(f.e.msg, "NUL"));
	assert_int_equal(csv_next(f.reader, &c, &f.e), 1);
	assert_close(c.row.t_s, 2, 0);
	closed(&f);
}

/* Lines of every length around the limit; the row behind must still be read. */
static void long_lines_are_refused_and_passed_over(void **state)
{
	static const size_t lengths[] = {CSV_LINE_MAX - 1, CSV_LINE_MAX,	 CSV_LINE_MAX + 1,
					 2 * CSV_LINE_MAX, 2 * CSV_LINE_MAX + 1, 5 * CSV_LINE_MAX};

	(void)state;
	for (size_t i = 0; i < array_size(lengths); i++) {
		size_t n = lengths[i], head = strlen("time_s,cpu_user\n");
		autofree char *text = malloc(n + 64);
		struct opened f;
		struct csv_row c;
		int r;

		memcpy(text, "time_s,cpu_user\n", head);
		memset(text + head, ' ', n);
		memcpy(text + head, "1,0.5", 5);
		memcpy(text + head + n, "\n2,0.25\n", sizeof("\n2,0.25\n"));
		f = open_text(text, &features_only);
		r = csv_next(f.reader, &c, &f.e);
		assert_int_equal(r, n > CSV_LINE_MAX ? -ERR_DATA : 1);
		assert_int_equal(csv_next(f.reader, &c, &f.e), 1);
		assert_close(c.row.t_s, 2, 0);
		assert_int_equal(c.line, 3);
		closed(&f);
	}
}

static void reads_rows_that_straddle_the_buffer(void **state)
{
	enum { ROWS = 40000 };
	autofree char *text = malloc((size_t)ROWS * 24 + 64);
	size_t len = (size_t)snprintf(text, 64, "time_s,cpu_user\n");
	struct opened f;
	struct csv_row c;

	(void)state;
	for (int i = 0; i < ROWS; i++)
		len += (size_t)snprintf(text + len, 24, "%d,0.%d\n", i, i);
	f = open_n(text, len, &features_only);
	for (int i = 0; i < ROWS; i++) {
		assert_int_equal(csv_next(f.reader, &c, &f.e), 1);
		assert_close(c.row.t_s, i, 0);
	}
	assert_int_equal(csv_next(f.reader, &c, &f.e), 0);
	assert_int_equal(csv_next(f.reader, &c, &f.e), 0);
	closed(&f);
}

static void missing_file_is_named(void **state)
{
	struct csv_reader *c = NULL;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(csv_open("/no/such.csv", &with_labels, &c, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "/no/such.csv: "));
	assert_true(csv_open("/", &with_labels, &c, &e) < 0);
	assert_null(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_file_of_power_without_features),
		cmocka_unit_test(reads_features_labels_and_names),
		cmocka_unit_test(empty_field_is_missing_and_not_zero),
		cmocka_unit_test(tolerates_bom_crlf_blanks_and_a_missing_last_newline),
		cmocka_unit_test(refuses_what_is_no_recording),
		cmocka_unit_test(refuses_bad_rows_and_goes_on),
		cmocka_unit_test(bad_row_keeps_its_time),
		cmocka_unit_test(labels_do_not_matter_where_only_features_are_read),
		cmocka_unit_test(lists_ignored_columns_and_hints_at_misspellings),
		cmocka_unit_test(many_ignored_columns_are_cut_off),
		cmocka_unit_test(unknown_group_column_is_named),
		cmocka_unit_test(feature_column_can_be_the_group),
		cmocka_unit_test(refuses_nul_bytes_and_goes_on),
		cmocka_unit_test(long_lines_are_refused_and_passed_over),
		cmocka_unit_test(reads_rows_that_straddle_the_buffer),
		cmocka_unit_test(missing_file_is_named),
	};

	return run_unit(tests);
}
