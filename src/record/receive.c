// SPDX-License-Identifier: Apache-2.0
/*
 * The host's end of a push: see receive.h.
 *
 * One epoll instance holds listeners, connections and a timer of a second, for
 * deadlines, for sockets of QEMU to be tried again, and to sync. A connection
 * that has not greeted yet counts as a stranger: of those there are at most
 * STRANGERS_MAX, and the oldest goes for a new one, so that strangers cannot
 * keep guests out for longer than it takes these to try again.
 */
#include "record/receive.h"

#include <errno.h>
#include <linux/vm_sockets.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/kernel.h"
#include "record/receive_conn.h"
#include "record/token.h"

#define STRANGERS_MAX 32
#define CONNS_MAX     (STRANGERS_MAX + 2 * RECEIVE_VMS_MAX)
#define EVENTS	      32
#define SYNC_TICKS    10
#define RETRY_MAX_NS  30000000000ll

/* What an event is of: a connection's slot, or one of these. */
#define TAG_TIMER    1000
#define TAG_LISTENER 2000

static const struct bucket_limit accepts = {.per_s = 20, .at_once = 60};
static const struct bucket_limit lines = {.per_s = 0.2, .at_once = 20};

/* A socket of QEMU. */
struct link {
	struct channel_address address;
	struct receive_conn *conn; /* NULL: to be connected at next_ns */
	int64_t pause_ns, next_ns;
	bool told; /* that it cannot be connected */
};

struct listener {
	struct channel_address address;
	int fd;
};

struct receiver {
	struct receive_options o;
	struct host_talk *talk;
	struct receive_store store;
	struct channel_tls *tls;
	int epoll_fd, timer_fd;
	struct listener listeners[RECEIVE_ADDRESSES_MAX];
	size_t n_listeners;
	struct link links[RECEIVE_VMS_MAX];
	size_t n_links;
	struct receive_conn *conns[CONNS_MAX];
	struct bucket accepts, lines;
	uint64_t refused; /* strangers */
	unsigned ticks;
};

static int64_t now(void)
{
	return kernel_linux.monotonic_ns();
}

/* ---- connections ---- */

/* What is wrong with a peer: one line, but no more than a reader can read. */
static void tell(struct receiver *r, struct receive_conn *c, const char *what)
{
	if (bucket_take(c->vm ? &c->vm->lines : &r->lines, &lines, 1, now()))
		host_say(r->talk, "%s%s%s: %s", c->vm ? c->vm->name : "", c->vm ? " from " : "",
			 c->peer, what);
}

static void drop(struct receiver *r, struct receive_conn *c, const char *why)
{
	for (size_t i = 0; i < r->n_links; i++) {
		struct link *l = &r->links[i];

		if (l->conn != c)
			continue;
		l->conn = NULL;
		l->next_ns = now() + l->pause_ns;
	}
	r->conns[c->slot] = NULL;
	receive_conn_free(c, why);
}

/* A connection that broke a rule, or has ended. */
static void end(struct receiver *r, struct receive_conn *c, const struct err *e)
{
	bool over = e->code == -EPIPE;

	if (!over || c->started)
		tell(r, c, e->msg);
	if (c->vm && c->started)
		c->vm->ended += !over;
	else if (c->kind != CHANNEL_VIRTIO)
		r->refused++;
	/* paths of this host are not the guest's to know */
	drop(r, c, over ? NULL : r->store.broken.code ? "the host cannot write any more" : e->msg);
}

static void watch(struct receiver *r, struct receive_conn *c, int how)
{
	short wants = receive_conn_events(c);
	struct epoll_event event = {.data.u32 = (uint32_t)c->slot};

	event.events = (wants & POLLIN ? EPOLLIN : 0u) | (wants & POLLOUT ? EPOLLOUT : 0u);
	epoll_ctl(r->epoll_fd, how, channel_fd(c->channel), &event);
}

static void serve(struct receiver *r, struct receive_conn *c)
{
	struct err e = ERR_INIT;

	if (receive_conn_serve(c, now(), &e) < 0)
		end(r, c, &e);
	else
		watch(r, c, EPOLL_CTL_MOD);
}

