// SPDX-License-Identifier: Apache-2.0
/*
 * The ready-made plans, as the YAML that `workload show` prints and `workload
 * run` reads: one for each type of work of a virtual machine (processor,
 * memory, input and output, mixed), `full` for training, `quick` for trying.
 */
#include "base/cleanup.h"
#include "workload/plan.h"

/* A phase of DURATION seconds, its loads in flow style. */
#define PHASE(name, duration) "  - {name: " name ", duration: " #duration "s}\n"
#define LOADS(name, duration, loads)                                                               \
	"  - name: " name "\n    duration: " #duration "s\n    loads: [" loads "]\n"
#define BURST(name, duration, burst, loads)                                                        \
	"  - name: " name "\n    duration: " #duration "s\n    burst: " burst                      \
	"\n    loads: [" loads "]\n"
#define LOAD(words) "{kind: " words "}"

static const char cpu_yaml[] =
	"name: cpu\n"
	"about: 'processor work of several kinds at several loads'\n"
	"phases:\n" PHASE("idle-before", 20) LOADS("prime-25", 25, LOAD("cpu-prime, load: 25"))
		LOADS("prime-50", 25, LOAD("cpu-prime, load: 50")) LOADS(
			"prime-75", 25, LOAD("cpu-prime, load: 75")) LOADS("prime-100", 25,
									   LOAD("cpu-prime"))
			LOADS("int64-30", 20, LOAD("cpu-int64, load: 30")) LOADS("int64-100", 20,
										 LOAD("cpu-int64"))
				LOADS("double-60", 20, LOAD("cpu-double, load: 60")) LOADS(
					"double-100", 20,
					LOAD("cpu-double")) LOADS("matrix-40", 20,
								  LOAD("cpu-matrix, load: 40"))
					LOADS("matrix-100", 20, LOAD("cpu-matrix")) LOADS(
						"vector-50", 20, LOAD("cpu-vector, load: 50"))
						LOADS("vector-100", 20, LOAD("cpu-vector")) LOADS(
							"one-worker", 20,
							LOAD("cpu-matrix, workers: 1"))
							LOADS("ramp", 100,
							      LOAD("cpu-mixed, load: 0..100..0"))
								BURST("bursts", 60, "[2s, 3s]",
								      LOAD("cpu-double, load: 90"));

static const char memory_yaml[] =
	"name: memory\n"
	"about: 'memory bandwidth, random access, allocation and caches'\n"
	"phases:\n" PHASE("idle-before", 20) LOADS("stream-one", 30,
						   LOAD("memory-stream, workers: 1"))
		LOADS("stream-50", 30, LOAD("memory-stream, load: 50")) LOADS("stream-100", 30,
									      LOAD("memory-stream"))
			LOADS("random-40", 30, LOAD("memory-random, load: 40, size: 25%"))
				LOADS("random-100", 30, LOAD("memory-random, size: 50%")) LOADS(
					"alloc-30", 30, LOAD("memory-alloc, load: 30"))
					LOADS("alloc-100", 30, LOAD("memory-alloc")) LOADS(
						"cache-50", 30, LOAD("memory-cache, load: 50"))
						LOADS("cache-100", 30, LOAD("memory-cache"))
							LOADS("alloc-ramp", 60,
							      LOAD("memory-alloc, load: 0..100..0"))
								BURST("bursts", 40, "[2s, 3s]",
								      LOAD("memory-stream"));

static const char io_yaml[] =
	"name: io\n"
	"about: 'disk and network, alone and together'\n"
	"phases:\n" PHASE("idle-before", 20) LOADS("write-one", 30,
						   LOAD("disk-write, workers: 1, size: 256M"))
		LOADS("write-all", 30, LOAD("disk-write, size: 512M")) LOADS(
			"random-50", 30, LOAD("disk-random, load: 50, size: 256M"))
			LOADS("random-100", 30, LOAD("disk-random, size: 512M")) LOADS(
				"tcp-30", 30, LOAD("network, load: 30")) LOADS("tcp-100", 30,
									       LOAD("network"))
				LOADS("udp-50", 30, LOAD("network-udp, load: 50")) LOADS(
					"disk-and-tcp", 40,
					LOAD("disk-write, workers: 1, size: 256M") ", " LOAD(
						"network, workers: 1, load: 50"))
					LOADS("tcp-ramp", 60, LOAD("network, load: 0..100..0"))
						BURST("bursts", 40, "[2s, 3s]",
						      LOAD("disk-random, workers: 1, size: 256M"));

