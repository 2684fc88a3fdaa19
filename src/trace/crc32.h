/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRACE_CRC32_H
#define TRACE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32 of IEEE 802.3 (reflected 0xEDB88320), as gzip and PNG have it. */
uint32_t crc32_of(const void *data, size_t len);

#endif