/* Of one VM there is one connection, the newest. */
static int admit(struct receiver *r, struct receive_conn *c, struct receive_vm *vm)
{
	for (size_t i = 0; i < CONNS_MAX; i++) {
		struct receive_conn *other = r->conns[i];

		if (other && other != c && other->started && other->vm == vm) {
			tell(r, other, "replaced by a new connection");
			drop(r, other, "replaced by a new connection");
		}
	}
	if (!c->started) {
		vm->connections++;
		c->vm = vm;
		tell(r, c, "pushes what it records");
	}
	return 0;
}

static int who(void *user, struct receive_conn *c, const char *token, struct err *e)
{
	struct receiver *r = user;
	struct token_table table;
	struct err why = ERR_INIT;
	const char *name;
	struct receive_vm *vm;

	if (c->vm) /* its socket, or its token before, says who it is */
		return admit(r, c, c->vm);
	if (token_table_read(r->o.tokens, &table, &why) < 0) {
		host_say(r->talk, "%s", why.msg);
		return err_set(e, -EACCES, "its token cannot be looked up");
	}
	name = token_table_find(&table, token);
	vm = name ? receive_store_vm(&r->store, name) : NULL;
	r->store.expected = table.n_vms + r->n_links;
	token_table_release(&table);
	if (!name)
		return err_set(e, -EACCES, "its token is not known");
	return vm ? admit(r, c, vm) : err_set(e, -ENOSPC, "there are too many VMs already");
}

static struct receive_conn *add(struct receiver *r, enum channel_kind kind, struct channel *channel)
{
	struct receive_conn *c = receive_conn_new(kind, channel, &r->store, now());

	for (size_t i = 0; c && i < CONNS_MAX; i++) {
		if (r->conns[i])
			continue;
		r->conns[i] = c;
		c->slot = i;
		c->who = who;
		c->user = r;
		return c;
	}
	receive_conn_free(c, NULL);
	return NULL;
}

/* ---- strangers ---- */

static void make_room(struct receiver *r)
{
	struct receive_conn *oldest = NULL;
	size_t n = 0;

	for (size_t i = 0; i < CONNS_MAX; i++) {
		struct receive_conn *c = r->conns[i];

		if (!c || c->started || c->kind == CHANNEL_VIRTIO)
			continue;
		n++;
		if (!oldest || c->begun_ns < oldest->begun_ns)
			oldest = c;
	}
	if (n < STRANGERS_MAX)
		return;
	r->refused++;
	drop(r, oldest, NULL);
}

