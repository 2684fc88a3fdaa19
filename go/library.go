// SPDX-License-Identifier: Apache-2.0

package vmwatts

/*
#cgo pkg-config: vmwatts
#include <stdlib.h>
#include <stdint.h>
#include <vmwatts/vmwatts.h>

// A number, for cgo would allocate to check a pointer whose type it does not know.
static int estimate(uintptr_t v, const double *x, struct vmwatts_zone *zones)
{
	return vmwatts_estimate((const struct vmwatts *)v, x, zones);
}
*/
import "C"

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const (
	errFormat    = C.VMWATTS_ERR_FORMAT
	errSignature = C.VMWATTS_ERR_SIGNATURE
	errConfig    = C.VMWATTS_ERR_CONFIG
	errData      = C.VMWATTS_ERR_DATA
	errStale     = C.VMWATTS_ERR_STALE
)

// Version is the library's, "0.1.0".
func Version() string { return C.GoString(C.vmwatts_version()) }

// What never changes while the process lives, asked once.
var (
	featureNames = namesOf(func(i int) *C.char { return C.vmwatts_feature_name(C.size_t(i)) })
	zoneNames    = namesOf(func(i int) *C.char { return C.vmwatts_zone_name(C.int(i)) })
	featureIndex = func() map[string]int {
		index := make(map[string]int, len(featureNames))
		for i, name := range featureNames {
			index[name] = i
		}
		return index
	}()
)

func namesOf(at func(int) *C.char) (names []string) {
	for i := 0; ; i++ {
		name := at(i)
		if name == nil {
			return names
		}
		names = append(names, C.GoString(name))
	}
}

// FeatureNames are the features a guest can read, as in the catalogue.
func FeatureNames() []string { return append([]string(nil), featureNames...) }

// ZoneNames are the zones in the order in which they are always given.
func ZoneNames() []string { return append([]string(nil), zoneNames...) }

// failed makes an error of a code and what the library wrote into why.
func failed(code C.int, why *[C.VMWATTS_ERROR_SIZE]C.char) error {
	text := C.GoString(C.vmwatts_strerror(code))
	if why != nil && why[0] != 0 {
		text = C.GoString(&why[0])
	}
	return &Error{Code: int(-code), Text: text}
}

// Features is one row: a value per feature of the catalogue, NaN where
// missing. Start with NewFeatures; the zero value says 0 everywhere.
type Features [C.VMWATTS_FEATURES_MAX]float64

// NewFeatures is a row with everything missing.
func NewFeatures() *Features {
	f := new(Features)
	for i := range f {
		f[i] = math.NaN()
	}
	return f
}

// Set sets a feature by its name.
func (f *Features) Set(name string, value float64) error {
	i, known := featureIndex[name]
	if !known {
		return fmt.Errorf("%w: %q", ErrFeature, name)
	}
	f[i] = value
	return nil
}

// Get gives a feature by its name; false when it is missing or unknown.
func (f *Features) Get(name string) (float64, bool) {
	i, known := featureIndex[name]
	if !known || math.IsNaN(f[i]) {
		return 0, false
	}
	return f[i], true
}

// Map holds every feature that is present.
func (f *Features) Map() map[string]float64 {
	m := make(map[string]float64, len(featureNames))
	for i, name := range featureNames {
		if !math.IsNaN(f[i]) {
			m[name] = f[i]
		}
	}
	return m
}

// Tier is what a guest with these features sees: "os", "clock" or "pmu".
func (f *Features) Tier() string { return C.GoString(C.vmwatts_features_tier(f.pointer())) }

func (f *Features) pointer() *C.double { return (*C.double)(unsafe.Pointer(&f[0])) }

// ZoneEstimate is the answer for one zone.
type ZoneEstimate struct {
	Zone              string
	Valid             bool    // false: nothing can be said, and all else is 0
	Watts             float64 // active + idle
	ActiveWatts       float64
	WattsLow          float64 // 90 % interval
	WattsHigh         float64
	Confidence        float64 // 0 to 1
	Provenance        string  // "trained", "derived", "prior" or "host"
	OutOfDistribution bool    // the features lie outside the training data
}

const nZones = C.VMWATTS_ZONE_COUNT

// Estimate is the answer for every zone, in the order of ZoneNames. It may be
// used again: then estimating allocates nothing.
type Estimate struct {
	Zones [nZones]ZoneEstimate
	raw   [nZones]C.struct_vmwatts_zone
}

// Zone gives the zone of that name; false where it cannot be answered.
func (e *Estimate) Zone(name string) (ZoneEstimate, bool) {
	for i := range e.Zones {
		if e.Zones[i].Zone == name {
			return e.Zones[i], e.Zones[i].Valid
		}
	}
	return ZoneEstimate{}, false
}

// Confidence is the smallest over the zones that are answered, 0 with none.
func (e *Estimate) Confidence() float64 {
	least, any := 1.0, false
	for i := range e.Zones {
		if z := &e.Zones[i]; z.Valid {
			least, any = math.Min(least, z.Confidence), true
		}
	}
	if !any {
		return 0
	}
	return least
}

