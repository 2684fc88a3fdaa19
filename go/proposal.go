// SPDX-License-Identifier: Apache-2.0

package vmwatts

// The zones, by the names that Kepler and RAPL give them.
const (
	ZonePackage = "package"
	ZoneCore    = "core"
	ZoneDRAM    = "dram"
	ZoneUncore  = "uncore"
)

// VMPowerMetrics is one answer: watts by zone, and how far to trust them.
type VMPowerMetrics struct {
	NodeCPUWatts map[string]float64 `json:"node_cpu_watts"` // zone -> watts
	ModelVersion string             `json:"model_version"`
	Confidence   float64            `json:"confidence"` // the smallest over zones
	Features     map[string]float64 `json:"features"`   // those that were used
}

// PowerEstimator turns features into watts. Estimator is one.
type PowerEstimator interface {
	EstimatePower(features VMFeatures) (VMPowerMetrics, error)
	LoadModels(modelPath string) error
	GetSupportedZones() []string
	GetModelVersion() string
}

// VMFeatures are counters of a guest over an interval.
//
// A plain float64 cannot say that it is missing. So a NaN is, and so is a 0
// in a field that is never 0 on a machine that runs: all named fields but
// CPUUtilization and CPUStealTime. Additional holds features by their name in
// the catalogue (FeatureNames); what stands there counts as it is, 0 included,
// and before a named field.
type VMFeatures struct {
	CPUUtilization       float64 `json:"cpu_utilization"`
	CPUStealTime         float64 `json:"cpu_steal_time"`
	InstructionsPerCycle float64 `json:"instructions_per_cycle"`
	CacheMissRatio       float64 `json:"cache_miss_ratio"`
	MemoryUsagePercent   float64 `json:"memory_usage_percent"`
	PageFaultRate        float64 `json:"page_fault_rate"`
	ContextSwitchRate    float64 `json:"context_switch_rate"`

	Additional map[string]float64 `json:"additional,omitempty"`
}

// VMEnergyConfig is the section vm_energy_modeling of the configuration.
type VMEnergyConfig struct {
	Enabled            *bool                    `yaml:"enabled"`
	ModelPath          string                   `yaml:"modelPath"`
	CollectionInterval string                   `yaml:"collectionInterval"`
	InferenceMethod    string                   `yaml:"inferenceMethod"` // "native" or "python-bridge"
	PythonServerURL    string                   `yaml:"pythonServerURL,omitempty"`
	CPUPinning         *CPUPinningConfig        `yaml:"cpuPinning,omitempty"`
	FeatureConfig      *FeatureCollectionConfig `yaml:"featureConfig"`
}

// CPUPinningConfig is the operator's word on pinning.
type CPUPinningConfig struct {
	Enabled            *bool `yaml:"enabled"`
	IsolatedCPUs       []int `yaml:"isolatedCPUs"`
	RecommendationMode *bool `yaml:"recommendationMode"`
}

// FeatureCollectionConfig says what is read, and how often.
type FeatureCollectionConfig struct {
	PerfCountersEnabled *bool    `yaml:"perfCountersEnabled"`
	SamplingInterval    string   `yaml:"samplingInterval"`
	MetricsWhitelist    []string `yaml:"metricsWhitelist"`
}
