// SPDX-License-Identifier: Apache-2.0

package vmwatts

import (
	"fmt"
	"math"
	"sync"
)

// DefaultMaxEnergy is where zones wrap around: that of a RAPL package zone, in microjoules.
const DefaultMaxEnergy = 262143328850

// PowerMeterOptions are those of a PowerMeter.
type PowerMeterOptions struct {
	CollectorOptions
	MaxEnergy uint64 // microjoules at which energy starts again from 0; 0: DefaultMaxEnergy
}

// PowerMeter is a CPU power meter as Kepler selects them: Name, Init, Zones,
// PrimaryEnergyZone. Z is Kepler's EnergyZone interface, E its energy in
// microjoules, P its power in microwatts:
//
//	vmwatts.NewPowerMeter[device.EnergyZone, device.Energy, device.Power](options)
//
// is one of Kepler's CPUPowerMeter. It has no goroutine: a zone that is asked
// closes the interval since the last reading, for all zones at once, so energy
// is exact to the instant of the reading however rarely Kepler reads. Zones
// asked within MinInterval speak of one instant. Energy starts at 0 with Init.
type PowerMeter[Z any, E ~uint64, P ~float64] struct {
	options PowerMeterOptions

	mu        sync.Mutex
	collector *Collector
	closed    bool
}

// NewPowerMeter makes a meter; Init opens it.
func NewPowerMeter[Z any, E ~uint64, P ~float64](o PowerMeterOptions) *PowerMeter[Z, E, P] {
	if o.MaxEnergy == 0 {
		o.MaxEnergy = DefaultMaxEnergy
	}
	return &PowerMeter[Z, E, P]{options: o}
}

// Name is "vmwatts".
func (m *PowerMeter[Z, E, P]) Name() string { return "vmwatts" }

// Init opens bundle and counters; a second time it does nothing.
func (m *PowerMeter[Z, E, P]) Init() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	if m.collector != nil {
		return nil
	}
	if _, fits := any(&EnergyZone[E, P]{}).(Z); !fits {
		return fmt.Errorf("%w: %T is no %T", ErrConfig, &EnergyZone[E, P]{}, *new(Z))
	}
	c, err := NewCollector(m.options.CollectorOptions)
	if err != nil {
		return err
	}
	m.collector = c
	return nil
}

// Close frees everything; zones return ErrClosed from then on.
func (m *PowerMeter[Z, E, P]) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if m.collector == nil {
		return nil
	}
	return m.collector.Close()
}

// Zones are all zones, package first.
func (m *PowerMeter[Z, E, P]) Zones() ([]Z, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	if m.collector == nil {
		return nil, fmt.Errorf("%w: Zones before Init", ErrConfig)
	}
	zones := make([]Z, nZones)
	for i := range zones {
		zones[i] = any(&EnergyZone[E, P]{collector: m.collector, zone: i, max: m.options.MaxEnergy}).(Z)
	}
	return zones, nil
}

// PrimaryEnergyZone is package.
func (m *PowerMeter[Z, E, P]) PrimaryEnergyZone() (Z, error) {
	zones, err := m.Zones()
	if err != nil {
		return *new(Z), err
	}
	return zones[0], nil
}

// EnergyZone is one zone of a PowerMeter.
type EnergyZone[E ~uint64, P ~float64] struct {
	collector *Collector
	zone      int
	max       uint64
}

// Name is "package", "core", "dram" or "uncore".
func (z *EnergyZone[E, P]) Name() string { return zoneNames[z.zone] }

// Index is 0: a VM has one of each.
func (z *EnergyZone[E, P]) Index() int { return 0 }

// Path is the label `path` of the agent's node metrics.
func (z *EnergyZone[E, P]) Path() string { return "vmwatts/" + z.Name() }

// MaxEnergy is where Energy starts again from 0.
func (z *EnergyZone[E, P]) MaxEnergy() E { return E(z.max) }

// Energy is what the zone used since Init, in microjoules modulo MaxEnergy.
// ErrNoAnswer while the zone cannot be answered: it is not 0 then, it is unknown.
func (z *EnergyZone[E, P]) Energy() (E, error) {
	s, known, err := z.look()
	if err != nil || !known {
		return 0, err
	}
	return E(uint64(math.Floor(math.Mod(s.Energy[z.zone].Joules*1e6, float64(z.max))))), nil
}

// Power is the mean over the last interval, in microwatts.
func (z *EnergyZone[E, P]) Power() (P, error) {
	s, known, err := z.look()
	if err != nil || !known {
		return 0, err
	}
	return P(s.Estimate.Zones[z.zone].Watts * 1e6), nil
}

// look says false in the first instant, before there is an interval: nothing was used yet.
func (z *EnergyZone[E, P]) look() (Snapshot, bool, error) {
	s, wait, err := z.collector.advance()
	if err != nil || wait > 0 {
		return s, false, err
	}
	if !s.Estimate.Zones[z.zone].Valid {
		return s, false, fmt.Errorf("%s: %w", z.Name(), ErrNoAnswer)
	}
	return s, true, nil
}
