// SPDX-License-Identifier: Apache-2.0
/* See patience.h. A descriptor is told to be closed before it is: what is shut here is its own. */
#include "publish/patience.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <time.h>

static int64_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static int fd_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

void patience_init(struct patience *p)
{
	pthread_mutex_init(&p->lock, NULL);
	for (size_t i = 0; i < PATIENCE_CONNECTIONS; i++)
		p->waiting[i].fd = -1;
}

/* Forget a connection; then, with `again`, its time begins. */
static void wait_anew(struct patience *p, struct MHD_Connection *connection, bool again)
{
	int fd = fd_of(connection);
	int64_t since_s = now_s();

	if (fd < 0)
		return;
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < PATIENCE_CONNECTIONS; i++) {
		if (p->waiting[i].fd == fd)
			p->waiting[i].fd = -1;
	}
	for (size_t i = 0; again && i < PATIENCE_CONNECTIONS; i++) {
		if (p->waiting[i].fd >= 0)
			continue;
		p->waiting[i].fd = fd;
		p->waiting[i].since_s = since_s;
		again = false;
	}
	pthread_mutex_unlock(&p->lock);
}

void patience_connection(void *cls, struct MHD_Connection *connection, void **context,
			 enum MHD_ConnectionNotificationCode code)
{
	(void)context;
	wait_anew(cls, connection, code == MHD_CONNECTION_NOTIFY_STARTED);
}

void patience_completed(void *cls, struct MHD_Connection *connection, void **context,
			enum MHD_RequestTerminationCode code)
{
	(void)context;
	if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		wait_anew(cls, connection, true); /* for the next header */
}

void patience_anew(struct patience *p, struct MHD_Connection *connection)
{
	wait_anew(p, connection, true);
}

void patience_check(struct patience *p)
{
	int64_t limit_s = now_s() - PATIENCE_S;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < PATIENCE_CONNECTIONS; i++) {
		if (p->waiting[i].fd >= 0 && p->waiting[i].since_s < limit_s)
			shutdown(p->waiting[i].fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&p->lock);
}
