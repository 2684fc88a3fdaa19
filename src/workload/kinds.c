// SPDX-License-Identifier: Apache-2.0
/*
 * What a load can be, in stress-ng's words (0.15, Debian 12). The sizes that
 * stress-ng takes beyond what it is told were measured as resident memory:
 * --stream-l3-size 16m made workers of 101 MB, 64m of 359 MB, hence 7 parts;
 * --hdd-bytes is per worker, and its file is unlinked as soon as it is open.
 * stress-ng paces itself between two calls of a method: one matrix product takes
 * so long in an emulated guest that a load of 25 % was 72.
 */
#include "base/cleanup.h"
#include "workload/plan.h"

#define CPU(method, paces) "--cpu", {"--cpu-method", method}, .paces_itself = paces
#define NO_SIZE		   .size_parts = 0

const struct load_kind load_kinds[] = {
	{"cpu-prime", CLASS_CPU, "prime numbers: integer division", CPU("prime", 1)},
	{"cpu-int64", CLASS_CPU, "64-bit integer arithmetic and bits", CPU("int64", 1)},
	{"cpu-double", CLASS_CPU, "double precision floating point", CPU("double", 1)},
	{"cpu-matrix", CLASS_CPU, "matrix products", CPU("matrixprod", 0)},
	{"cpu-mixed", CLASS_CPU, "every method of stress-ng in turn", CPU("all", 0)},
	{"cpu-vector", CLASS_CPU, "wide vector instructions", "--vecwide", {NULL}, NO_SIZE},
	{"memory-stream",
	 CLASS_MEMORY,
	 "copy, scale, add: memory bandwidth",
	 "--stream",
	 {"--stream-l3-size", "%S"},
	 .size_parts = 7,
	 .size_percent = 10},
	{"memory-random",
	 CLASS_MEMORY,
	 "fill and check with random data, kept",
	 "--vm",
	 {"--vm-bytes", "%S", "--vm-method", "rand-set", "--vm-keep"},
	 .size_parts = 1,
	 .size_percent = 25},
	{"memory-alloc",
	 CLASS_MEMORY,
	 "map, touch and unmap, over and over: page faults",
	 "--vm",
	 {"--vm-bytes", "%S", "--vm-method", "zero-one"},
	 .size_parts = 1,
	 .size_percent = 5},
	{"memory-cache", CLASS_MEMORY, "thrashes the caches", "--cache", {NULL}, NO_SIZE},
	{"disk-write",
	 CLASS_DISK,
	 "sequential writes, each waits for the disk",
	 "--hdd",
	 {"--hdd-bytes", "%S", "--hdd-write-size", "256k", "--hdd-opts", "wr-seq,dsync"},
	 .size_parts = 1,
	 .size_percent = 1},
	{"disk-random",
	 CLASS_DISK,
	 "random writes and reads, past the cache where the file system can",
	 "--hdd",
	 {"--hdd-bytes", "%S", "--hdd-write-size", "64k", "--hdd-opts", "wr-rnd,rd-rnd,%O"},
	 .size_parts = 1,
	 .size_percent = 1},
	{"network",
	 CLASS_NETWORK,
	 "TCP over loopback",
	 "--sock",
	 {"--sock-domain", "ipv4", "--sock-if", "lo", "--sock-port", "%T"},
	 NO_SIZE},
	{"network-udp",
	 CLASS_NETWORK,
	 "UDP over loopback",
	 "--udp",
	 {"--udp-domain", "ipv4", "--udp-if", "lo", "--udp-port", "%U"},
	 NO_SIZE},
};

const size_t n_load_kinds = array_size(load_kinds);
