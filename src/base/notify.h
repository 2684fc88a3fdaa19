/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

/* The service manager's readiness protocol, sd_notify(3): a datagram to $NOTIFY_SOCKET. */

/* "READY=1" and the like; nothing happens where there is no service manager. */
void notify_manager(const char *state);

#endif
