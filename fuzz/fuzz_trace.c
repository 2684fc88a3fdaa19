// SPDX-License-Identifier: Apache-2.0
/* The trace reader on any bytes, and what align makes of them: no crash, and it ends. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "align/recording.h"
#include "trace/crc32.h"
#include "trace/trace.h"

/* Frames whose checksum is right: else the fuzzer would spend its life on guessing it. */
static void write_file(const char *path, const uint8_t *data, size_t size)
{
	FILE *f = fopen(path, "we");

	if (!f || fwrite(TRACE_MAGIC, 1, TRACE_MAGIC_LEN, f) != TRACE_MAGIC_LEN)
		abort();
	while (size > 3) {
		size_t n = (size_t)(data[0] | data[1] << 8) % (size - 2);
		uint8_t *frame = malloc(n + TRACE_OVERHEAD);
		uint32_t crc;

		if (!frame)
			abort();
		for (size_t i = 0; i < 4; i++)
			frame[i] = (uint8_t)(n >> (8 * i));
		frame[4] = (uint8_t)(TRACE_STREAM + data[2] % 3);
		memcpy(frame + 5, data + 3, n < size - 3 ? n : size - 3);
		crc = crc32_of(frame, n + 5);
		for (size_t i = 0; i < 4; i++)
			frame[n + 5 + i] = (uint8_t)(crc >> (8 * i));
		if (fwrite(frame, 1, n + TRACE_OVERHEAD, f) != n + TRACE_OVERHEAD)
			abort();
		free(frame);
		data += n + 3 < size ? n + 3 : size;
		size -= n + 3 < size ? n + 3 : size;
	}
	fwrite(data, 1, size, f); /* a rest that is no frame */
	fclose(f);
}

static void read_side(const char *path, enum trace_kind kind)
{
	const struct recording_choice choice = {.kind = kind};
	const struct csv_options o = {.labels = kind == TRACE_HOST,
				      .power_only = kind == TRACE_HOST};
	struct recording *r = NULL;
	struct csv_reader *csv = NULL;
	struct err e = ERR_INIT;
	struct csv_row row;

	if (recording_open(path, &choice, &r, &e) < 0)
		return;
	if (recording_rows(r, &o, &csv, &e) == 0) {
		while (csv_next(csv, &row, &e) != 0)
			;
	}
	csv_close(csv);
	recording_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/shm/vmwatts-fuzz-trace-%d", (int)getpid());
	write_file(path, data, size);
	read_side(path, TRACE_GUEST);
	read_side(path, TRACE_HOST);
	unlink(path);
	return 0;
}
