// SPDX-License-Identifier: Apache-2.0
/* Addresses to listen on: see listen.h. */
#include "base/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"

int listen_split(const char *address, char *host, size_t host_size, const char **ret_port)
{
	const char *colon = strrchr(address, ':');
	size_t n;

	if (!colon)
		return -EINVAL;
	n = (size_t)(colon - address);
	if (n >= 2 && address[0] == '[' && address[n - 1] == ']') {
		address++;
		n -= 2;
	}
	if (n >= host_size)
		return -EINVAL;
	memcpy(host, address, n);
	host[n] = 0;
	*ret_port = colon + 1;
	return 0;
}

bool listen_address_ok(const char *address)
{
	const char *port;
	char host[256];
	uint64_t n;

	return listen_split(address, host, sizeof(host), &port) == 0 && parse_u64(port, &n) == 0 &&
	       n <= 65535;
}

static int try_listen(const struct addrinfo *a, bool every, int backlog)
{
	int one = 1, none = 0;
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (every && a->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &none, sizeof(none));
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, backlog) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

int listen_open(const char *address, int backlog, struct err *e)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
				 .ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	const char *port;
	char host[256];
	int fd = -EADDRNOTAVAIL, r;

	if (listen_split(address, host, sizeof(host), &port) < 0)
		return err_set(e, -ERR_CONFIG, "listen %s: ADDRESS:PORT is needed", address);
	r = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
	if (r != 0)
		return err_set(e, -ERR_CONFIG, "listen %s: %s", address, gai_strerror(r));
	/* Of every address IPv6's comes first: that socket takes IPv4 too. */
	for (int six = host[0] == 0; six >= 0 && fd < 0; six--) {
		for (const struct addrinfo *a = found; a && fd < 0; a = a->ai_next) {
			if (host[0] || (a->ai_family == AF_INET6) == six)
				fd = try_listen(a, !host[0], backlog);
		}
	}
	freeaddrinfo(found);
	if (fd == -EADDRINUSE)
		return err_set(e, fd, "%s is in use: stop what listens there, or choose another",
			       address);
	if (fd < 0) {
		errno = -fd;
		return err_errno(e, "listen %s", address);
	}
	return fd;
}

static int connect_to(const char *address)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	const char *port;
	char host[256];
	int fd = -1;

	if (listen_split(address, host, sizeof(host), &port) < 0 ||
	    getaddrinfo(host[0] ? host : NULL, port, &hints, &found) != 0)
		return -1;
	for (const struct addrinfo *a = found; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(found);
	return fd;
}

int listen_ask(const char *address, const char *path, char *text, size_t size, int timeout_ms)
{
	autofd int fd = connect_to(address);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char ask[256];
	size_t n = 0;
	int len;

	len = snprintf(ask, sizeof(ask), "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path);
	if (fd < 0 || len >= (int)sizeof(ask) || send(fd, ask, (size_t)len, MSG_NOSIGNAL) < 0)
		return -ECONNREFUSED;
	while (n < size - 1 && poll(&p, 1, timeout_ms) == 1) {
		ssize_t got = read(fd, text + n, size - 1 - n);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	text[n] = 0;
	return 0;
}
