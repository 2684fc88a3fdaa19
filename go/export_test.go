// SPDX-License-Identifier: Apache-2.0

package vmwatts

import "unsafe"

// What tests need to see.

func (m *Model) Pointer() unsafe.Pointer { return unsafe.Pointer(m.v) }

func (s *Session) PushSeconds(end, length float64, f *Features, e *Estimate) error {
	return s.push(end, length, f, e)
}

// SetEnergy lets a zone's energy stand just before it wraps.
func (m *PowerMeter[Z, E, P]) SetEnergy(joules float64) {
	m.collector.mu.Lock()
	defer m.collector.mu.Unlock()
	for i := range m.collector.snapshot.Energy {
		m.collector.snapshot.Energy[i].Joules = joules
	}
}