static void name_peer(const struct sockaddr_storage *address, socklen_t len, char *ret, size_t size)
{
	char host[64], port[16];

	if (address->ss_family == AF_VSOCK) {
		struct sockaddr_vm vm;

		memcpy(&vm, address, sizeof(vm));
		snprintf(ret, size, "vsock CID %u", vm.svm_cid);
	} else if (getnameinfo((const struct sockaddr *)address, len, host, sizeof(host), port,
			       sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
		snprintf(ret, size, "%s port %s", host, port);
	}
}

static void keep_alive(int fd)
{
	const int on = 1, idle_s = 60, interval_s = 15, count = 4;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void accept_one(struct receiver *r, const struct listener *l)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	bool tcp = l->address.kind == CHANNEL_TCP;
	autofd int fd =
		accept4(l->fd, (struct sockaddr *)&address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct channel *channel;
	struct receive_conn *c;
	struct err e = ERR_INIT;

	if (fd < 0)
		return;
	if (!bucket_take(&r->accepts, &accepts, 1, now())) {
		r->refused++;
		return;
	}
	make_room(r);
	if (tcp)
		keep_alive(fd);
	if (channel_new(steal_fd(&fd), tcp ? r->tls : NULL, NULL, &channel, &e) < 0)
		return;
	c = add(r, l->address.kind, channel);
	if (!c)
		return;
	name_peer(&address, len, c->peer, sizeof(c->peer));
	watch(r, c, EPOLL_CTL_ADD);
}

/* ---- QEMU's sockets ---- */

static void connect_link(struct receiver *r, struct link *l)
{
	struct err e = ERR_INIT;
	struct channel *channel;
	int fd = channel_connect_unix(l->address.path, &e);

	l->next_ns = now() + l->pause_ns;
	if (fd < 0) {
		if (!l->told)
			host_say(r->talk, "%s: %s; it is tried again", l->address.vm, e.msg);
		l->told = true;
		l->pause_ns = l->pause_ns * 2 < RETRY_MAX_NS ? l->pause_ns * 2 : RETRY_MAX_NS;
		return;
	}
	if (channel_new(fd, NULL, NULL, &channel, &e) < 0)
		return;
	l->conn = add(r, CHANNEL_VIRTIO, channel);
	if (!l->conn)
		return;
	l->told = false;
	l->pause_ns = 1000000000;
	l->conn->vm = receive_store_vm(&r->store, l->address.vm);
	snprintf(l->conn->peer, sizeof(l->conn->peer), "%s", l->address.path);
	watch(r, l->conn, EPOLL_CTL_ADD);
	serve(r, l->conn);
}

/* ---- the loop ---- */

static void tick(struct receiver *r)
{
	int64_t now_ns = now();
	struct err e = ERR_INIT;
	uint64_t unused;

	if (read(r->timer_fd, &unused, sizeof(unused)) < 0)
		return;
	for (size_t i = 0; i < r->n_links; i++) {
		if (!r->links[i].conn && now_ns >= r->links[i].next_ns)
			connect_link(r, &r->links[i]);
	}
	for (size_t i = 0; i < CONNS_MAX; i++) {
		if (r->conns[i] &&
		    receive_conn_check(r->conns[i], now_ns, r->o.handshake_s, r->o.idle_s, &e) < 0)
			end(r, r->conns[i], &e);
	}
	if (++r->ticks % SYNC_TICKS == 0 && !r->store.broken.code)
		trace_writer_sync(r->store.writer, &r->store.broken);
}

static void handle(struct receiver *r, uint32_t tag)
{
	if (tag >= TAG_LISTENER)
		accept_one(r, &r->listeners[tag - TAG_LISTENER]);
	else if (tag == TAG_TIMER)
		tick(r);
	else if (tag < CONNS_MAX && r->conns[tag])
		serve(r, r->conns[tag]);
}

int receiver_serve(struct receiver *r, struct err *e)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(r->epoll_fd, events, EVENTS, 0);

	for (int i = 0; i < n && !r->store.broken.code; i++)
		handle(r, events[i].data.u32);
	return r->store.broken.code ? err_set(e, r->store.broken.code, "%s", r->store.broken.msg)
				    : 0;
}

int receiver_fd(const struct receiver *r)
{
	return r->epoll_fd;
}

/* ---- opening and closing ---- */

int receive_check(const struct receive_options *o, struct err *e)
{
	bool tcp = false, tokens = false;
	size_t links = 0;

	for (size_t i = 0; i < o->n; i++) {
		struct channel_address a;

		if (channel_address_parse(o->addresses[i], true, &a, e) < 0)
			return e->code;
		tcp |= a.kind == CHANNEL_TCP;
		tokens |= a.kind != CHANNEL_VIRTIO;
		links += a.kind == CHANNEL_VIRTIO;
	}
	if (o->n > RECEIVE_ADDRESSES_MAX || links > RECEIVE_VMS_MAX)
		return err_set(e, -ERR_USAGE, "--receive: at most %d sockets of VMs",
			       RECEIVE_VMS_MAX);
	if (tcp && (!o->cert || !o->key))
		return err_set(e, -ERR_USAGE, "--receive tcp:// needs --cert and --key");
	if (tokens && !o->tokens)
		return err_set(e, -ERR_USAGE,
			       "--receive tcp:// and vsock:// need --tokens; vmwatts record token "
			       "makes them");
	return 0;
}

static int watch_fd(struct receiver *r, int fd, uint32_t tag, struct err *e)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = tag};

	return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? err_errno(e, "epoll") : 0;
}

