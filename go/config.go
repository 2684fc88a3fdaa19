// SPDX-License-Identifier: Apache-2.0

package vmwatts

import (
	"fmt"
	"time"
)

// UnmarshalYAML takes both spellings of the proposal, that of its Go structs
// (modelPath) and that of its configuration file (model_path, and the section
// python_server for the bridge's address). It needs no YAML package: those of
// gopkg.in and its successors call it.
func (c *VMEnergyConfig) UnmarshalYAML(unmarshal func(interface{}) error) error {
	type plain VMEnergyConfig
	var file struct {
		ModelPath          string                   `yaml:"model_path"`
		CollectionInterval string                   `yaml:"collection_interval"`
		InferenceMethod    string                   `yaml:"inference_method"`
		CPUPinning         *CPUPinningConfig        `yaml:"cpu_pinning"`
		FeatureConfig      *FeatureCollectionConfig `yaml:"feature_config"`
		PythonServer       struct {
			URL string `yaml:"url"`
		} `yaml:"python_server"`
	}
	if err := unmarshal((*plain)(c)); err != nil {
		return err
	}
	if err := unmarshal(&file); err != nil {
		return err
	}
	take(&c.ModelPath, file.ModelPath)
	take(&c.CollectionInterval, file.CollectionInterval)
	take(&c.InferenceMethod, file.InferenceMethod)
	take(&c.PythonServerURL, file.PythonServer.URL)
	if file.CPUPinning != nil {
		c.CPUPinning = file.CPUPinning
	}
	if file.FeatureConfig != nil {
		c.FeatureConfig = file.FeatureConfig
	}
	return nil
}

// UnmarshalYAML takes both spellings.
func (c *CPUPinningConfig) UnmarshalYAML(unmarshal func(interface{}) error) error {
	type plain CPUPinningConfig
	var file struct {
		IsolatedCPUs       []int `yaml:"isolated_cpus"`
		RecommendationMode *bool `yaml:"recommendation_mode"`
	}
	if err := unmarshal((*plain)(c)); err != nil {
		return err
	}
	if err := unmarshal(&file); err != nil {
		return err
	}
	if file.IsolatedCPUs != nil {
		c.IsolatedCPUs = file.IsolatedCPUs
	}
	if file.RecommendationMode != nil {
		c.RecommendationMode = file.RecommendationMode
	}
	return nil
}

// UnmarshalYAML takes both spellings.
func (c *FeatureCollectionConfig) UnmarshalYAML(unmarshal func(interface{}) error) error {
	type plain FeatureCollectionConfig
	var file struct {
		PerfCountersEnabled *bool    `yaml:"perf_counters_enabled"`
		SamplingInterval    string   `yaml:"sampling_interval"`
		MetricsWhitelist    []string `yaml:"metrics_whitelist"`
	}
	if err := unmarshal((*plain)(c)); err != nil {
		return err
	}
	if err := unmarshal(&file); err != nil {
		return err
	}
	take(&c.SamplingInterval, file.SamplingInterval)
	if file.PerfCountersEnabled != nil {
		c.PerfCountersEnabled = file.PerfCountersEnabled
	}
	if file.MetricsWhitelist != nil {
		c.MetricsWhitelist = file.MetricsWhitelist
	}
	return nil
}

func take(to *string, from string) {
	if from != "" {
		*to = from
	}
}

// IsEnabled is true unless the configuration says false.
func (c *VMEnergyConfig) IsEnabled() bool { return c.Enabled == nil || *c.Enabled }

// CollectorOptions are what the configuration asks of a Collector; bundles are
// verified by keys. ErrConfig names the key that is not allowed.
func (c *VMEnergyConfig) CollectorOptions(keys string) (CollectorOptions, error) {
	o := CollectorOptions{Bundle: c.ModelPath, Keys: keys, Meter: MeterOptions{ClockProbe: true}}
	switch c.InferenceMethod {
	case "", "native":
	default:
		return o, fmt.Errorf("%w: inferenceMethod: found %q, this package has native", ErrConfig, c.InferenceMethod)
	}
	if _, err := duration("collectionInterval", c.CollectionInterval); err != nil {
		return o, err
	}
	f := c.FeatureConfig
	if f == nil {
		return o, nil
	}
	var err error
	if o.SamplingInterval, err = duration("samplingInterval", f.SamplingInterval); err != nil {
		return o, err
	}
	o.Meter.NoPerf = f.PerfCountersEnabled != nil && !*f.PerfCountersEnabled
	o.Whitelist = f.MetricsWhitelist
	if _, err := maskOf(o.Whitelist); err != nil {
		return o, fmt.Errorf("%w: metricsWhitelist: %v", ErrConfig, err)
	}
	return o, nil
}

// duration reads one; "" is 0.
func duration(key, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < MinInterval || d > time.Hour {
		return 0, fmt.Errorf("%w: %s: found %q, allowed: a duration such as 1s, 100ms to 1h", ErrConfig, key, text)
	}
	return d, nil
}
