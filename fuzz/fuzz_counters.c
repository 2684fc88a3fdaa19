// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a counter page: read, or said to be none; and what is shown never falls. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/powercap.h"
#include "publish/counter_file.h"

/* Half of the inputs with their magic and checksums made right, or hardly any would be looked at.
 */
static size_t take(const uint8_t *data, size_t size, struct counter_file *ret)
{
	if (size < 1)
		return 0;
	size = size - 1 < sizeof(*ret) ? size - 1 : sizeof(*ret);
	memcpy(ret, data + 1, size);
	if (data[0] & 1) {
		ret->magic = COUNTER_MAGIC;
		for (int s = 0; s < 2; s++)
			ret->slots[s].checksum = counter_checksum(&ret->slots[s].page);
	}
	return data[0] & 2 ? sizeof(*ret) : size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct counter_file file;
	struct counter_reader r;
	char path[64];
	int fd = memfd_create("page", MFD_CLOEXEC);
	uint64_t before[ZONE_RAPL_COUNT] = {0};

	memset(&file, 0, sizeof(file));
	size = take(data, size, &file);
	if (fd < 0 || write(fd, &file, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	counter_reader_init(&r, path);
	counter_reader_refresh(&r);
	/* The clock of the boot that the page was written in, so that it is played out. */
	memcpy(r.boot_id, r.page.boot_id, sizeof(r.boot_id));
	for (int64_t t_ns = 0; t_ns < INT64_MAX / 4; t_ns = t_ns * 3 + 12345) {
		for (enum zone z = ZONE_PACKAGE; z < ZONE_PLATFORM; z++) {
			if (counter_reader_show(&r, z, t_ns) >= POWERCAP_RANGE_UJ ||
			    (int64_t)r.shown_uj[z] < (int64_t)before[z])
				abort();
			before[z] = r.shown_uj[z];
			if (r.has_page && !(counter_power_w(&r.page, z, t_ns, r.boot_id) >= 0))
				abort();
		}
	}
	counter_reader_release(&r);
	close(fd);
	return 0;
}