static int add_address(struct receiver *r, const char *text, struct err *e)
{
	struct channel_address a;
	struct listener *l = &r->listeners[r->n_listeners];

	if (channel_address_parse(text, true, &a, e) < 0)
		return e->code;
	if (a.kind == CHANNEL_VIRTIO) {
		if (!receive_store_vm(&r->store, a.vm))
			return err_set(e, -ENOSPC, "too many VMs for one file");
		r->links[r->n_links++] = (struct link){.address = a, .pause_ns = 1000000000};
		return 0;
	}
	l->address = a;
	l->fd = channel_listen(&a, e);
	if (l->fd < 0)
		return l->fd;
	return watch_fd(r, l->fd, TAG_LISTENER + (uint32_t)r->n_listeners++, e);
}

static int open_timer(struct receiver *r, struct err *e)
{
	const struct itimerspec when = {.it_interval = {1, 0}, .it_value = {0, 1}};

	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (r->epoll_fd < 0 || r->timer_fd < 0 || timerfd_settime(r->timer_fd, 0, &when, NULL) < 0)
		return err_errno(e, "timer");
	return watch_fd(r, r->timer_fd, TAG_TIMER, e);
}

static int open_secrets(struct receiver *r, struct err *e)
{
	struct token_table table = {.n = 0};

	if (r->o.cert && r->o.key && channel_tls_server(r->o.cert, r->o.key, &r->tls, e) < 0)
		return e->code;
	if (r->o.tokens && token_table_read(r->o.tokens, &table, e) < 0)
		return e->code;
	r->store.expected = table.n_vms + r->n_links;
	token_table_release(&table);
	return 0;
}

int receiver_open(const struct receive_options *o, struct trace_writer *writer, const char *path,
		  struct host_talk *talk, struct receiver **ret, struct err *e)
{
	struct receiver *r = calloc(1, sizeof(*r));
	int code;

	if (!r)
		return err_nomem(e);
	r->o = *o;
	if (!(r->o.handshake_s > 0))
		r->o.handshake_s = 10;
	if (!(r->o.idle_s > 0))
		r->o.idle_s = 7500;
	r->talk = talk;
	r->epoll_fd = r->timer_fd = -1;
	code = receive_check(o, e);
	if (code == 0)
		code = receive_store_open(&r->store, writer, path, &o->limits, e);
	if (code == 0)
		code = open_timer(r, e);
	for (size_t i = 0; code == 0 && i < o->n; i++)
		code = add_address(r, o->addresses[i], e);
	if (code == 0)
		code = open_secrets(r, e);
	if (code < 0) {
		receiver_close(r);
		return code;
	}
	*ret = r;
	return 0;
}

void receiver_close(struct receiver *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < CONNS_MAX; i++) {
		if (r->conns[i])
			drop(r, r->conns[i], "the recording ends");
	}
	for (size_t i = 0; i < r->n_listeners; i++)
		close(r->listeners[i].fd);
	cleanup_fd(&r->timer_fd);
	cleanup_fd(&r->epoll_fd);
	channel_tls_free(r->tls);
	receive_store_release(&r->store);
	free(r);
}

/* ---- what came of it ---- */

uint64_t receiver_rows(const struct receiver *r)
{
	return receive_store_rows(&r->store);
}

void receiver_say(const struct receiver *r)
{
	for (size_t i = 0; i < r->store.n; i++) {
		const struct receive_vm *vm = r->store.vms[i];

		if (vm->connections)
			host_say(r->talk,
				 "%s pushed %llu rows, %llu bytes over %llu connections, %llu of "
				 "them ended for a fault",
				 vm->name, (unsigned long long)vm->taken_rows,
				 (unsigned long long)vm->taken_bytes,
				 (unsigned long long)vm->connections,
				 (unsigned long long)vm->ended);
	}
	if (r->refused)
		host_say(r->talk, "%llu connections of strangers were refused",
			 (unsigned long long)r->refused);
}

void receiver_json(const struct receiver *r, struct text *t)
{
	receive_store_json(&r->store, t);
	text_printf(t, ",\"refused\":%llu", (unsigned long long)r->refused);
}
