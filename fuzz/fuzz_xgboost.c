// SPDX-License-Identifier: Apache-2.0
/* The reader of xgboost models, on any bytes: no crash, and see imported.h. */
#include <stdint.h>

#include "imported.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct regressor r;
	struct err e = ERR_INIT;

	if (xgboost_read((const char *)data, size, &r, &e) == 0)
		check_imported(&r);
	return 0;
}
