// SPDX-License-Identifier: Apache-2.0

// Package yamltest reads the proposal's configuration into the Go types with a
// YAML package, which the core module does without.
package yamltest

import (
	"reflect"
	"testing"

	"gopkg.in/yaml.v3"

	vmwatts "vmwatts.dev/go"
)

const file = `
vm_energy_modeling:
  enabled: true
  model_path: /var/lib/kepler/vm-models/
  collection_interval: 5s
  inference_method: native
  cpu_pinning:
    enabled: false
    isolated_cpus: [2, 3, 6, 7]
    recommendation_mode: true
  feature_config:
    perf_counters_enabled: true
    sampling_interval: 1s
    metrics_whitelist: [cpu_utilization, cpu_steal_time]
  python_server:
    url: localhost:50051
    timeout: 5s
    retry_attempts: 3
  validation:
    confidence_threshold: 0.7
    fallback_method: estimation
`

func want() vmwatts.VMEnergyConfig {
	yes, no := true, false
	return vmwatts.VMEnergyConfig{
		Enabled: &yes, ModelPath: "/var/lib/kepler/vm-models/", CollectionInterval: "5s", InferenceMethod: "native",
		PythonServerURL: "localhost:50051",
		CPUPinning:      &vmwatts.CPUPinningConfig{Enabled: &no, IsolatedCPUs: []int{2, 3, 6, 7}, RecommendationMode: &yes},
		FeatureConfig: &vmwatts.FeatureCollectionConfig{PerfCountersEnabled: &yes, SamplingInterval: "1s",
			MetricsWhitelist: []string{"cpu_utilization", "cpu_steal_time"}},
	}
}

func TestTheProposalsFileIsRead(t *testing.T) {
	var got struct {
		Section vmwatts.VMEnergyConfig `yaml:"vm_energy_modeling"`
	}
	if err := yaml.Unmarshal([]byte(file), &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Section, want()) {
		t.Errorf("%+v", got.Section)
	}
}

// Written, the names are those of the proposal's Go structs; read again, nothing is lost.
func TestTheProposalsStructsAreWrittenAndReadAgain(t *testing.T) {
	text, err := yaml.Marshal(want())
	if err != nil {
		t.Fatal(err)
	}
	var names map[string]interface{}
	if err := yaml.Unmarshal(text, &names); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"enabled", "modelPath", "collectionInterval", "inferenceMethod", "pythonServerURL",
		"cpuPinning", "featureConfig"} {
		if _, there := names[name]; !there {
			t.Errorf("%s is not written", name)
		}
	}
	if len(names) != 7 {
		t.Errorf("written: %s", text)
	}
	var again vmwatts.VMEnergyConfig
	if err := yaml.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again, want()) {
		t.Errorf("%+v", again)
	}
}

func TestWhatIsNoConfigurationIsRefused(t *testing.T) {
	for _, text := range []string{"model_path: [1]", "enabled: perhaps", "cpu_pinning: {isolated_cpus: all}", "feature_config: 7"} {
		var c vmwatts.VMEnergyConfig
		if err := yaml.Unmarshal([]byte(text), &c); err == nil {
			t.Errorf("%s: %+v", text, c)
		}
	}
}
