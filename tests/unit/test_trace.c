// SPDX-License-Identifier: Apache-2.0
/* trace: what was recorded comes back, whatever happens to the recorder or the file. */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "trace/crc32.h"
#include "trace/sample.h"
#include "trace/trace.h"

static const char *const meta[] = {"source", "rapl"};
static const char *const columns[] = {"package_joules", "dram_joules"};
static const struct trace_stream host = {TRACE_HOST, "vm-1", 1, 2, meta, columns};

/* Write `n` rows and a label before the last one. */
static void record(const char *path, size_t n)
{
	struct trace_writer *w;
	struct err e = ERR_INIT;
	unsigned id;

	assert_int_equal(trace_writer_open(path, &w, NULL, &e), 0);
	assert_int_equal(trace_write_stream(w, &host, &id, &e), 0);
	for (size_t i = 0; i < n; i++) {
		const double values[] = {(double)i * 1.5, NAN};

		if (i + 1 == n)
			assert_int_equal(trace_write_label(w, id, (int64_t)i, "idle", &e), 0);
		assert_int_equal(trace_write_row(w, id, (int64_t)i * 1000, values, 2, &e), 0);
	}
	trace_writer_close(w);
}

struct counts {
	size_t streams, rows, labels;
	uint64_t damage;
};

static struct counts count(const char *path)
{
	struct trace_reader *t;
	struct trace_record c;
	struct counts n = {0};
	struct err e = ERR_INIT;
	int r;

	assert_int_equal(trace_reader_open(path, &t, &e), 0);
	while ((r = trace_next(t, &c, &e)) > 0) {
		n.streams += c.type == TRACE_STREAM;
		n.labels += c.type == TRACE_LABEL;
		if (c.type != TRACE_ROW)
			continue;
		n.rows++;
		assert_string_equal(c.stream->vm, "vm-1");
		assert_true(c.values[0] >= 0 && isnan(c.values[1]));
	}
	assert_int_equal(r, 0);
	n.damage = trace_reader_damage(t);
	trace_reader_close(t);
	return n;
}

static void *file_bytes(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "re");
	char *all = malloc(1 << 20);

	assert_non_null(f);
	assert_non_null(all);
	*ret_len = fread(all, 1, 1 << 20, f);
	fclose(f);
	return all;
}

