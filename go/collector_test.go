// SPDX-License-Identifier: Apache-2.0

package vmwatts_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	vmwatts "vmwatts.dev/go"
)

func newCollector(t *testing.T, o vmwatts.CollectorOptions) *vmwatts.Collector {
	o.Meter.NoPerf = true // perf events of many collectors at once would multiplex
	c, err := vmwatts.NewCollector(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// spin keeps a CPU busy: an idle machine's active energy is 0.
func spin(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}

func TestCollectorReadsThisMachine(t *testing.T) {
	c := newCollector(t, vmwatts.CollectorOptions{})
	first, err := c.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if u, present := first.Features.Get("cpu_utilization"); !present || u < 0 || u > 1 {
		t.Errorf("utilization %v, %v", u, present)
	}
	z, valid := first.Estimate.Zone(vmwatts.ZonePackage)
	if !valid || z.WattsLow > z.Watts || z.Watts > z.WattsHigh {
		t.Errorf("package: %+v", z)
	}
	if first.Interval < vmwatts.MinInterval/2 || first.Time.After(time.Now().Add(time.Second)) {
		t.Errorf("interval %v, time %v", first.Interval, first.Time)
	}
	again, _ := c.Snapshot(context.Background())
	if again.Time != first.Time && again.Time.Sub(first.Time) < vmwatts.MinInterval {
		t.Errorf("read again after %v", again.Time.Sub(first.Time))
	}
	time.Sleep(2 * vmwatts.MinInterval)
	later, err := c.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	wantJ := first.Energy[0].Joules + later.Estimate.Zones[0].Watts*later.Interval.Seconds()
	if math.Abs(later.Energy[0].Joules-wantJ) > 1e-9*wantJ && again.Time == first.Time {
		t.Errorf("%v J, want %v: energy is watts times seconds", later.Energy[0].Joules, wantJ)
	}
}

func TestCollectorEndsWithItsContext(t *testing.T) {
	c := newCollector(t, vmwatts.CollectorOptions{SamplingInterval: time.Millisecond}) // held to MinInterval
	ctx, cancel := context.WithCancel(context.Background())
	var told []vmwatts.Snapshot
	err := c.Run(ctx, func(s vmwatts.Snapshot) {
		if told = append(told, s); len(told) == 3 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || len(told) != 3 {
		t.Errorf("%v after %d", err, len(told))
	}
	if d := told[2].Time.Sub(told[0].Time); d < 2*vmwatts.MinInterval {
		t.Errorf("two intervals in %v", d)
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Snapshot(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("snapshot: %v", err)
	}
	fresh := newCollector(t, vmwatts.CollectorOptions{})
	short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := fresh.Snapshot(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the first snapshot waits, and no longer than its context: %v", err)
	}
}

func TestCollectorCloseEndsRunAndSnapshot(t *testing.T) {
	c := newCollector(t, vmwatts.CollectorOptions{SamplingInterval: time.Hour})
	ended := make(chan error)
	go func() { ended <- c.Run(context.Background(), nil) }()
	for i := 0; i < 2; i++ {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	select {
	case err := <-ended:
		if !errors.Is(err, vmwatts.ErrClosed) {
			t.Errorf("Run: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Run goes on")
	}
	if _, err := c.Snapshot(context.Background()); !errors.Is(err, vmwatts.ErrClosed) {
		t.Errorf("Snapshot: %v", err)
	}
	if c.Model().Name() == "" {
		t.Error("the name is gone")
	}
}

func TestOnlyWhitelistedFeaturesReachTheModel(t *testing.T) {
	c := newCollector(t, vmwatts.CollectorOptions{Whitelist: []string{"cpu_utilization", "vcpus"}})
	s, err := c.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, present := s.Features.Get("context_switch_rate"); present {
		t.Error("a feature that is not on the list")
	}
	if _, present := s.Features.Get("cpu_utilization"); !present || !s.Estimate.Zones[0].Valid {
		t.Error("a feature that is on the list is missing")
	}
	if _, err := vmwatts.NewCollector(vmwatts.CollectorOptions{Whitelist: []string{"x"}}); !errors.Is(err, vmwatts.ErrFeature) {
		t.Errorf("a feature that is none: %v", err)
	}
}

// What Kepler's package device declares, and its CPUPowerMeter.
type (
	simulatedEnergy uint64  // microjoules
	simulatedPower  float64 // microwatts

	simulatedZone interface {
		Name() string
		Index() int
		Path() string
		Energy() (simulatedEnergy, error)
		MaxEnergy() simulatedEnergy
		Power() (simulatedPower, error)
	}

	simulatedCPUPowerMeter interface {
		Name() string
		Init() error
		Zones() ([]simulatedZone, error)
		PrimaryEnergyZone() (simulatedZone, error)
	}
)

type keplerMeter = vmwatts.PowerMeter[simulatedZone, simulatedEnergy, simulatedPower]

var _ simulatedCPUPowerMeter = (*keplerMeter)(nil)

func newMeter(t *testing.T, o vmwatts.PowerMeterOptions) *keplerMeter {
	o.Meter.NoPerf = true
	m := vmwatts.NewPowerMeter[simulatedZone, simulatedEnergy, simulatedPower](o)
	if err := m.Init(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestPowerMeterIsOneOfKeplers(t *testing.T) {
	m := newMeter(t, vmwatts.PowerMeterOptions{})
	if m.Name() != "vmwatts" || m.Init() != nil {
		t.Error("name, or a second Init")
	}
	zones, err := m.Zones()
	if err != nil || len(zones) != 4 {
		t.Fatalf("%v, %v", zones, err)
	}
	for i, name := range vmwatts.ZoneNames() {
		if zones[i].Name() != name || zones[i].Index() != 0 || zones[i].Path() != "vmwatts/"+name || zones[i].MaxEnergy() != 262143328850 {
			t.Errorf("zone %d: %s %d %s %d", i, zones[i].Name(), zones[i].Index(), zones[i].Path(), zones[i].MaxEnergy())
		}
	}
	primary, err := m.PrimaryEnergyZone()
	if err != nil || primary.Name() != "package" {
		t.Errorf("primary: %v, %v", primary, err)
	}
	if e, err := primary.Energy(); err != nil || e != 0 {
		t.Errorf("in the first instant: %v, %v", e, err)
	}
	begin := time.Now()
	spin(300 * time.Millisecond)
	e, err := primary.Energy()
	if err != nil || e == 0 {
		t.Fatalf("%v, %v", e, err)
	}
	// One interval so far: its energy is its power times its length.
	p, err := primary.Power()
	seconds := float64(e) / float64(p)
	if err != nil || seconds < 0.25 || seconds > time.Since(begin).Seconds()+0.2 {
		t.Errorf("%v uJ at %v uW are %v s, %v", e, p, seconds, err)
	}
}

// As Kepler computes it.
func delta(now, before, max simulatedEnergy) simulatedEnergy {
	if now >= before {
		return now - before
	}
	return max - before + now
}

func TestEnergyWrapsAsDeclared(t *testing.T) {
	const max = 1_000_000_000
	m := newMeter(t, vmwatts.PowerMeterOptions{MaxEnergy: max})
	zones, _ := m.Zones()
	spin(vmwatts.MinInterval)
	m.SetEnergy((max - 1) / 1e6) // a microjoule before
	before, err := zones[0].Energy()
	if err != nil {
		t.Fatal(err)
	}
	wrapped := before < max/2
	for i := 0; i < 30; i++ {
		spin(vmwatts.MinInterval)
		now, err := zones[0].Energy()
		if err != nil || now >= max {
			t.Fatalf("%v, %v", now, err)
		}
		wrapped = wrapped || now < before
		if d := delta(now, before, max); d > 600e6*5 {
			t.Errorf("from %d to %d are %d uJ", before, now, d)
		}
		before = now
	}
	if !wrapped {
		t.Error("it did not wrap")
	}
}

func TestZonesFromEightGoroutinesNeverFall(t *testing.T) {
	m := newMeter(t, vmwatts.PowerMeterOptions{})
	zones, _ := m.Zones()
	end := time.Now().Add(time.Second)
	var wait sync.WaitGroup
	for g := 0; g < 8; g++ {
		wait.Add(1)
		go func(z simulatedZone) {
			defer wait.Done()
			var before simulatedEnergy
			for time.Now().Before(end) {
				now, err := z.Energy()
				if err != nil || now < before {
					t.Errorf("%s: %d after %d, %v", z.Name(), now, before, err)
					return
				}
				before = now
			}
		}(zones[g%len(zones)])
	}
	wait.Wait()
}

func TestPowerMeterSaysWhatIsWrong(t *testing.T) {
	m := vmwatts.NewPowerMeter[simulatedZone, simulatedEnergy, simulatedPower](vmwatts.PowerMeterOptions{})
	if _, err := m.Zones(); !errors.Is(err, vmwatts.ErrConfig) {
		t.Errorf("zones before Init: %v", err)
	}
	if err := m.Init(); err != nil {
		t.Fatal(err)
	}
	zone, err := m.PrimaryEnergyZone()
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	m.Close()
	if _, err := zone.Energy(); !errors.Is(err, vmwatts.ErrClosed) {
		t.Errorf("energy after Close: %v", err)
	}
	if _, err := zone.Power(); !errors.Is(err, vmwatts.ErrClosed) {
		t.Errorf("power after Close: %v", err)
	}
	if err := m.Init(); !errors.Is(err, vmwatts.ErrClosed) {
		t.Errorf("Init after Close: %v", err)
	}
	wrong := vmwatts.NewPowerMeter[error, uint64, float64](vmwatts.PowerMeterOptions{})
	if err := wrong.Init(); !errors.Is(err, vmwatts.ErrConfig) {
		t.Errorf("an interface that zones do not have: %v", err)
	}
	bundled := vmwatts.PowerMeterOptions{CollectorOptions: vmwatts.CollectorOptions{Bundle: "/nowhere.vmw", Keys: "/nowhere.pub"}}
	if err := vmwatts.NewPowerMeter[simulatedZone, simulatedEnergy, simulatedPower](bundled).Init(); err == nil {
		t.Error("a bundle that is not there")
	}
}
