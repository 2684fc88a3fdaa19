// SPDX-License-Identifier: Apache-2.0

package vmwatts

/*
#include <stdlib.h>
#include <vmwatts/vmwatts.h>
*/
import "C"

import (
	"math"
	"sync"
	"time"
	"unsafe"
)

// Session remembers the rows before, for bundles with a model of history.
type Session struct {
	mu    sync.Mutex
	model *Model
	s     *C.struct_vmwatts_session
}

// NewSession starts a series of rows. The model may be closed before the session.
func (m *Model) NewSession() (*Session, error) {
	var why [C.VMWATTS_ERROR_SIZE]C.char
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	s := &Session{model: m}
	if code := C.vmwatts_session_new(m.v, &s.s, &why[0]); code < 0 {
		return nil, failed(code, &why)
	}
	m.sessions++
	return s, nil
}

// Close ends the session.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.s == nil {
		return nil
	}
	C.vmwatts_session_free(s.s)
	s.s = nil
	s.model.mu.Lock()
	defer s.model.mu.Unlock()
	s.model.sessions--
	s.model.free()
	return nil
}

// OfThisMachine says that the rows are of this very machine, now: where the
// bundle was not trained for it, or has expired, intervals are wider and
// confidence is lower, as in the agent.
func (s *Session) OfThisMachine() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.s == nil {
		return ErrClosed
	}
	C.vmwatts_session_fit(s.s)
	return nil
}

// Push answers the next row in time order: end is where it ends, length what
// it averages over (0: about Model.Interval). A gap starts afresh.
func (s *Session) Push(end time.Time, length time.Duration, f *Features, e *Estimate) error {
	return s.push(float64(end.UnixNano())/1e9, length.Seconds(), f, e)
}

// push takes seconds as they come; a length that is not positive is not known.
func (s *Session) push(end, length float64, f *Features, e *Estimate) error {
	if !(length > 0) {
		length = math.NaN()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.s == nil {
		return ErrClosed
	}
	if code := C.vmwatts_session_push(s.s, C.double(end), C.double(length), f.pointer(), &e.raw[0]); code < 0 {
		return failed(code, nil)
	}
	e.take()
	return nil
}

// MeterOptions say what a Meter reads.
type MeterOptions struct {
	Root       string // read Root/proc and Root/sys, as /host in a container; "": /
	NoPerf     bool   // leave perf events alone
	ClockProbe bool   // time a busy CPU's real clock, as the agent does
}

// Meter reads this machine's counters.
type Meter struct {
	mu sync.Mutex
	m  *C.struct_vmwatts_meter
}

// NewMeter opens what there is to read and takes the first reading.
func NewMeter(o MeterOptions) (*Meter, error) {
	var why [C.VMWATTS_ERROR_SIZE]C.char
	// In C's memory: it holds a pointer, which Go's memory must not while C looks.
	c := (*C.struct_vmwatts_meter_options)(C.calloc(1, C.sizeof_struct_vmwatts_meter_options))
	defer C.free(unsafe.Pointer(c))
	root, free := optional(o.Root)
	defer free()
	c.sz = C.sizeof_struct_vmwatts_meter_options
	c.root = root
	if o.NoPerf {
		c.no_perf = 1
	}
	if o.ClockProbe {
		c.clock_probe = 1
	}
	m := new(Meter)
	if code := C.vmwatts_meter_open(c, &m.m, &why[0]); code < 0 {
		return nil, failed(code, &why)
	}
	return m, nil
}

// Close closes what is read.
func (m *Meter) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	C.vmwatts_meter_free(m.m)
	m.m = nil
	return nil
}

// Read fills f with the features since the reading before, and says how long
// that was. Under 10 ms everything is missing.
func (m *Meter) Read(f *Features) (time.Duration, error) {
	var length C.double
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.m == nil {
		return 0, ErrClosed
	}
	if code := C.vmwatts_meter_read(m.m, f.pointer(), &length); code < 0 {
		return 0, failed(code, nil)
	}
	if math.IsNaN(float64(length)) {
		return 0, nil
	}
	return seconds(float64(length)), nil
}
