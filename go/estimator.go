// SPDX-License-Identifier: Apache-2.0

package vmwatts

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

var _ PowerEstimator = (*Estimator)(nil)

// Estimator is the proposal's PowerEstimator: one row in, one answer out. It
// starts with the built-in prior, and LoadModels takes a bundle. The features
// are taken to be this machine's: where they leave "vcpus" out, it is added.
type Estimator struct {
	keys  string
	vcpus float64

	signatures uint

	mu     sync.RWMutex
	model  *Model
	closed bool
}

// NewEstimator answers by the prior; trustedKeys (a public key or a directory
// of them) is what LoadModels will verify bundles with.
func NewEstimator(trustedKeys string) (*Estimator, error) {
	prior, err := Open("", "")
	if err != nil {
		return nil, err
	}
	return &Estimator{keys: trustedKeys, vcpus: onlineCPUs(), model: prior}, nil
}

// RequireSignatures is for those who ask that so many different keys have
// signed a bundle; call it before LoadModels.
func (e *Estimator) RequireSignatures(n uint) { e.signatures = n }

// Close frees the model.
func (e *Estimator) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	return e.model.Close()
}

// LoadModels opens the bundle at modelPath (see Open) and answers by it from
// then on. On failure what was there goes on answering.
func (e *Estimator) LoadModels(modelPath string) error {
	if modelPath == "" {
		return fmt.Errorf("%w: an empty model path", ErrConfig)
	}
	m, err := OpenSigned(modelPath, e.keys, e.signatures)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		m.Close()
		return ErrClosed
	}
	e.model.Close()
	e.model = m
	return nil
}

// GetSupportedZones are the zones that can be answered: all of RAPL's, where
// not by the bundle then by the prior.
func (e *Estimator) GetSupportedZones() []string { return ZoneNames() }

// GetModelVersion is the bundle's version, or "prior-NAME".
func (e *Estimator) GetModelVersion() string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.model.ModelVersion()
}

// EstimatePower answers one row. ErrNoAnswer where no zone can be answered,
// ErrFeature where Additional has a name that is none.
func (e *Estimator) EstimatePower(features VMFeatures) (VMPowerMetrics, error) {
	f, err := features.Features()
	if err != nil {
		return VMPowerMetrics{}, err
	}
	if _, said := f.Get("vcpus"); !said {
		f.Set("vcpus", e.vcpus)
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	answer, err := e.model.Estimate(f)
	if err != nil {
		return VMPowerMetrics{}, err
	}
	if !answer.valid() {
		return VMPowerMetrics{}, ErrNoAnswer
	}
	return answer.metrics(e.model.ModelVersion(), f), nil
}

func (e *Estimate) metrics(version string, f *Features) VMPowerMetrics {
	m := VMPowerMetrics{NodeCPUWatts: make(map[string]float64, nZones), ModelVersion: version,
		Confidence: e.Confidence(), Features: f.Map()}
	for i := range e.Zones {
		if z := &e.Zones[i]; z.Valid {
			m.NodeCPUWatts[z.Zone] = z.Watts
		}
	}
	return m
}

// named are the fields of VMFeatures by feature; zero says whether 0 is a value.
func (v *VMFeatures) named() []struct {
	name  string
	value *float64
	zero  bool
} {
	return []struct {
		name  string
		value *float64
		zero  bool
	}{
		{"cpu_utilization", &v.CPUUtilization, true},
		{"cpu_steal_time", &v.CPUStealTime, true},
		{"instructions_per_cycle", &v.InstructionsPerCycle, false},
		{"cache_miss_ratio", &v.CacheMissRatio, false},
		{"memory_usage_percent", &v.MemoryUsagePercent, false},
		{"page_fault_rate", &v.PageFaultRate, false},
		{"context_switch_rate", &v.ContextSwitchRate, false},
	}
}

// Features is the row that these fields mean. A 0 that stands for missing is
// missing in it; see VMFeatures.
func (v VMFeatures) Features() (*Features, error) {
	f := NewFeatures()
	for _, n := range v.named() {
		if n.zero || *n.value != 0 {
			f.Set(n.name, *n.value)
		}
	}
	for name, value := range v.Additional {
		if err := f.Set(name, value); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// VMFeatures is the row in the proposal's type: every feature that is present
// is in Additional, so nothing is lost, and in its field where it has one.
func (f *Features) VMFeatures() VMFeatures {
	v := VMFeatures{Additional: f.Map()}
	for _, n := range v.named() {
		if value, present := f.Get(n.name); present {
			*n.value = value
		} else if n.zero {
			v.Additional[n.name] = math.NaN()
		}
	}
	return v
}

// onlineCPUs counts the kernel's list; what this process may use is no measure of the machine.
func onlineCPUs() float64 {
	text, err := os.ReadFile("/sys/devices/system/cpu/online")
	if n := countList(strings.TrimSpace(string(text))); err == nil && n > 0 {
		return float64(n)
	}
	return float64(runtime.NumCPU())
}

// countList counts a list such as "0-3,8"; 0 when it is none.
func countList(list string) (n int) {
	for _, part := range strings.Split(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		a, errA := strconv.Atoi(first)
		b, errB := strconv.Atoi(last)
		if errA != nil || errB != nil || b < a {
			return 0
		}
		n += b - a + 1
	}
	return n
}
