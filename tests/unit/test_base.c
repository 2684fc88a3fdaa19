// SPDX-License-Identifier: Apache-2.0
/* base: parsing, bytes, text. */
#include "test.h"

#include <errno.h>
#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/root.h"
#include "base/text.h"
#include "base/zone.h"

static void parses_whole_decimal_numbers_only(void **state)
{
	static const char *const bad[] = {"",	" 1",  "1 ",  "1x",    "nan", "inf",  "0x10",
					  "1e", "--1", "1,5", "1e999", "e5",  "true", "1e-1x"};
	double v = 7;

	(void)state;
	for (size_t i = 0; i < array_size(bad); i++) {
		assert_true(parse_double(bad[i], &v) < 0);
		assert_close(v, 7, 0);
	}
	assert_int_equal(parse_double("-1.5e-3", &v), 0);
	assert_close(v, -0.0015, 0);
	assert_int_equal(parse_double(".5", &v), 0);
	assert_close(v, 0.5, 0);
}

static void parses_integers_up_to_their_limits(void **state)
{
	uint64_t u = 0;
	int64_t i = 0;

	(void)state;
	assert_int_equal(parse_u64("18446744073709551615", &u), 0);
	assert_true(u == UINT64_MAX);
	assert_int_equal(parse_u64("18446744073709551616", &u), -ERANGE);
	assert_int_equal(parse_u64("-1", &u), -EINVAL);
	assert_int_equal(parse_i64("-42", &i), 0);
	assert_true(i == -42);
}

static void parses_go_durations(void **state)
{
	int64_t ns = 0;

	(void)state;
	assert_int_equal(parse_duration_ns("5s", &ns), 0);
	assert_true(ns == 5000000000);
	assert_int_equal(parse_duration_ns("1m30s", &ns), 0);
	assert_true(ns == 90000000000);
	assert_int_equal(parse_duration_ns("100ms", &ns), 0);
	assert_true(ns == 100000000);
	assert_int_equal(parse_duration_ns("-5s", &ns), 0);
	assert_true(ns == -5000000000);
	assert_true(parse_duration_ns("5", &ns) < 0);
	assert_true(parse_duration_ns("s", &ns) < 0);
	assert_true(parse_duration_ns("5 s", &ns) < 0);
	assert_true(parse_duration_ns("5sec", &ns) < 0);
}

static void parses_when_something_ends(void **state)
{
	static const char *const bad[] = {"",	  "d",		 "-5d",	       "0d",
					  "1e9d", "180 d",	 "2026-02-31", "2026-13-01",
					  "nan",  "2027-06-30x", "2027",       "-1e300d"};
	int64_t from_s = 1700000000, until_s = 0; /* 2023-11-14 */

	(void)state;
	assert_int_equal(parse_until("2027-06-30", from_s, &until_s), 0);
	assert_true(until_s == 1814313600);
	assert_int_equal(parse_until("180d", from_s, &until_s), 0);
	assert_true(until_s == from_s + 180 * 86400);
	assert_int_equal(parse_until("36h", from_s, &until_s), 0);
	assert_true(until_s == from_s + 36 * 3600);
	assert_int_equal(parse_until("2023-11-14", from_s, &until_s), -ERANGE);
	for (size_t i = 0; i < array_size(bad); i++)
		assert_true(parse_until(bad[i], from_s, &until_s) < 0);
}

static void parses_sizes(void **state)
{
	uint64_t n = 0;

	(void)state;
	assert_int_equal(parse_size("900K", &n), 0);
	assert_true(n == 921600);
	assert_int_equal(parse_size("1M", &n), 0);
	assert_true(n == 1048576);
	assert_true(parse_size("1KB", &n) < 0);
	assert_true(parse_size("99999999999999999999G", &n) < 0);
}

static void formatted_doubles_read_back_exactly(void **state)
{
	static const double values[] = {0, 1, -1, 0.1, 1.0 / 3, 1e-300, 1e300, 1757512962.659264};
	char buf[NUMBER_TEXT];
	double back = 0;

	(void)state;
	for (size_t i = 0; i < array_size(values); i++) {
		format_double(buf, values[i]);
		assert_int_equal(parse_double(buf, &back), 0);
		assert_close(back, values[i], 0);
	}
	assert_string_equal(format_double(buf, 0.1), "0.1");
	assert_string_equal(format_double(buf, NAN), "NaN");
	assert_string_equal(format_double(buf, INFINITY), "+Inf");
}

static void suggests_the_nearest_name(void **state)
{
	static const char *const names[] = {"collection_interval", "model_path", "enabled"};

	(void)state;
	assert_string_equal(nearest_name("colection_interval", names, 3), "collection_interval");
	assert_string_equal(nearest_name("enable", names, 3), "enabled");
	assert_null(nearest_name("zzz", names, 3));
}

