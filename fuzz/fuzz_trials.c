// SPDX-License-Identifier: Apache-2.0
/* What a broken-off search left behind, with any bytes behind its header: no crash, and errors are
 * finite. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "train/trials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char header[] = "# vmwatts trials 1 000000000000002a\nzone,depth,rate,error\n";
	const struct search_parameter p[2] = {{.name = "depth"}, {.name = "rate"}};
	const double x[2] = {5, 0.5};
	struct trials *t = NULL;
	struct err e = ERR_INIT;
	char path[64];
	double error;
	int fd = memfd_create("trials", MFD_CLOEXEC);

	if (fd < 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (write(fd, header, sizeof(header) - 1) == (ssize_t)sizeof(header) - 1 &&
	    write(fd, data, size) == (ssize_t)size && trials_open(path, 42, p, 2, &t, &e) == 0 &&
	    trials_find(t, "package", x, &error) && !isfinite(error))
		abort();
	trials_close(t);
	close(fd);
	return 0;
}
