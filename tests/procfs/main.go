// SPDX-License-Identifier: Apache-2.0

// Command procfs reads a powercap tree with the module by which Kepler reads
// RAPL: procfs ROOT CADENCE READS. It prints the zones that module finds, and
// mean and standard deviation of the package's power between reads.
package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/procfs/sysfs"
)

type zone struct {
	Name string  `json:"name"`
	Max  uint64  `json:"max_uj"`
	Mean float64 `json:"mean_watts"`
	SD   float64 `json:"sd_watts"`
}

// grown is Kepler's formula: a lower value is a counter that wrapped.
func grown(before, now, max uint64) uint64 {
	if now >= before {
		return now - before
	}
	return max - before + now
}

func moments(watts []float64) (mean, sd float64) {
	for _, w := range watts {
		mean += w / float64(len(watts))
	}
	for _, w := range watts {
		sd += (w - mean) * (w - mean) / float64(len(watts)-1)
	}
	return mean, math.Sqrt(sd)
}

func run(root string, cadence time.Duration, reads int) ([]zone, error) {
	fs, err := sysfs.NewFS(root)
	if err != nil {
		return nil, err
	}
	zones, err := sysfs.GetRaplZones(fs)
	if err != nil {
		return nil, err
	}
	found := make([]zone, len(zones))
	watts := make([][]float64, len(zones))
	before := make([]uint64, len(zones))
	at := make([]time.Time, len(zones))
	ticker := time.NewTicker(cadence)
	for n := 0; n <= reads; n++ {
		for i, z := range zones {
			uj, err := z.GetEnergyMicrojoules()
			now := time.Now()
			if err != nil {
				return nil, err
			}
			if n > 0 {
				j := float64(grown(before[i], uj, z.MaxMicrojoules)) / 1e6
				watts[i] = append(watts[i], j/now.Sub(at[i]).Seconds())
			}
			before[i], at[i] = uj, now
		}
		if n < reads {
			<-ticker.C
		}
	}
	for i, z := range zones {
		found[i] = zone{Name: fmt.Sprintf("%s-%d", z.Name, z.Index), Max: z.MaxMicrojoules}
		found[i].Mean, found[i].SD = moments(watts[i])
	}
	return found, nil
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: procfs ROOT CADENCE READS")
		os.Exit(2)
	}
	cadence, err := time.ParseDuration(os.Args[2])
	reads, err2 := strconv.Atoi(os.Args[3])
	if err != nil || err2 != nil || reads < 2 {
		fmt.Fprintln(os.Stderr, "procfs: CADENCE is a duration, READS at least 2")
		os.Exit(2)
	}
	zones, err := run(os.Args[1], cadence, reads)
	if err != nil {
		fmt.Fprintln(os.Stderr, "procfs:", err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(zones)
}
