// SPDX-License-Identifier: Apache-2.0

//go:build race

package vmwatts_test

const raceEnabled = true
