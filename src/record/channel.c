// SPDX-License-Identifier: Apache-2.0
/* Bytes over a descriptor, plain or through TLS: see channel.h. */
#include "record/channel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define VERSIONS "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct channel_tls {
	gnutls_certificate_credentials_t credentials;
	bool server;
};

struct channel {
	int fd;
	bool is_socket;
	gnutls_session_t tls; /* NULL: plain */
	bool sending;	      /* GnuTLS holds a record that could not be sent yet */
};

static int tls_new(bool server, struct channel_tls **ret, struct err *e)
{
	struct channel_tls *t = calloc(1, sizeof(*t));

	if (!t || gnutls_certificate_allocate_credentials(&t->credentials) < 0) {
		free(t);
		return err_nomem(e);
	}
	t->server = server;
	*ret = t;
	return 0;
}

int channel_tls_client(const char *ca, struct channel_tls **ret, struct err *e)
{
	struct channel_tls *t = NULL;
	int n;

	if (tls_new(false, &t, e) < 0)
		return e->code;
	n = ca ? gnutls_certificate_set_x509_trust_file(t->credentials, ca, GNUTLS_X509_FMT_PEM)
	       : gnutls_certificate_set_x509_system_trust(t->credentials);
	if (n > 0) {
		*ret = t;
		return 0;
	}
	channel_tls_free(t);
	return err_set(e, -ERR_CONFIG, "%s: no certificate to trust: %s",
		       ca ? ca : "this machine's store", n < 0 ? gnutls_strerror(n) : "empty");
}

int channel_tls_server(const char *cert, const char *key, struct channel_tls **ret, struct err *e)
{
	struct channel_tls *t = NULL;
	struct stat st;
	int r;

	if (stat(key, &st) == 0 && file_check_secret(key, &st, e) < 0)
		return e->code;
	if (tls_new(true, &t, e) < 0)
		return e->code;
	r = gnutls_certificate_set_x509_key_file(t->credentials, cert, key, GNUTLS_X509_FMT_PEM);
	if (r >= 0) {
		*ret = t;
		return 0;
	}
	channel_tls_free(t);
	return err_set(e, -ERR_CONFIG, "%s, %s: %s", cert, key, gnutls_strerror(r));
}

void channel_tls_free(struct channel_tls *t)
{
	if (!t)
		return;
	gnutls_certificate_free_credentials(t->credentials);
	free(t);
}

static bool is_number(const char *host)
{
	unsigned char unused[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, unused) == 1 || inet_pton(AF_INET6, host, unused) == 1;
}

static int start_tls(struct channel *c, const struct channel_tls *tls, const char *name)
{
	unsigned flags = GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS;
	int r = gnutls_init(&c->tls, flags | (tls->server ? GNUTLS_SERVER : GNUTLS_CLIENT));

	if (r >= 0)
		r = gnutls_priority_set_direct(c->tls, VERSIONS, NULL);
	if (r >= 0)
		r = gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE, tls->credentials);
	if (r >= 0 && !tls->server) {
		gnutls_session_set_verify_cert(c->tls, name, 0);
		if (!is_number(name))
			r = gnutls_server_name_set(c->tls, GNUTLS_NAME_DNS, name, strlen(name));
	}
	if (r >= 0) {
		gnutls_handshake_set_timeout(c->tls, GNUTLS_INDEFINITE_TIMEOUT);
		gnutls_transport_set_int(c->tls, c->fd);
	}
	return r;
}

int channel_new(int fd, const struct channel_tls *tls, const char *name, struct channel **ret,
		struct err *e)
{
	struct channel *c = calloc(1, sizeof(*c));
	struct stat st;

	if (!c) {
		close(fd);
		return err_nomem(e);
	}
	c->fd = fd;
	c->is_socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
	if (tls && start_tls(c, tls, name) < 0) {
		channel_free(c);
		return err_nomem(e);
	}
	*ret = c;
	return 0;
}

void channel_free(struct channel *c)
{
	if (!c)
		return;
	if (c->tls) {
		gnutls_bye(c->tls, GNUTLS_SHUT_WR); /* as far as it goes without waiting */
		gnutls_deinit(c->tls);
	}
	close(c->fd);
	free(c);
}

int channel_fd(const struct channel *c)
{
	return c->fd;
}

short channel_wants(const struct channel *c)
{
	return c->tls && gnutls_record_get_direction(c->tls) ? POLLOUT : POLLIN;
}

bool channel_pending(const struct channel *c)
{
	return c->tls && gnutls_record_check_pending(c->tls) > 0;
}

/* Why a peer's certificate was not believed. */
static int untrusted(struct channel *c, struct err *e)
{
	gnutls_datum_t text = {NULL, 0};
	unsigned status = gnutls_session_get_verify_cert_status(c->tls);

	if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) < 0)
		return err_set(e, -EACCES, "the certificate is not to be trusted");
	while (text.size && text.data[text.size - 1] == ' ')
		text.data[--text.size] = 0;
	err_set(e, -EACCES, "%s", (const char *)text.data);
	gnutls_free(text.data);
	return e->code;
}

int channel_handshake(struct channel *c, struct err *e)
{
	int r;

	if (!c->tls)
		return 1;
	do
		r = gnutls_handshake(c->tls);
	while (r == GNUTLS_E_INTERRUPTED);
	if (r == GNUTLS_E_SUCCESS)
		return 1;
	if (!gnutls_error_is_fatal(r))
		return 0;
	if (r == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
		return untrusted(c, e);
	if (r == GNUTLS_E_FATAL_ALERT_RECEIVED)
		return err_set(e, -ECONNREFUSED, "TLS: the other side says: %s",
			       gnutls_alert_get_name(gnutls_alert_get(c->tls)));
	return err_set(e, -EPROTO, "TLS: %s", gnutls_strerror(r));
}

/* GnuTLS's answer as ours. */
static ssize_t moved(ssize_t n, struct err *e)
{
	if (n > 0)
		return n;
	if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED ||
	    n == GNUTLS_E_WARNING_ALERT_RECEIVED)
		return 0;
	if (n == 0 || n == GNUTLS_E_PREMATURE_TERMINATION || n == GNUTLS_E_PUSH_ERROR ||
	    n == GNUTLS_E_PULL_ERROR)
		return err_set(e, -EPIPE, "the other side has ended the connection");
	return err_set(e, -EPROTO, "TLS: %s", gnutls_strerror((int)n));
}

/* read(2)'s and write(2)'s answer as ours. */
static ssize_t moved_plain(ssize_t n, struct err *e)
{
	if (n > 0)
		return n;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n == 0 || errno == EPIPE || errno == ECONNRESET)
		return err_set(e, -EPIPE, "the other side has ended the connection");
	return err_errno(e, "connection");
}

ssize_t channel_recv(struct channel *c, void *buf, size_t size, struct err *e)
{
	if (c->tls)
		return moved(gnutls_record_recv(c->tls, buf, size), e);
	return moved_plain(read(c->fd, buf, size), e);
}

ssize_t channel_send(struct channel *c, const void *data, size_t len, struct err *e)
{
	ssize_t n;

	if (len > CHANNEL_CHUNK)
		len = CHANNEL_CHUNK;
	if (!c->tls)
		return moved_plain(c->is_socket ? send(c->fd, data, len, MSG_NOSIGNAL)
						: write(c->fd, data, len),
				   e);
	n = c->sending ? gnutls_record_send(c->tls, NULL, 0)
		       : gnutls_record_send(c->tls, data, len);
	c->sending = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED;
	return moved(n, e);
}
