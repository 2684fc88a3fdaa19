// SPDX-License-Identifier: Apache-2.0

// Package cloop estimates in a loop that is C's own, for tests to hold Go's
// calls against: a test file itself may not have C in it.
package cloop

/*
#cgo pkg-config: vmwatts
#include <time.h>
#include <vmwatts/vmwatts.h>

static double loop(const void *model, const double *x, int n)
{
	struct vmwatts_zone zones[VMWATTS_ZONE_COUNT];
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < n; i++)
		vmwatts_estimate(model, x, zones);
	clock_gettime(CLOCK_MONOTONIC, &b);
	return (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec);
}
*/
import "C"

import (
	"time"
	"unsafe"
)

// Estimates is how long n of them take, without Go.
func Estimates(model unsafe.Pointer, row *float64, n int) time.Duration {
	return time.Duration(C.loop(model, (*C.double)(unsafe.Pointer(row)), C.int(n)))
}
