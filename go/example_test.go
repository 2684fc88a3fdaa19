// SPDX-License-Identifier: Apache-2.0

package vmwatts_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	vmwatts "vmwatts.dev/go"
)

func ExampleEstimator() {
	// The second argument of Open, a key or a directory of keys, goes here.
	e, err := vmwatts.NewEstimator("/etc/kepler/vm-model-keys")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	m, err := e.EstimatePower(vmwatts.VMFeatures{CPUUtilization: 0.5, Additional: map[string]float64{"vcpus": 4}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.NodeCPUWatts[vmwatts.ZonePackage] > m.NodeCPUWatts[vmwatts.ZoneDRAM], m.Confidence > 0)
	// Output: true true
}

func ExampleOpen() {
	_, err := vmwatts.Open("/nowhere/model.vmw", "")
	var e *vmwatts.Error
	fmt.Println(errors.As(err, &e), err)
	// Output: true vmwatts: a bundle needs the public key that signed it
}

func ExampleModel_EstimateInto() {
	m, err := vmwatts.Open("", "") // the prior of this machine
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	f := vmwatts.NewFeatures()
	f.Set("vcpus", 4)
	f.Set("cpu_utilization", 1)
	var e vmwatts.Estimate
	if err := m.EstimateInto(f, &e); err != nil {
		fmt.Println(err)
		return
	}
	for _, z := range e.Zones {
		fmt.Println(z.Zone, z.Valid, z.Provenance, z.WattsLow <= z.Watts && z.Watts <= z.WattsHigh)
	}
	// Output:
	// package true prior true
	// core true prior true
	// dram true prior true
	// uncore true prior true
}

func ExampleCollector_Run() {
	c, err := vmwatts.NewCollector(vmwatts.CollectorOptions{SamplingInterval: 100 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	n := 0
	err = c.Run(ctx, func(s vmwatts.Snapshot) {
		if n++; n == 2 {
			fmt.Println(s.Energy[0].Joules >= 0, s.Interval > 0)
			cancel()
		}
	})
	fmt.Println(err)
	// Output:
	// true true
	// context canceled
}

// In Kepler the three types are those of its package device.
func ExamplePowerMeter() {
	meter := vmwatts.NewPowerMeter[simulatedZone, simulatedEnergy, simulatedPower](vmwatts.PowerMeterOptions{})
	if err := meter.Init(); err != nil {
		fmt.Println(err)
		return
	}
	defer meter.Close()
	zones, err := meter.Zones()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, z := range zones {
		_, err := z.Energy()
		fmt.Println(z.Path(), err)
	}
	// Output:
	// vmwatts/package <nil>
	// vmwatts/core <nil>
	// vmwatts/dram <nil>
	// vmwatts/uncore <nil>
}