static void bytes_come_back_as_written(void **state)
{
	struct byte_writer w = {0};
	struct byte_reader r;
	char text[8], small[3];

	(void)state;
	put_u8(&w, 0xab);
	put_u16(&w, 0x1234);
	put_u32(&w, 0xdeadbeef);
	put_u64(&w, 0x0123456789abcdef);
	put_f64(&w, -1.25);
	put_f32(&w, 0.5f);
	put_text(&w, "zone");
	assert_int_equal(w.data[1], 0x34);
	r = byte_reader(w.data, w.len);
	assert_int_equal(get_u8(&r), 0xab);
	assert_int_equal(get_u16(&r), 0x1234);
	assert_int_equal(get_u32(&r), 0xdeadbeef);
	assert_true(get_u64(&r) == 0x0123456789abcdef);
	assert_close(get_f64(&r), -1.25, 0);
	assert_close((double)get_f32(&r), 0.5, 0);
	get_text(&r, text, sizeof(text));
	assert_string_equal(text, "zone");
	assert_false(r.failed);
	assert_int_equal(get_u8(&r), 0);
	assert_true(r.failed);
	r = byte_reader(w.data + w.len - 6, 6);
	get_text(&r, small, sizeof(small));
	assert_true(r.failed);
	byte_writer_release(&w);
}

static void text_grows_and_is_reused(void **state)
{
	struct text t = {0};
	const char *before;

	(void)state;
	for (int i = 0; i < 1000; i++)
		text_printf(&t, "%d,", i);
	assert_int_equal(t.len, strlen(t.s));
	before = t.s;
	text_reset(&t);
	text_json_string(&t, "a\"b\\\n");
	assert_string_equal(t.s, "\"a\\\"b\\\\\\u000a\"");
	assert_ptr_equal(t.s, before);
	text_reset(&t);
	text_json_number(&t, NAN);
	assert_string_equal(t.s, "null");
	text_release(&t);
}

static void reads_below_a_root_only(void **state)
{
	struct err e = ERR_INIT;
	struct root r;
	char buf[64];

	(void)state;
	assert_int_equal(root_init(&r, SOURCE_ROOT "/", &e), 0);
	assert_false(root_is_self(&r));
	assert_true(root_read(&r, "/LICENSE", buf, sizeof(buf)) == -E2BIG);
	assert_true(root_read(&r, "/no/such", buf, sizeof(buf)) == -ENOENT);
	assert_true(root_init(&r, "/no/such/dir", &e) < 0);
	assert_non_null(strstr(e.msg, "/no/such/dir"));
	assert_int_equal(root_init(&r, "/", &e), 0);
	assert_true(root_is_self(&r));
	/* The machine itself under another name, as a host's /proc in a container is. */
	assert_int_equal(root_init(&r, "/proc/self/root/", &e), 0);
	assert_true(r.prefix[0] && root_is_self(&r));
}

static void what_root_writes_belongs_to_the_owner_of_the_folder(void **state)
{
	char folder[] = "/tmp/vmwatts-file-XXXXXX", path[64];
	struct err e = ERR_INIT;
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
	assert_int_equal(file_replace(path, 0600, "a", 1, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(chown(folder, 4321, 1234), 0);
	assert_int_equal(file_replace(path, 0600, "b", 1, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 4321);
	assert_int_equal(st.st_gid, 1234);
	assert_int_equal(st.st_mode & 0777, 0600);
	unlink(path);
	rmdir(folder);
}

static void what_is_no_file_is_not_replaced(void **state)
{
	char folder[] = "/tmp/vmwatts-test-XXXXXX", pipe[64], link[64];
	struct err e = ERR_INIT;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(pipe, sizeof(pipe), "%s/pipe", folder);
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_int_equal(symlink(pipe, link), 0);
	assert_int_equal(file_replace(pipe, 0600, "a", 1, &e), -EINVAL);
	assert_int_equal(file_replace(link, 0600, "a", 1, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "not a regular file"));
	assert_int_equal(lstat(pipe, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	unlink(link);
	unlink(pipe);
	rmdir(folder);
}

static void secrets_are_their_owners_alone(void **state)
{
	/* mode, owner: whether root and whether another user takes it */
	static const struct {
		mode_t mode;
		uid_t owner;
		bool root, other;
	} cases[] = {{0600, 0, true, true},   {0400, 7, true, true},   {0440, 0, false, true},
		     {0640, 0, false, true},  {0640, 7, false, false}, {0660, 0, false, false},
		     {0604, 0, false, false}, {0644, 0, false, false}, {0610, 0, false, false}};
	struct stat st = {0};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct err e = ERR_INIT;
		bool fit = geteuid() == 0 ? cases[i].root : cases[i].other;

		st.st_mode = S_IFREG | cases[i].mode;
		st.st_uid = cases[i].owner;
		assert_int_equal(file_check_secret("f", &st, &e), fit ? 0 : -EPERM);
	}
}

static void zones_have_names(void **state)
{
	(void)state;
	zone_foreach (z)
		assert_int_equal(zone_find(zone_name(z)), (int)z);
	assert_int_equal(zone_find("gpu"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_whole_decimal_numbers_only),
		cmocka_unit_test(parses_integers_up_to_their_limits),
		cmocka_unit_test(parses_go_durations),
		cmocka_unit_test(parses_when_something_ends),
		cmocka_unit_test(parses_sizes),
		cmocka_unit_test(formatted_doubles_read_back_exactly),
		cmocka_unit_test(suggests_the_nearest_name),
		cmocka_unit_test(bytes_come_back_as_written),
		cmocka_unit_test(text_grows_and_is_reused),
		cmocka_unit_test(reads_below_a_root_only),
		cmocka_unit_test(what_root_writes_belongs_to_the_owner_of_the_folder),
		cmocka_unit_test(what_is_no_file_is_not_replaced),
		cmocka_unit_test(secrets_are_their_owners_alone),
		cmocka_unit_test(zones_have_names),
	};

	return run_unit(tests);
}
