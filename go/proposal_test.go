// SPDX-License-Identifier: Apache-2.0

package vmwatts_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"sort"
	"strings"
	"sync"
	"testing"

	vmwatts "vmwatts.dev/go"
)

func newEstimator(t testing.TB, keys string) *vmwatts.Estimator {
	e, err := vmwatts.NewEstimator(keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func TestEstimatorIsTheProposals(t *testing.T) {
	var p vmwatts.PowerEstimator = newEstimator(t, golden(t, "KEY"))
	if !reflect.DeepEqual(p.GetSupportedZones(),
		[]string{vmwatts.ZonePackage, vmwatts.ZoneCore, vmwatts.ZoneDRAM, vmwatts.ZoneUncore}) {
		t.Errorf("zones %v", p.GetSupportedZones())
	}
	if !strings.HasPrefix(p.GetModelVersion(), "prior-") {
		t.Errorf("version %q", p.GetModelVersion())
	}
	if err := p.LoadModels("/nowhere.vmw"); err == nil || !strings.HasPrefix(p.GetModelVersion(), "prior-") {
		t.Errorf("a bundle that is not there: %v, then %q", err, p.GetModelVersion())
	}
	if err := p.LoadModels(golden(t, "BUNDLE")); err != nil {
		t.Fatal(err)
	}
	m, err := p.EstimatePower(vmwatts.VMFeatures{CPUUtilization: 0.5, Additional: map[string]float64{"vcpus": 14}})
	if err != nil {
		t.Fatal(err)
	}
	if m.ModelVersion != "1.0.0" || p.GetModelVersion() != "1.0.0" {
		t.Errorf("version %q, %q", m.ModelVersion, p.GetModelVersion())
	}
	// The same row by the library's own way.
	f := vmwatts.NewFeatures()
	f.Set("vcpus", 14)
	f.Set("cpu_utilization", 0.5)
	f.Set("cpu_steal_time", 0)
	e, err := openBundle(t).Estimate(f)
	if err != nil {
		t.Fatal(err)
	}
	least := 1.0
	for _, z := range e.Zones {
		if m.NodeCPUWatts[z.Zone] != z.Watts {
			t.Errorf("%s: %v, Model says %v", z.Zone, m.NodeCPUWatts[z.Zone], z.Watts)
		}
		least = math.Min(least, z.Confidence)
	}
	if m.Confidence != least {
		t.Errorf("confidence %v, the smallest is %v", m.Confidence, least)
	}
	if !reflect.DeepEqual(m.Features, map[string]float64{"vcpus": 14, "cpu_utilization": 0.5, "cpu_steal_time": 0}) {
		t.Errorf("features %v", m.Features)
	}
}

func TestLoadModelsTakesAStoreAndADirectoryOfKeys(t *testing.T) {
	e := newEstimator(t, golden(t, "KEYS"))
	if err := e.LoadModels(golden(t, "STORE")); err != nil {
		t.Fatal(err)
	}
	if e.GetModelVersion() != "1.0.0" {
		t.Errorf("version %q", e.GetModelVersion())
	}
	if err := e.LoadModels(t.TempDir()); err == nil || e.GetModelVersion() != "1.0.0" {
		t.Errorf("an empty store: %v, then %q", err, e.GetModelVersion())
	}
	if err := e.LoadModels(""); !errors.Is(err, vmwatts.ErrConfig) {
		t.Errorf("no path: %v", err)
	}
}

func TestZeroThatCannotBeIsMissing(t *testing.T) {
	f, err := vmwatts.VMFeatures{CPUUtilization: 0}.Features()
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Map(); !reflect.DeepEqual(got, map[string]float64{"cpu_utilization": 0, "cpu_steal_time": 0}) {
		t.Errorf("%v", got)
	}
	f, _ = vmwatts.VMFeatures{CPUUtilization: 1, PageFaultRate: 5,
		Additional: map[string]float64{"page_fault_rate": 0, "cache_miss_ratio": 0}}.Features()
	for _, name := range []string{"page_fault_rate", "cache_miss_ratio"} {
		if v, present := f.Get(name); !present || v != 0 {
			t.Errorf("%s: Additional does not count as it is", name)
		}
	}
	if _, err := (vmwatts.VMFeatures{Additional: map[string]float64{"memory_read_bytes_rate": 1}}).Features(); !errors.Is(err, vmwatts.ErrFeature) {
		t.Errorf("a feature that is none: %v", err)
	}
	e := newEstimator(t, "")
	if _, err := e.EstimatePower(vmwatts.VMFeatures{CPUUtilization: math.NaN()}); !errors.Is(err, vmwatts.ErrNoAnswer) {
		t.Errorf("nothing known: %v", err)
	}
	if m, err := e.EstimatePower(vmwatts.VMFeatures{CPUUtilization: 0.5}); err != nil || m.Features["vcpus"] < 1 {
		t.Errorf("vcpus are added: %v %v", m.Features, err)
	}
}

func TestRowsSurviveTheProposalsType(t *testing.T) {
	f := vmwatts.NewFeatures()
	for i, name := range vmwatts.FeatureNames() {
		if i%3 != 2 {
			f.Set(name, float64(i%5)/4)
		}
	}
	back, err := f.VMFeatures().Features()
	if err != nil {
		t.Fatal(err)
	}
	for i := range f {
		if math.Float64bits(f[i]) != math.Float64bits(back[i]) && !(math.IsNaN(f[i]) && math.IsNaN(back[i])) {
			t.Errorf("feature %d: %v, then %v", i, f[i], back[i])
		}
	}
}

func keysOf(t *testing.T, v interface{}) string {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]interface{}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return strings.Join(names, " ")
}

func TestNamesInJSONAreTheProposals(t *testing.T) {
	if got := keysOf(t, vmwatts.VMPowerMetrics{}); got != "confidence features model_version node_cpu_watts" {
		t.Errorf("VMPowerMetrics: %s", got)
	}
	if got := keysOf(t, vmwatts.VMFeatures{}); got != "cache_miss_ratio context_switch_rate cpu_steal_time "+
		"cpu_utilization instructions_per_cycle memory_usage_percent page_fault_rate" {
		t.Errorf("VMFeatures: %s", got)
	}
	for name, want := range map[string]struct {
		of   interface{}
		tags string
	}{
		"VMEnergyConfig": {vmwatts.VMEnergyConfig{},
			"enabled modelPath collectionInterval inferenceMethod pythonServerURL,omitempty cpuPinning,omitempty featureConfig"},
		"CPUPinningConfig":        {vmwatts.CPUPinningConfig{}, "enabled isolatedCPUs recommendationMode"},
		"FeatureCollectionConfig": {vmwatts.FeatureCollectionConfig{}, "perfCountersEnabled samplingInterval metricsWhitelist"},
	} {
		var tags []string
		for i, typ := 0, reflect.TypeOf(want.of); i < typ.NumField(); i++ {
			tags = append(tags, typ.Field(i).Tag.Get("yaml"))
		}
		if got := strings.Join(tags, " "); got != want.tags {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestLoadModelsWhileOthersEstimate(t *testing.T) {
	e := newEstimator(t, golden(t, "KEY"))
	var wait sync.WaitGroup
	for g := 0; g < 8; g++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := 0; i < 300; i++ {
				if _, err := e.EstimatePower(vmwatts.VMFeatures{CPUUtilization: 0.5}); err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	for i := 0; i < 10; i++ {
		if err := e.LoadModels(golden(t, "BUNDLE")); err != nil {
			t.Error(err)
		}
	}
	wait.Wait()
	e.Close()
	e.Close()
	if _, err := e.EstimatePower(vmwatts.VMFeatures{CPUUtilization: 0.5}); !errors.Is(err, vmwatts.ErrClosed) {
		t.Errorf("estimate after Close: %v", err)
	}
	if err := e.LoadModels(golden(t, "BUNDLE")); !errors.Is(err, vmwatts.ErrClosed) {
		t.Errorf("load after Close: %v", err)
	}
}
