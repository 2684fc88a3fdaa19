// SPDX-License-Identifier: Apache-2.0

// Package promcollector gives a vmwatts.Collector to Prometheus under the names,
// labels and help of the agent, which are Kepler's and the proposal's.
package promcollector

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	vmwatts "vmwatts.dev/go"
)

var _ prometheus.Collector = (*Collector)(nil)

// A scrape waits no longer than this for the very first interval to close.
const firstWait = 10 * time.Second

// Collector reads when it is scraped, and is safe to be scraped by many at once.
type Collector struct {
	from *vmwatts.Collector

	watts, joules, usage                   []*prometheus.Desc // total, active, idle; one
	low, high, confidence, inference       *prometheus.Desc
	rows, mae, version, trained            *prometheus.Desc
	provenance, tier, scope, outside, ours *prometheus.Desc
}

// New makes a collector that reads from from, which stays the caller's to
// close; nodeName is the label node_name of Kepler's node metrics.
func New(from *vmwatts.Collector, nodeName string) *Collector {
	node := prometheus.Labels{"node_name": nodeName}
	inNode := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, node)
	}
	of := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &Collector{
		from: from,
		watts: []*prometheus.Desc{
			inNode("kepler_node_cpu_watts", "Power consumption of cpu at node level in watts", "zone", "path"),
			inNode("kepler_node_cpu_active_watts", "Power consumption of cpu in active state at node level in watts", "zone", "path"),
			inNode("kepler_node_cpu_idle_watts", "Power consumption of cpu in idle state at node level in watts", "zone", "path"),
		},
		joules: []*prometheus.Desc{
			inNode("kepler_node_cpu_joules_total", "Energy consumption of cpu at node level in joules", "zone", "path"),
			inNode("kepler_node_cpu_active_joules_total", "Energy consumption of cpu in active state at node level in joules", "zone", "path"),
			inNode("kepler_node_cpu_idle_joules_total", "Energy consumption of cpu in idle state at node level in joules", "zone", "path"),
		},
		usage: []*prometheus.Desc{inNode("kepler_node_cpu_usage_ratio", "CPU usage ratio of a node (value between 0.0 and 1.0)")},
		low:   of("kepler_vm_cpu_watts_low", "Lower end of the 90 % interval of the power in watts", "zone"),
		high:  of("kepler_vm_cpu_watts_high", "Upper end of the 90 % interval of the power in watts", "zone"),
		confidence: of("kepler_vm_model_confidence_score",
			"Confidence in the estimate, 0 to 1: 1 / (1 + half width / watts, or a floor where those are less) / (1 + distance from training + mismatch of the machine)", "zone"),
		inference: of("kepler_vm_model_inference_duration_seconds", "Time the last estimate of all zones took", "zone"),
		rows: of("kepler_vm_training_data_points_total",
			"Rows the serving model was trained on, from its card", "zone"),
		mae: of("kepler_vm_model_accuracy_mae",
			"Mean absolute error in watts on rows left out of training, from the model's card", "zone"),
		version: of("kepler_vm_model_version", "Version of the model that serves a zone", "zone", "version"),
		trained: of("kepler_vm_last_training_timestamp",
			"When the serving model was trained, in seconds since the epoch", "zone"),
		provenance: of("kepler_vm_zone_provenance",
			"Where the watts of a zone come from, and how the zone is defined", "zone", "provenance", "definition"),
		tier:  of("kepler_vm_feature_tier", "The feature tier this machine is on", "tier"),
		scope: of("kepler_vm_power_scope", "What the trained watts include", "scope"),
		outside: of("kepler_vm_out_of_distribution_ratio",
			"Share of recent estimates whose features lie outside the training data"),
		ours: of("vmwatts_build_info", "A metric with a constant '1' value labeled with version information", "version"),
	}
}

// Describe lists every metric.
func (c *Collector) Describe(to chan<- *prometheus.Desc) {
	for _, list := range [][]*prometheus.Desc{c.watts, c.joules, c.usage,
		{c.low, c.high, c.confidence, c.inference, c.rows, c.mae, c.version, c.trained, c.provenance, c.tier, c.scope, c.outside, c.ours}} {
		for _, d := range list {
			to <- d
		}
	}
}

// Collect reads, unless that was done a moment ago. What cannot be answered is
// left out: it is not 0. Where nothing can be read at all the scrape fails.
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), firstWait)
	defer cancel()
	s, err := c.from.Snapshot(ctx)
	if err != nil {
		to <- prometheus.NewInvalidMetric(c.watts[0], err)
		return
	}
	for i := range s.Estimate.Zones {
		c.zone(to, &s, i)
	}
	if u, known := s.Features.Get("cpu_utilization"); known {
		steal, _ := s.Features.Get("cpu_steal_time") // Kepler counts it as active
		if u += steal; u > 1 {
			u = 1
		}
		gauge(c.usage[0], u)
	}
	gauge(c.tier, 1, s.Features.Tier())
	scope := "vm_active"
	if card, err := c.from.Model().Card(); err == nil {
		scope = card.Scope
	}
	gauge(c.scope, 1, scope)
	gauge(c.outside, s.OutOfDistributionRatio)
	gauge(c.ours, 1, vmwatts.Version())
}

func (c *Collector) zone(to chan<- prometheus.Metric, s *vmwatts.Snapshot, i int) {
	z, energy := &s.Estimate.Zones[i], &s.Energy[i]
	name, path := z.Zone, "vmwatts/"+z.Zone
	for k, v := range [...]float64{energy.Joules, energy.ActiveJoules, energy.Joules - energy.ActiveJoules} {
		to <- prometheus.MustNewConstMetric(c.joules[k], prometheus.CounterValue, v, name, path)
	}
	if !z.Valid {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{name}, labels...)...)
	}
	gauge(c.watts[0], z.Watts, path)
	gauge(c.watts[1], z.ActiveWatts, path)
	gauge(c.watts[2], z.Watts-z.ActiveWatts, path)
	gauge(c.low, z.WattsLow)
	gauge(c.high, z.WattsHigh)
	gauge(c.confidence, z.Confidence)
	gauge(c.inference, s.InferenceTime.Seconds())
	version, definition := "prior", ""
	card, err := c.from.Model().Card()
	if err == nil && z.Provenance == "derived" {
		version = card.Version
	}
	if err == nil && z.Provenance == "trained" {
		best := card.Models[name][0]
		version, definition = card.Version, best.Definition
		to <- prometheus.MustNewConstMetric(c.rows, prometheus.CounterValue, float64(best.Rows), name)
		gauge(c.mae, best.MAEWatts)
		gauge(c.trained, float64(card.Created.Unix()))
	}
	gauge(c.version, 1, version)
	gauge(c.provenance, 1, z.Provenance, definition)
}
