/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXCHANGE_JSON_H
#define EXCHANGE_JSON_H

/* JSON and its binary twin for the readers; only src/exchange includes this. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A whole UBJSON document; NULL when it is malformed, too deep or too large. json_decref() it. */
json_t *ubjson_read(const void *data, size_t len);

static inline void cleanup_json(json_t **v)
{
	json_decref(*v);
}

#define autojson __attribute__((cleanup(cleanup_json)))

#endif
