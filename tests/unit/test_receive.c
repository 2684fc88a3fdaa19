// SPDX-License-Identifier: Apache-2.0
/* A receiver of recordings, with a false QEMU, against what guests must not do. */
#include "folder.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "record/receive.h"
#include "record/receive_conn.h"
#include "record/token.h"

static const char *const columns[] = {"a", "b"};
static const char *const meta[] = {"boot_id", "x", "uuid", "another's", "name", "another"};
static const struct trace_stream stream = {TRACE_GUEST, "another", 3, 2, meta, columns};
static const double values[] = {1, 2, 3};

struct world {
	struct trace_writer *writer;
	struct receiver *receiver;
	struct host_talk talk;
	FILE *said;
	int listener[2], guest[2]; /* of VM web, over two sockets */
	char answer[4096];
	size_t answered;
};

static int listen_at(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* Let the receiver work until it has nothing to do for 20 ms. */
static int pump(struct world *w)
{
	struct pollfd p = {.fd = receiver_fd(w->receiver), .events = POLLIN};
	struct err e = ERR_INIT;
	int r = 0;

	while (r == 0 && poll(&p, 1, 20) > 0)
		r = receiver_serve(w->receiver, &e);
	return r;
}

static void take_guest(struct world *w, int i)
{
	struct pollfd p = {.fd = w->listener[i], .events = POLLIN};

	for (int k = 0; k < 200 && poll(&p, 1, 0) == 0; k++)
		pump(w);
	w->guest[i] = accept4(w->listener[i], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(w->guest[i] >= 0);
	pump(w);
}

static struct world open_world(void)
{
	struct world w = {.said = fopen(path_of("said"), "we"), .guest = {-1, -1}};
	struct err e = ERR_INIT;

	w.talk = host_talk(w.said);
	unlink(path_of("t.vmt"));
	for (int i = 0; i < 2; i++)
		w.listener[i] = listen_at(path_of(i ? "1.sock" : "0.sock"));
	assert_int_equal(trace_writer_open(path_of("t.vmt"), &w.writer, NULL, &e), 0);
	return w;
}

static void start_receiver(struct world *w, const struct receive_limits *limits)
{
	static char addresses[2][160];
	static const char *list[2] = {addresses[0], addresses[1]};
	struct receive_options o = {
		.addresses = list, .n = 2, .limits = limits ? *limits : receive_limits_default};
	struct err e = ERR_INIT;

	for (int i = 0; i < 2; i++)
		snprintf(addresses[i], sizeof(addresses[i]), "virtio:web=%s/%d.sock", dir, i);
	w->talk.to = w->said;
	if (receiver_open(&o, w->writer, path_of("t.vmt"), &w->talk, &w->receiver, &e) < 0)
		fail_msg("%s", e.msg);
	take_guest(w, 0);
	take_guest(w, 1);
}

static void close_world(struct world *w)
{
	receiver_close(w->receiver);
	trace_writer_close(w->writer);
	fclose(w->said);
	for (int i = 0; i < 2; i++) {
		close(w->listener[i]);
		cleanup_fd(&w->guest[i]);
	}
}

static const char *said(struct world *w)
{
	static char text[4096];
	FILE *f = fopen(path_of("said"), "re");

	fflush(w->said);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	return text;
}

static void send_bytes(struct world *w, int i, const void *data, size_t n)
{
	ssize_t sent = send(w->guest[i], data, n, MSG_NOSIGNAL);

	assert_int_equal(sent, n);
	pump(w);
}

static void send_text(struct world *w, int i, const char *text)
{
	send_bytes(w, i, text, strlen(text));
}

static const char *answer(struct world *w, int i)
{
	ssize_t n = recv(w->guest[i], w->answer, sizeof(w->answer) - 1, 0);

	w->answer[n > 0 ? n : 0] = 0;
	return w->answer;
}

static void send_frames(struct world *w, int i, const struct trace_stream *s, unsigned id,
			int64_t first, int n_rows, size_t n_values)
{
	struct byte_writer b = {0};

	if (s)
		trace_encode_stream(&b, id, s);
	for (int k = 0; k < n_rows; k++)
		trace_encode_row(&b, id, first + k, values, n_values);
	send_bytes(w, i, b.data, b.len);
	byte_writer_release(&b);
}

/* Streams and rows in the file, all of VM web. */
static void count(size_t *ret_streams, size_t *ret_rows)
{
	struct trace_reader *r;
	struct trace_record record;
	struct err e = ERR_INIT;

	*ret_streams = *ret_rows = 0;
	assert_int_equal(trace_reader_open(path_of("t.vmt"), &r, &e), 0);
	while (trace_next(r, &record, &e) > 0) {
		assert_string_equal(record.stream->vm, "web");
		assert_null(trace_meta(record.stream, "uuid"));
		assert_null(trace_meta(record.stream, "name"));
		assert_string_equal(trace_meta(record.stream, "boot_id"), "x");
		*ret_streams += record.type == TRACE_STREAM;
		*ret_rows += record.type == TRACE_ROW;
	}
	trace_reader_close(r);
}

static void expect(struct world *w, size_t streams, size_t rows)
{
	size_t got_streams, got_rows;

	count(&got_streams, &got_rows);
	assert_int_equal(got_streams, streams);
	assert_int_equal(got_rows, rows);
	assert_int_equal(receiver_rows(w->receiver), rows);
}

static void takes_rows_under_the_channels_name_and_acknowledges(void **state)
{
	struct world w = open_world();

	(void)state;
	start_receiver(&w, NULL);
	assert_string_equal(answer(&w, 0), "HELLO\n");
	send_text(&w, 0, "rest of a frame \1\2VMWPUSH1 - 7\n");
	assert_string_equal(answer(&w, 0), "START 7\n");
	send_frames(&w, 0, &stream, 3, 100, 5, 2);
	assert_string_equal(answer(&w, 0), "ACK 7 6\n");
	expect(&w, 1, 5);
	close_world(&w);
}

static void a_stream_described_twice_and_rows_sent_again_are_there_once(void **state)
{
	struct world w = open_world();

	(void)state;
	start_receiver(&w, NULL);
	send_text(&w, 0, "VMWPUSH1 - 1\n");
	send_frames(&w, 0, &stream, 1, 100, 5, 2);
	send_text(&w, 0, "VMWPUSH1 - 2\n");
	send_frames(&w, 0, &stream, 9, 103, 5, 2);
	expect(&w, 1, 8);
	/* and so where the receiver was started anew, which may be of another name's file */
	receiver_close(w.receiver);
	close(w.guest[0]);
	close(w.guest[1]);
	start_receiver(&w, NULL);
	send_text(&w, 0, "VMWPUSH1 - 1\n");
	send_frames(&w, 0, &stream, 1, 106, 4, 2);
	assert_int_equal(receiver_rows(w.receiver), 2);
	close_world(&w);
}

/* A hello, the stream, a label (NULL: none), a row. */
static void record_one(struct world *w, const char *hello, const char *label, int64_t real_ns)
{
	struct byte_writer b = {0};

	send_text(w, 0, hello);
	trace_encode_stream(&b, 1, &stream);
	if (label)
		trace_encode_label(&b, 1, real_ns, label);
	trace_encode_row(&b, 1, real_ns, values, 2);
	send_bytes(w, 0, b.data, b.len);
	byte_writer_release(&b);
}

/* The labels that rows of the file stand under, each with a comma behind it. */
static const char *labels_of_rows(void)
{
	static char text[256];
	char label[TRACE_TEXT] = "";
	struct trace_reader *r;
	struct trace_record record;
	struct err e = ERR_INIT;

	text[0] = 0;
	assert_int_equal(trace_reader_open(path_of("t.vmt"), &r, &e), 0);
	while (trace_next(r, &record, &e) > 0) {
		if (record.type == TRACE_LABEL)
			snprintf(label, sizeof(label), "%s", record.label);
		if (record.type == TRACE_ROW)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s,", label);
	}
	trace_reader_close(r);
	return text;
}

/* A guest that connects again says its label again; a recorder that was started anew has none. */
static void a_stream_described_again_has_no_label_of_before(void **state)
{
	struct world w = open_world();

	(void)state;
	start_receiver(&w, NULL);
	record_one(&w, "VMWPUSH1 - 1\n", "busy", 100);
	record_one(&w, "VMWPUSH1 - 2\n", "busy", 101);
	record_one(&w, "VMWPUSH1 - 3\n", NULL, 101); /* was there */
	record_one(&w, "VMWPUSH1 - 4\n", NULL, 102);
	record_one(&w, "VMWPUSH1 - 5\n", NULL, 103);
	record_one(&w, "VMWPUSH1 - 6\n", "idle", 104);
	assert_string_equal(labels_of_rows(), "busy,busy,,,idle,");
	close_world(&w);
}

static void ends_with(const char *what, const void *data, size_t n, const struct trace_stream *s)
{
	struct world w = open_world();

	start_receiver(&w, NULL);
	send_text(&w, 0, "VMWPUSH1 - 1\n");
	if (s)
		send_frames(&w, 0, s, 1, 100, 2, 2);
	send_bytes(&w, 0, data, n);
	if (!strstr(said(&w), what))
		fail_msg("'%s' does not say '%s'", said(&w), what);
	assert_non_null(strstr(answer(&w, 0), "BYE "));
	expect(&w, s ? 1 : 0, s ? 2 : 0);
	/* the other socket does not notice */
	send_text(&w, 1, "VMWPUSH1 - 1\n");
	send_frames(&w, 1, &stream, 1, 200, 2, 2);
	expect(&w, 1, s ? 4 : 2);
	close_world(&w);
}

static void ends_a_connection_that_breaks_a_rule_and_no_other(void **state)
{
	struct trace_stream host = stream;
	struct byte_writer b = {0};
	uint8_t large[] = {0, 0, 8, 0, TRACE_ROW, 0, 0, 0};

	(void)state;
	ends_with("or is none", "garbage, which is no frame\n", 27, &stream);
	ends_with("too large", large, sizeof(large), &stream);
	trace_encode_row(&b, 1, 5, values, 2);
	ends_with("not described", b.data, b.len, NULL);
	b.len = 0;
	trace_encode_row(&b, 2, 5, values, 2);
	ends_with("not described", b.data, b.len, &stream);
	b.len = 0;
	trace_encode_row(&b, 1, 5, values, 3);
	ends_with("another number of columns", b.data, b.len, &stream);
	b.data[12] ^= 1;
	ends_with("damaged", b.data, b.len, &stream);
	b.len = 0;
	host.kind = TRACE_HOST;
	trace_encode_stream(&b, 1, &host);
	ends_with("no host's stream", b.data, b.len, &stream);
	ends_with("no greeting", "VMWPUSH1 -\n", 11, &stream);
	byte_writer_release(&b);
}

static void a_new_connection_replaces_the_old(void **state)
{
	struct world w = open_world();

	(void)state;
	start_receiver(&w, NULL);
	send_text(&w, 0, "VMWPUSH1 - 1\n");
	send_frames(&w, 0, &stream, 1, 100, 2, 2);
	send_text(&w, 1, "VMWPUSH1 - 1\n");
	assert_non_null(strstr(answer(&w, 0), "BYE replaced by a new connection"));
	send_frames(&w, 1, &stream, 1, 102, 2, 2);
	expect(&w, 1, 4);
	close_world(&w);
}

static void ends_a_connection_over_its_rate_of_rows_or_bytes(void **state)
{
	struct receive_limits l = receive_limits_default;
	struct world w = open_world();

	(void)state;
	l.rows.at_once = 10;
	start_receiver(&w, &l);
	send_text(&w, 0, "VMWPUSH1 - 1\n");
	send_frames(&w, 0, &stream, 1, 100, 50, 2);
	assert_non_null(strstr(said(&w), "more rows than it may"));
	expect(&w, 1, 10);
	receiver_close(w.receiver);
	close(w.guest[0]);
	close(w.guest[1]);
	l = receive_limits_default;
	l.bytes.at_once = 400;
	start_receiver(&w, &l);
	send_text(&w, 0, "VMWPUSH1 - 1\n");
	send_frames(&w, 0, &stream, 1, 500, 50, 2);
	assert_non_null(strstr(said(&w), "more bytes than it may"));
	assert_int_equal(receiver_rows(w.receiver), 0);
	close_world(&w);
}

static void ends_a_connection_over_its_part_of_the_disk_and_of_the_streams(void **state)
{
	struct receive_limits l = receive_limits_default;
	struct world w = open_world();
	struct trace_stream s = stream;
	char name[16] = "a";
	const char *other[] = {name, "b"};

	(void)state;
	l.disk_bytes = 2 * 400; /* two sockets */
	start_receiver(&w, &l);
	send_text(&w, 0, "VMWPUSH1 - 1\n");
	send_frames(&w, 0, &stream, 1, 100, 50, 2);
	assert_non_null(strstr(said(&w), "part of --max-size"));
	assert_true(receiver_rows(w.receiver) < 10 && receiver_rows(w.receiver) > 3);
	receiver_close(w.receiver);
	close(w.guest[0]);
	close(w.guest[1]);
	start_receiver(&w, NULL);
	send_text(&w, 0, "VMWPUSH1 - 1\n");
	s.columns = other;
	for (int i = 0; i < RECEIVE_STREAMS_MAX - 1; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		send_frames(&w, 0, &s, 1, 1000 + i, 1, 2);
	}
	assert_null(strstr(said(&w), "too many streams"));
	name[0] = 'd';
	send_frames(&w, 0, &s, 1, 2000, 1, 2);
	assert_non_null(strstr(said(&w), "too many streams"));
	close_world(&w);
}

static void a_trace_that_cannot_be_written_is_the_recordings_error(void **state)
{
	struct world w = open_world();
	struct byte_writer b = {0};

	(void)state;
	start_receiver(&w, NULL);
	trace_writer_limit(w.writer, 20);
	send_text(&w, 0, "VMWPUSH1 - 1\n");
	trace_encode_stream(&b, 1, &stream);
	assert_true(send(w.guest[0], b.data, b.len, 0) > 0);
	assert_int_equal(pump(&w), -ENOSPC);
	byte_writer_release(&b);
	close_world(&w);
}

static int knows_a(void *user, struct receive_conn *c, const char *token, struct err *e)
{
	c->vm = user;
	return *token == 'a' ? 0 : err_set(e, -EACCES, "not known");
}

/* A connection over a pair of sockets; the other end into *ret_guest. */
static struct receive_conn *pair(struct receive_store *s, struct receive_vm *vm, int *ret_guest)
{
	struct channel *channel;
	struct receive_conn *c;
	struct err e = ERR_INIT;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	assert_int_equal(channel_new(fds[0], NULL, NULL, &channel, &e), 0);
	c = receive_conn_new(CHANNEL_VSOCK, channel, s, 0);
	assert_non_null(c);
	c->who = knows_a;
	c->user = vm;
	*ret_guest = fds[1];
	return c;
}

static void a_stranger_that_is_slow_or_not_known_has_to_go(void **state)
{
	struct receive_store s = {.limits = receive_limits_default};
	struct receive_vm *vm = receive_store_vm(&s, "a");
	struct err e = ERR_INIT;
	struct receive_conn *c;
	int guest;

	(void)state;
	c = pair(&s, vm, &guest);
	assert_int_equal(send(guest, "VMWPUSH1", 8, 0), 8);
	assert_int_equal(receive_conn_serve(c, 1000000000, &e), 0);
	assert_int_equal(receive_conn_check(c, 9000000000, 10, 100, &e), 0);
	assert_int_equal(receive_conn_check(c, 11000000000, 10, 100, &e), -ETIMEDOUT);
	assert_int_equal(send(guest, " b 1\n", 5, 0), 5);
	assert_int_equal(receive_conn_serve(c, 2000000000, &e), -EACCES);
	assert_false(c->started);
	receive_conn_free(c, e.msg);
	close(guest);
	receive_store_release(&s);
}

static void a_guest_that_is_silent_for_too_long_or_within_a_frame_has_to_go(void **state)
{
	struct receive_store s = {.limits = receive_limits_default};
	struct receive_vm *vm = receive_store_vm(&s, "a");
	struct err e = ERR_INIT;
	struct receive_conn *c;
	int guest;

	(void)state;
	c = pair(&s, vm, &guest);
	assert_int_equal(send(guest, "VMWPUSH1 a 1\n", 13, 0), 13);
	assert_int_equal(receive_conn_serve(c, 1000000000, &e), 0);
	assert_true(c->started);
	assert_int_equal(receive_conn_check(c, 90000000000, 10, 100, &e), 0);
	assert_int_equal(receive_conn_check(c, 102000000000, 10, 100, &e), -ETIMEDOUT);
	assert_int_equal(send(guest, "\20\0\0\0\2", 5, 0), 5);
	assert_int_equal(receive_conn_serve(c, 2000000000, &e), 0);
	assert_int_equal(receive_conn_check(c, 31000000000, 10, 100, &e), 0);
	assert_int_equal(receive_conn_check(c, 33000000000, 10, 100, &e), -ETIMEDOUT);
	close(guest);
	assert_int_equal(receive_conn_serve(c, 3000000000, &e), -EPIPE);
	receive_conn_free(c, NULL);
	receive_store_release(&s);
}

/* ---- names and tokens ---- */

static void addresses_are_read_or_refused(void **state)
{
	static const char *const bad[] = {
		"",	      "tcp://",	 "tcp://h",   "tcp://h:0",   "tcp://h:65536",
		"http://h:1", "virtio:", "vsock://2", "vsock://a:1", "tcp://:1"};
	struct channel_address a;
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < array_size(bad); i++)
		assert_int_equal(channel_address_parse(bad[i], false, &a, &e), -ERR_USAGE);
	assert_int_equal(channel_address_parse("tcp://[::1]:9103", false, &a, &e), 0);
	assert_string_equal(a.host, "::1");
	assert_int_equal(a.port, 9103);
	assert_int_equal(channel_address_parse("vsock://2:77", false, &a, &e), 0);
	assert_int_equal(a.cid, 2);
	assert_int_equal(channel_address_parse("virtio:web 1=/run/a=b", true, &a, &e), 0);
	assert_string_equal(a.vm, "web 1");
	assert_string_equal(a.path, "/run/a=b");
	assert_int_equal(channel_address_parse("virtio:=/run/a", true, &a, &e), -ERR_USAGE);
	assert_int_equal(channel_address_parse("tcp://:9103", true, &a, &e), 0);
}

static void tokens_are_known_by_their_hash(void **state)
{
	struct token_table t;
	struct err e = ERR_INIT;
	char token[TOKEN_TEXT], other[TOKEN_TEXT];

	(void)state;
	assert_int_equal(token_make("web", path_of("tokens"), path_of("web.token"), &e), 0);
	assert_int_equal(token_make("db 1", path_of("tokens"), path_of("db.token"), &e), 0);
	assert_int_equal(token_make("db", path_of("tokens"), path_of("db.token"), &e), -EEXIST);
	assert_int_equal(token_read(path_of("web.token"), token, &e), 0);
	assert_int_equal(token_read(path_of("db.token"), other, &e), 0);
	assert_int_equal(token_table_read(path_of("tokens"), &t, &e), 0);
	assert_int_equal(t.n, 2);
	assert_int_equal(t.n_vms, 2);
	assert_string_equal(token_table_find(&t, token), "web");
	assert_string_equal(token_table_find(&t, other), "db 1");
	token[0] ^= 1;
	assert_null(token_table_find(&t, token));
	assert_null(token_table_find(&t, ""));
	token_table_release(&t);
}

static void files_of_tokens_that_others_may_use_are_refused(void **state)
{
	struct token_table t;
	struct err e = ERR_INIT;
	char token[TOKEN_TEXT];
	static const mode_t modes[] = {0640, 0604, 0620, 0602};

	(void)state;
	for (size_t i = 0; i < array_size(modes); i++) {
		chmod(path_of("tokens"), modes[i]);
		chmod(path_of("web.token"), modes[i]);
		assert_int_equal(token_table_read(path_of("tokens"), &t, &e), -EPERM);
		assert_int_equal(token_read(path_of("web.token"), token, &e), -EPERM);
	}
	chmod(csv("bad", "0123 web\n"), 0600);
	assert_int_equal(token_table_read(path_of("bad"), &t, &e), -ERR_CONFIG);
	assert_int_equal(token_read(path_of("bad"), token, &e), -ERR_CONFIG);
	chmod(csv("comment", "# nobody yet\n\n"), 0600);
	assert_int_equal(token_table_read(path_of("comment"), &t, &e), 0);
	assert_int_equal(t.n, 0);
	token_table_release(&t);
}

static void a_bucket_gives_its_rate_over_time(void **state)
{
	const struct bucket_limit l = {.per_s = 10, .at_once = 5};
	struct bucket b = {0};

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(bucket_take(&b, &l, 1, 1000000000));
	assert_false(bucket_take(&b, &l, 1, 1000000000));
	assert_true(bucket_take(&b, &l, 1, 1100000000));
	assert_false(bucket_take(&b, &l, 1, 1100000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_rows_under_the_channels_name_and_acknowledges),
		cmocka_unit_test(a_stream_described_twice_and_rows_sent_again_are_there_once),
		cmocka_unit_test(a_stream_described_again_has_no_label_of_before),
		cmocka_unit_test(ends_a_connection_that_breaks_a_rule_and_no_other),
		cmocka_unit_test(a_new_connection_replaces_the_old),
		cmocka_unit_test(ends_a_connection_over_its_rate_of_rows_or_bytes),
		cmocka_unit_test(ends_a_connection_over_its_part_of_the_disk_and_of_the_streams),
		cmocka_unit_test(a_trace_that_cannot_be_written_is_the_recordings_error),
		cmocka_unit_test(a_stranger_that_is_slow_or_not_known_has_to_go),
		cmocka_unit_test(a_guest_that_is_silent_for_too_long_or_within_a_frame_has_to_go),
		cmocka_unit_test(addresses_are_read_or_refused),
		cmocka_unit_test(tokens_are_known_by_their_hash),
		cmocka_unit_test(files_of_tokens_that_others_may_use_are_refused),
		cmocka_unit_test(a_bucket_gives_its_rate_over_time),
	};

	return cmocka_run_group_tests_name("receive", tests, make_dir, remove_dir);
}
