// SPDX-License-Identifier: Apache-2.0
/* The CSV reader on any bytes: no crash, it ends, and what it gives is finite or missing. */
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "features/csv.h"

static void read_all(int fd, const struct csv_options *o, size_t size)
{
	struct err e = ERR_INIT;
	struct csv_reader *c = NULL;
	struct csv_row row;
	size_t rows = 0;
	int r;

	lseek(fd, 0, SEEK_SET);
	if (csv_open_fd(fd, "fuzz", o, &c, &e) < 0)
		return;
	while ((r = csv_next(c, &row, &e)) != 0) {
		if (r < 0 && (r != -ERR_DATA || !e.msg[0]))
			abort();
		if (rows++ > size || strlen(csv_header(c)->ignored) >= 512)
			abort();
		if (r == 1 && !isfinite(row.row.t_s))
			abort();
		feature_foreach (f) {
			if (isinf(row.row.v[f]))
				abort();
		}
	}
	csv_close(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct csv_options features = {.labels = false};
	const struct csv_options labels = {.labels = true, .group_column = "block"};
	const struct csv_options power = {.labels = true, .power_only = true};
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	read_all(fd, &features, size);
	read_all(fd, &labels, size);
	read_all(fd, &power, size);
	close(fd);
	return 0;
}