static const char mixed_yaml[] =
	"name: mixed\n"
	"about: 'processor, memory, disk and network at the same time, as services have them'\n"
	"phases:\n" PHASE("idle-before", 20) LOADS(
		"web", 60,
		LOAD("cpu-int64, load: 20") ", " LOAD(
			"network, load: 20")) LOADS("database", 60,
						    LOAD("cpu-mixed, load: 15") ", " LOAD(
							    "memory-random, workers: 1, load: "
							    "50, size: 20%") ", " LOAD("disk-"
										       "random, "
										       "workers: "
										       "1, load: "
										       "50, size: "
										       "256M"))
		LOADS("analytics", 60,
		      LOAD("cpu-matrix, load: 50") ", " LOAD("memory-stream, load: 40"))
			BURST("build", 60, "[4s, 2s]",
			      LOAD("cpu-prime, load: 80") ", " LOAD(
				      "memory-alloc, "
				      "workers: 1, load: "
				      "40") ", " LOAD("disk-write, workers: 1, load: 30, size: "
						      "128M"))
				LOADS("rush", 60,
				      LOAD("cpu-mixed, load: "
					   "5..70..5") ", " LOAD("network, load: "
								 "0..40..0"))
					LOADS("everything", 40,
					      LOAD("cpu-double, load: 60") ", " LOAD(
						      "mem"
						      "ory"
						      "-st"
						      "rea"
						      "m, "
						      "wor"
						      "ker"
						      "s: "
						      "1") ", " LOAD("disk-write, workers: 1, "
								     "size: "
								     "128M") ", " LOAD("network, "
										       "workers: "
										       "1"));

