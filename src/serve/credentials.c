// SPDX-License-Identifier: Apache-2.0
/* See credentials.h. */
#include "serve/credentials.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"

#define PEM_MAX (1u << 20)

struct pems {
	char *cert, *key, *client_ca;
};

static void release(struct pems *p)
{
	if (p->key)
		sodium_memzero(p->key, strlen(p->key));
	free(p->cert);
	free(p->key);
	free(p->client_ca);
}

static int read_pem(const char *path, char **ret, struct err *e)
{
	size_t len;
	int r = file_read(path, PEM_MAX, true, ret, &len, e);

	if (r == 0 && !strstr(*ret, "-----BEGIN "))
		r = err_set(e, -ERR_CONFIG, "%s: no PEM file", path);
	return r;
}

static int read_all(const struct credentials *c, struct pems *ret, struct err *e)
{
	struct stat st;
	int r = stat(c->key, &st) == 0 ? file_check_secret(c->key, &st, e) : 0;

	if (r == 0)
		r = read_pem(c->cert, &ret->cert, e);
	if (r == 0)
		r = read_pem(c->key, &ret->key, e);
	if (r == 0 && c->client_ca)
		r = read_pem(c->client_ca, &ret->client_ca, e);
	return r;
}

int credentials_check(const struct credentials *c, struct err *e)
{
	struct pems p = {NULL, NULL, NULL};
	int r = read_all(c, &p, e);

	release(&p);
	return r;
}

/* gRPC asks at every handshake. */
static grpc_ssl_certificate_config_reload_status fetch(void *user_data,
						       grpc_ssl_server_certificate_config **ret)
{
	struct credentials *c = user_data;
	unsigned wanted = atomic_load(&c->wanted);
	struct pems p = {NULL, NULL, NULL};
	struct err why = ERR_INIT;

	if (c->have == wanted)
		return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
	if (read_all(c, &p, &why) < 0) {
		log_error("%s; the certificate of before serves", why.msg);
		c->have = wanted;
		release(&p);
		return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
	}
	grpc_ssl_pem_key_cert_pair pair = {p.key, p.cert};

	/* gRPC wants authorities even where no client is asked for a certificate; they judge nobody
	 * then. */
	*ret = grpc_ssl_server_certificate_config_create(p.client_ca ? p.client_ca : p.cert, &pair,
							 1);
	c->have = wanted;
	release(&p);
	return *ret ? GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW
		    : GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
}

grpc_server_credentials *credentials_make(struct credentials *c)
{
	grpc_ssl_server_credentials_options *o;

	c->have = 0;
	atomic_store(&c->wanted, 1);
	o = grpc_ssl_server_credentials_create_options_using_config_fetcher(
		c->client_ca ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
			     : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
		fetch, c);
	return o ? grpc_ssl_server_credentials_create_with_options(o) : NULL;
}
