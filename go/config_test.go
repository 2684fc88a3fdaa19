// SPDX-License-Identifier: Apache-2.0

package vmwatts_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	vmwatts "vmwatts.dev/go"
)

// How YAML is read into these types is tested where there is a YAML package: ./yamltest.
func TestConfigurationBecomesOptions(t *testing.T) {
	no := false
	c := vmwatts.VMEnergyConfig{ModelPath: "/models", CollectionInterval: "5s", InferenceMethod: "native",
		FeatureConfig: &vmwatts.FeatureCollectionConfig{PerfCountersEnabled: &no, SamplingInterval: "250ms",
			MetricsWhitelist: []string{"cpu_utilization"}}}
	o, err := c.CollectorOptions("/keys")
	if err != nil {
		t.Fatal(err)
	}
	if o.Bundle != "/models" || o.Keys != "/keys" || o.SamplingInterval != 250*time.Millisecond || !o.Meter.NoPerf || len(o.Whitelist) != 1 {
		t.Errorf("%+v", o)
	}
	if !c.IsEnabled() {
		t.Error("enabled is the default")
	}
	c.Enabled = &no
	if c.IsEnabled() {
		t.Error("enabled: false")
	}
	for key, change := range map[string]func(*vmwatts.VMEnergyConfig){
		"inferenceMethod":    func(c *vmwatts.VMEnergyConfig) { c.InferenceMethod = "python-bridge" },
		"collectionInterval": func(c *vmwatts.VMEnergyConfig) { c.CollectionInterval = "5" },
		"samplingInterval":   func(c *vmwatts.VMEnergyConfig) { c.FeatureConfig.SamplingInterval = "10ms" },
		"metricsWhitelist":   func(c *vmwatts.VMEnergyConfig) { c.FeatureConfig.MetricsWhitelist = []string{"x"} },
	} {
		bad, features := c, *c.FeatureConfig
		bad.FeatureConfig = &features
		change(&bad)
		if _, err := bad.CollectorOptions(""); !errors.Is(err, vmwatts.ErrConfig) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}