func (e *Estimate) valid() bool {
	for i := range e.Zones {
		if e.Zones[i].Valid {
			return true
		}
	}
	return false
}

var provenances = [...]string{"trained", "derived", "prior", "host"}

func provenance(text *[16]C.char) string {
	bytes := (*[16]byte)(unsafe.Pointer(text))
	for _, p := range provenances {
		if string(bytes[:len(p)]) == p && bytes[len(p)] == 0 {
			return p
		}
	}
	return C.GoString(&text[0])
}

func (e *Estimate) take() {
	for i := range e.raw {
		z := &e.raw[i]
		e.Zones[i] = ZoneEstimate{Zone: zoneNames[i]}
		if z.valid == 0 {
			continue
		}
		e.Zones[i] = ZoneEstimate{
			Zone: zoneNames[i], Valid: true, Watts: float64(z.watts), ActiveWatts: float64(z.active_watts),
			WattsLow: float64(z.watts_low), WattsHigh: float64(z.watts_high), Confidence: float64(z.confidence),
			Provenance: provenance(&z.provenance), OutOfDistribution: z.out_of_distribution != 0,
		}
	}
}

// Model is an opened bundle, or the built-in prior of this machine.
type Model struct {
	mu       sync.RWMutex
	v        *C.struct_vmwatts
	closed   bool
	sessions int // that still use v
	name     string
	misfit   string
	interval time.Duration
	card     *Card
}

// Open opens a bundle, verified by keys. bundle is a file, or a directory of
// installed bundles of which the one that the agent would serve is opened;
// keys is a public key or a directory of them. Both "": the built-in prior.
func Open(bundle, keys string) (*Model, error) { return OpenSigned(bundle, keys, 1) }

// OpenSigned is Open where so many different keys must have signed the bundle:
// the agent's signature_threshold.
func OpenSigned(bundle, keys string, signatures uint) (*Model, error) {
	var why [C.VMWATTS_ERROR_SIZE]C.char
	m := new(Model)
	b, free := optional(bundle)
	defer free()
	k, free := optional(keys)
	defer free()
	if code := C.vmwatts_open_signed(b, k, C.uint(signatures), &m.v, &why[0]); code < 0 {
		return nil, failed(code, &why)
	}
	m.name = C.GoString(C.vmwatts_model(m.v))
	m.misfit = C.GoString(C.vmwatts_misfit(m.v))
	m.interval = seconds(float64(C.vmwatts_interval(m.v)))
	m.card = readCard(m.v)
	return m, nil
}

func optional(s string) (*C.char, func()) {
	if s == "" {
		return nil, func() {}
	}
	c := C.CString(s)
	return c, func() { C.free(unsafe.Pointer(c)) }
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Close frees the model; one with open sessions goes with the last of them.
func (m *Model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.free()
	return nil
}

// free needs the lock.
func (m *Model) free() {
	if m.closed && m.sessions == 0 {
		C.vmwatts_close(m.v)
		m.v = nil
	}
}

// Name is "NAME VERSION" of the bundle, or "prior NAME".
func (m *Model) Name() string { return m.name }

// ModelVersion is the bundle's version, or "prior-NAME", as the agent exports it.
func (m *Model) ModelVersion() string {
	if m.card != nil {
		return m.card.Version
	}
	return strings.Replace(m.name, " ", "-", 1)
}

// Misfit is how this machine differs from those the bundle is for, "" where not.
func (m *Model) Misfit() string { return m.misfit }

// Interval is what a row should average over; 0: any time.
func (m *Model) Interval() time.Duration { return m.interval }

// Card is what the bundle says of itself; ErrNoModel where the prior answers.
func (m *Model) Card() (*Card, error) {
	if m.card == nil {
		return nil, ErrNoModel
	}
	return m.card, nil
}

// Estimate answers one row, without history.
func (m *Model) Estimate(f *Features) (*Estimate, error) {
	e := new(Estimate)
	return e, m.EstimateInto(f, e)
}

// EstimateInto is Estimate into what the caller has; it allocates nothing.
func (m *Model) EstimateInto(f *Features, e *Estimate) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return ErrClosed
	}
	if code := C.estimate(C.uintptr_t(uintptr(unsafe.Pointer(m.v))), f.pointer(), &e.raw[0]); code < 0 {
		return m.refused(code, f)
	}
	e.take()
	return nil
}

// refused names the feature that the library did not take; the lock is held.
func (m *Model) refused(code C.int, f *Features) error {
	if syscall.Errno(-code) != syscall.EINVAL {
		return failed(code, nil)
	}
	for i, name := range featureNames {
		var e Estimate
		alone := NewFeatures()
		alone[i] = f[i]
		if C.estimate(C.uintptr_t(uintptr(unsafe.Pointer(m.v))), alone.pointer(), &e.raw[0]) == code {
			return &Error{Code: int(-code), Text: fmt.Sprintf("feature %s: %g is infinite, negative, or a share beyond 1", name, f[i])}
		}
	}
	return failed(code, nil)
}
