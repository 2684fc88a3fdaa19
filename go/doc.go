// SPDX-License-Identifier: Apache-2.0

// Package vmwatts estimates, inside a virtual machine, how many watts of its
// host each CPU power zone (package, core, dram, uncore) spends on it.
//
// It is a thin layer over libvmwatts; what C estimates, Go estimates to the
// last bit. From the outside in:
//
//   - PowerMeter is a CPU power meter as Kepler has them: zones with energy in
//     microjoules. Its type parameters are the caller's own types, so that it
//     fits Kepler's interfaces without an adapter.
//   - Collector reads this machine's counters and estimates, row after row,
//     until its context ends.
//   - Estimator is the proposal's PowerEstimator: features in, watts out.
//   - Model, Session and Meter are the library's own objects.
//
// # Closing
//
// What has a Close holds memory of C. Close frees it at once, twice is fine,
// and whatever is called afterwards returns ErrClosed. There are no
// finalizers: what is never closed stays until the process ends.
//
// # Concurrency
//
// Everything here may be used by any number of goroutines. Estimates of one
// Model run in parallel; a Session, a Meter, a Collector and a PowerMeter do one
// thing at a time.
//
// # Errors
//
// Errors of the library are of type *Error and carry its sentence. They match
// the sentinels of this package (ErrSignature, ErrFormat, ...) and, where the
// system said no, its error numbers: errors.Is(err, fs.ErrNotExist).
package vmwatts