static void write_bytes(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

static void gives_the_known_checksum(void **state)
{
	(void)state;
	assert_int_equal(crc32_of("123456789", 9), 0xcbf43926); /* the check value of CRC-32 */
}

static void reads_back_what_was_written(void **state)
{
	const char *path = path_of("whole.vmt");
	struct counts n;

	(void)state;
	record(path, 100);
	n = count(path);
	assert_int_equal(n.streams, 1);
	assert_int_equal(n.rows, 100);
	assert_int_equal(n.labels, 1);
	assert_int_equal(n.damage, 0);
	assert_true(trace_is(path));
	assert_false(trace_is(path_of("nothing")));
}

/* Cut anywhere: everything before the cut is read, and a recorder goes on behind it. */
static void loses_at_most_the_frame_being_written(void **state)
{
	const char *path = path_of("cut.vmt");
	size_t len, before = 0;
	autofree char *all = NULL;

	(void)state;
	record(path, 5);
	all = file_bytes(path, &len);
	for (size_t cut = TRACE_MAGIC_LEN; cut < len; cut++) {
		struct trace_writer *w;
		struct err e = ERR_INIT;
		unsigned id;
		struct counts n;

		write_bytes(path, all, cut);
		n = count(path);
		assert_true(n.rows == before || n.rows == before + 1);
		before = n.rows;
		assert_int_equal(trace_writer_open(path, &w, NULL, &e), 0);
		assert_int_equal(trace_write_stream(w, &host, &id, &e), 0);
		assert_int_equal(trace_write_row(w, id, 1, (double[]){7, NAN}, 2, &e), 0);
		trace_writer_close(w);
		n = count(path);
		assert_int_equal(n.rows, before + 1);
		assert_int_equal(n.damage, 0);
	}
	assert_int_equal(before, 4);
}

static void skips_damage_in_the_middle(void **state)
{
	const char *path = path_of("damaged.vmt");
	size_t len;
	autofree char *all = NULL;
	struct counts n;

	(void)state;
	record(path, 50);
	all = file_bytes(path, &len);
	all[len / 2] ^= 0x40;
	write_bytes(path, all, len);
	n = count(path);
	assert_int_equal(n.rows, 49);
	assert_true(n.damage > 0);
}

static void refuses_what_is_no_trace_and_leaves_it_alone(void **state)
{
	const char *path = csv("other.csv", "time_s,package_watts\n");
	struct trace_writer *w;
	struct err e = ERR_INIT;
	size_t len;
	autofree char *all = NULL;

	(void)state;
	assert_int_equal(trace_writer_open(path, &w, NULL, &e), -ERR_FORMAT);
	assert_non_null(strstr(e.msg, "not a trace"));
	all = file_bytes(path, &len);
	assert_int_equal(len, 21);
}

static void refuses_a_second_recorder(void **state)
{
	const char *path = path_of("locked.vmt");
	struct trace_writer *a, *b;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(trace_writer_open(path, &a, NULL, &e), 0);
	assert_int_equal(trace_writer_open(path, &b, NULL, &e), -EBUSY);
	trace_writer_close(a);
}

/* A full disk, as /dev/full is not one: the limit cuts in the same place. */
static void stops_at_a_limit_with_what_it_has(void **state)
{
	const char *path = path_of("limit.vmt");
	struct trace_writer *w;
	struct err e = ERR_INIT;
	unsigned id;
	size_t rows = 0;

	(void)state;
	assert_int_equal(trace_writer_open(path, &w, NULL, &e), 0);
	assert_int_equal(trace_write_stream(w, &host, &id, &e), 0);
	trace_writer_limit(w, trace_writer_size(w) + 100);
	while (trace_write_row(w, id, 1, (double[]){1, NAN}, 2, &e) == 0)
		rows++;
	assert_int_equal(e.code, -ENOSPC);
	trace_writer_close(w);
	assert_int_equal(count(path).rows, rows);
	assert_int_equal(rows, 2);
}

/* A child records as fast as it can and is killed; again and again into one file. */
static void survives_kill_9(void **state)
{
	const char *path = path_of("killed.vmt");
	size_t rows = 0;

	(void)state;
	for (int round = 0; round < 10; round++) {
		pid_t child = fork();
		struct counts n;

		if (!child) {
			struct trace_writer *w;
			struct err e = ERR_INIT;
			unsigned id;

			if (trace_writer_open(path, &w, NULL, &e) < 0 ||
			    trace_write_stream(w, &host, &id, &e) < 0)
				_exit(1);
			while (!trace_write_row(w, id, 1, (double[]){1, NAN}, 2, &e))
				;
			_exit(1);
		}
		usleep(5000);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		n = count(path);
		assert_true(n.rows >= rows);
		rows = n.rows;
	}
	assert_true(rows > 0);
}

static void fill(struct sample *s, uint32_t have)
{
	s->mono_ns = 123456789012345;
	s->boot_ns = 123456789012346;
	s->have = have;
	for (int k = 0; k < CPU_TIME_COUNT; k++)
		s->cpu.ticks[k] = (uint64_t)(1000 + k);
	for (unsigned c = 0; c < s->cpus_cap; c++) {
		s->online[c] = c != 1;
		for (int k = 0; k < CPU_TIME_COUNT; k++)
			s->cpus[c].ticks[k] = 100 * c + (unsigned)k;
	}
	s->psi_cpu_us = 55;
	s->psi_io_us = UINT64_MAX;
	s->psi_memory_us = 3;
	for (int k = 0; k < PERF_COUNTER_COUNT; k++)
		s->perf[k] = k == 2 ? NAN : 1e12 + k;
}

static void samples_come_back_from_their_rows(void **state)
{
	struct sample in, out;
	struct err e = ERR_INIT;
	struct sample_map *map;
	char **names;
	double values[512];
	struct trace_stream s = {.kind = TRACE_GUEST, .vm = "a"};

	(void)state;
	assert_int_equal(sample_init(&in, 3, &e), 0);
	assert_int_equal(sample_init(&out, 3, &e), 0);
	fill(&in, 1u << SOURCE_STAT | 1u << SOURCE_PRESSURE | 1u << SOURCE_PERF);
	assert_int_equal(sample_cpus(&in), 3);
	names = sample_column_names(3);
	assert_non_null(names);
	s.n_columns = sample_columns(3);
	s.columns = (const char *const *)names;
	sample_to_values(&in, 3, values);
	assert_int_equal(sample_map_new(&s, &map, &e), 0);
	assert_int_equal(sample_map_cpus(map), 3);
	sample_from_values(map, 77, values, &out);
	assert_int_equal(out.real_ns, 77);
	assert_int_equal(out.mono_ns, in.mono_ns);
	assert_int_equal(out.have, in.have);
	assert_memory_equal(&out.cpu, &in.cpu, sizeof(in.cpu));
	assert_int_equal(out.n_online, 2);
	assert_memory_equal(&out.cpus[2], &in.cpus[2], sizeof(in.cpus[2]));
	assert_true(out.psi_cpu_us == 55 && out.psi_io_us == UINT64_MAX);
	assert_true(isnan(out.perf[2]) && out.perf[3] == in.perf[3]);
	sample_map_free(map);
	sample_column_names_free(names, 3);
	sample_release(&in);
	sample_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_known_checksum),
		cmocka_unit_test(reads_back_what_was_written),
		cmocka_unit_test(loses_at_most_the_frame_being_written),
		cmocka_unit_test(skips_damage_in_the_middle),
		cmocka_unit_test(refuses_what_is_no_trace_and_leaves_it_alone),
		cmocka_unit_test(refuses_a_second_recorder),
		cmocka_unit_test(stops_at_a_limit_with_what_it_has),
		cmocka_unit_test(survives_kill_9),
		cmocka_unit_test(samples_come_back_from_their_rows),
	};

	return cmocka_run_group_tests_name(__FILE__, tests, make_dir, remove_dir);
}