static const char full_yaml[] =
	"name: full\n"
	"about: 'a training day in 30 minutes: idle, ramps, every kind of load, bursts'\n"
	"phases:\n" PHASE("night-1", 90) LOADS(
		"backup", 90,
		LOAD("disk-random, workers: 1, size: 512M") ", " LOAD(
			"cpu-int64, load: 5")) LOADS("morning-ramp", 120,
						     LOAD("cpu-mixed, load: 0..60") ", " LOAD(
							     "network, load: 0..30"))
		LOADS("prime-20", 24, LOAD("cpu-prime, load: 20")) LOADS(
			"prime-50", 24,
			LOAD("cpu-prime, load: 50")) LOADS("prime-80", 24,
							   LOAD("cpu-prime, load: 80"))
			LOADS("prime-100", 24, LOAD("cpu-prime, load: 100")) LOADS(
				"int64-20", 24,
				LOAD("cpu-int64, load: 20")) LOADS("int64-50", 24,
								   LOAD("cpu-int64, load: "
									"50")) LOADS("int64-"
										     "80",
										     24,
										     LOAD("cp"
											  "u-"
											  "in"
											  "t6"
											  "4,"
											  " l"
											  "oa"
											  "d:"
											  " 8"
											  "0"))
				LOADS("int64-100", 24, LOAD("cpu-int64, load: 100")) LOADS(
					"double-20", 24,
					LOAD("cpu-double, load: 20")) LOADS("double-50", 24,
									    LOAD("cpu-double, "
										 "load: 50"))
					LOADS("double-80", 24, LOAD("cpu-double, load: 80")) LOADS(
						"double-100", 24,
						LOAD("cpu-double, load: 100")) LOADS("matrix-20",
										     24,
										     LOAD("cpu-"
											  "matrix, "
											  "load: "
											  "20"))
						LOADS("matrix-50", 24, LOAD("cpu-matrix, load: 50")) LOADS(
							"matrix-"
							"80",
							24,
							LOAD("cpu"
							     "-ma"
							     "tri"
							     "x, "
							     "loa"
							     "d: "
							     "8"
							     "0")) LOADS("matrix-100", 24,
									 LOAD(
										 "cpu-matrix, "
										 "load: "
										 "100"))
							LOADS("vector-30", 24, LOAD("cpu-vector, load: 30")) LOADS(
								"vector-60", 24,
								LOAD(
									"cpu-vector, load: "
									"60")) LOADS("vector-"
										     "100",
										     24,
										     LOAD("cp"
											  "u-"
											  "ve"
											  "ct"
											  "or"
											  ", "
											  "lo"
											  "ad"
											  ": "
											  "10"
											  "0"))
								LOADS("one-worker", 30,
								      LOAD("cpu-prime, "
									   "workers: 1"))
									LOADS(
										"lunch", 60,
										LOAD("cpu-"
										     "mixed, "
										     "load: "
										     "5") ","
											  " " LOAD(
												  "network, load: 5")) LOADS("stream-40",
															     40,
															     LOAD(
																     "memory-stream, load: 40")) LOADS("stream-100",
																				       40,
																				       LOAD("memory-stream")) LOADS("random-60", 40, LOAD("memory-random, load: 60, size: 30%")) LOADS("alloc-50", 40, LOAD("memory-alloc, load: 50")) LOADS("cache-100", 40, LOAD("memory-cache")) LOADS("write", 40, LOAD("disk-write, size: 512M")) LOADS("disk-random",
																																																			     40,
																																																			     LOAD("disk-random, size: 512M")) LOADS("tcp-50",
																																																								    40,
																																																								    LOAD("network, load: 50"))
										LOADS("tcp-100", 40, LOAD("network")) LOADS(
											"udp-50",
											40,
											LOAD("netwo"
											     "rk-"
											     "udp, "
											     "load:"
											     " 50")) LOADS("web",
													   50,
													   LOAD("cpu-int64, load: 20") ", " LOAD(
														   "network, load: 20"))
											LOADS("data"
											      "bas"
											      "e",
											      50,
											      LOAD("cpu-mixed, load: 15") ", " LOAD("memory-random, workers: 1, load: 50, size: 20%") ", " LOAD(
												      "disk-random, workers: 1, load: 50, size: 256M"))
												LOADS("analytics",
												      50,
												      LOAD("cpu-matrix, load: 50") ", " LOAD(
													      "memory-stream, load: 40"))
													BURST("bursts-short",
													      60,
													      "[1s, 2s]",
													      LOAD("cpu-mixed"))
														BURST("burs"
														      "ts-"
														      "lon"
														      "g",
														      80,
														      "[8s,"
														      " 8s"
														      "]",
														      LOAD("cpu-matrix, load: 80"))
															LOADS("evening-ramp",
															      120,
															      LOAD("cpu-mixed, load: 60..100..0"))
																PHASE("night-2",
																      144);

static const char quick_yaml[] =
	"name: quick\n"
	"about: 'three minutes of everything'\n"
	"phases:\n" PHASE("idle", 20) LOADS("prime-50", 15, LOAD("cpu-prime, load: 50")) LOADS(
		"matrix-100", 15, LOAD("cpu-matrix")) LOADS("vector-100", 10, LOAD("cpu-vector"))
		LOADS("stream", 15, LOAD("memory-stream")) LOADS("alloc", 15, LOAD("memory-alloc"))
			LOADS("disk", 15, LOAD("disk-write, size: 128M"))
				LOADS("tcp", 15, LOAD("network, load: 50")) LOADS(
					"web", 15,
					LOAD("cpu-int64, load: 20") ", " LOAD("network, load: 20"))
					LOADS("ramp", 30, LOAD("cpu-mixed, load: 0..100..0"))
						BURST("bursts", 15, "[1s, 2s]", LOAD("cpu-double"));

const struct ready_plan ready_plans[] = {
	{"cpu", "processor work of several kinds at several loads", cpu_yaml},
	{"memory", "memory bandwidth, random access, allocation and caches", memory_yaml},
	{"io", "disk and network, alone and together", io_yaml},
	{"mixed", "processor, memory, disk and network at the same time, as services have them",
	 mixed_yaml},
	{"full", "a training day in 30 minutes: idle, ramps, every kind of load, bursts",
	 full_yaml},
	{"quick", "three minutes of everything", quick_yaml},
};

const size_t n_ready_plans = array_size(ready_plans);
