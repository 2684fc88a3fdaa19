// SPDX-License-Identifier: Apache-2.0

package vmwatts_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	vmwatts "vmwatts.dev/go"
	"vmwatts.dev/go/internal/cloop"
)

// tests/e2e/go.t trains a bundle and lets the C tool estimate a recording; it says where they are.
func golden(t testing.TB, name string) string {
	path := os.Getenv("VMWATTS_TEST_" + name)
	if path == "" {
		t.Skip("VMWATTS_TEST_" + name + " is not set: run tests/e2e/go.t")
	}
	return path
}

func openBundle(t testing.TB) *vmwatts.Model {
	m, err := vmwatts.Open(golden(t, "BUNDLE"), golden(t, "KEY"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func openPrior(t testing.TB) *vmwatts.Model {
	m, err := vmwatts.Open("", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

type row struct {
	seconds  float64
	features *vmwatts.Features
}

func readRows(t *testing.T, path string) (rows []row) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(text), "\r", "")), "\n")
	columns := strings.Split(lines[0], ",")
	for _, line := range lines[1:] {
		r := row{features: vmwatts.NewFeatures()}
		for i, field := range strings.Split(line, ",") {
			value, err := strconv.ParseFloat(field, 64)
			if err != nil {
				continue // an empty field is a missing value
			}
			if columns[i] == "time_s" {
				r.seconds = value
			} else {
				r.features.Set(columns[i], value) // labels are no features
			}
		}
		rows = append(rows, r)
	}
	return rows
}

type cZone struct {
	Watts      float64 `json:"watts"`
	WattsLow   float64 `json:"watts_low"`
	WattsHigh  float64 `json:"watts_high"`
	Confidence float64 `json:"confidence"`
	Provenance string  `json:"provenance"`
}

func readAnswers(t *testing.T, path string) (answers []map[string]cZone) {
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var line struct {
			Zones map[string]cZone `json:"zones"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, line.Zones)
	}
	return answers
}

// same fails where one bit differs.
func same(e *vmwatts.Estimate, want map[string]cZone) error {
	for _, z := range e.Zones {
		w, answered := want[z.Zone]
		if z.Valid != answered {
			return fmt.Errorf("%s: valid %v, C's %v", z.Zone, z.Valid, answered)
		}
		got := [...]float64{z.Watts, z.WattsLow, z.WattsHigh, z.Confidence}
		for i, value := range [...]float64{w.Watts, w.WattsLow, w.WattsHigh, w.Confidence} {
			if math.Float64bits(got[i]) != math.Float64bits(value) {
				return fmt.Errorf("%s: number %d is %v, C's %v", z.Zone, i, got[i], value)
			}
		}
		if z.Provenance != w.Provenance {
			return fmt.Errorf("%s: provenance %q, C's %q", z.Zone, z.Provenance, w.Provenance)
		}
	}
	return nil
}

func TestEstimatesAreThoseOfTheCToolFromEightGoroutines(t *testing.T) {
	model, rows := openBundle(t), readRows(t, golden(t, "CSV"))
	want := readAnswers(t, golden(t, "STATELESS"))
	if len(rows) != len(want) || len(rows) < 100 {
		t.Fatalf("%d rows, %d answers", len(rows), len(want))
	}
	var wait sync.WaitGroup
	for g := 0; g < 8; g++ {
		wait.Add(1)
		go func(g int) {
			defer wait.Done()
			var e vmwatts.Estimate
			for i := range rows {
				k := (i + g*31) % len(rows)
				if err := model.EstimateInto(rows[k].features, &e); err != nil {
					t.Error(err)
				} else if err := same(&e, want[k]); err != nil {
					t.Errorf("row %d: %v", k, err)
				}
			}
		}(g)
	}
	wait.Wait()
}

func TestSessionsAreThoseOfTheCToolEachByItself(t *testing.T) {
	model, rows := openBundle(t), readRows(t, golden(t, "CSV"))
	want := readAnswers(t, golden(t, "SESSION"))
	step, err := strconv.ParseFloat(golden(t, "STEP"), 64)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for g := 0; g < 8; g++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			s, err := model.NewSession()
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			var e vmwatts.Estimate
			for i, r := range rows {
				if err := s.PushSeconds(r.seconds, step, r.features, &e); err != nil {
					t.Error(err)
				} else if err := same(&e, want[i]); err != nil {
					t.Errorf("row %d: %v", i, err)
					return
				}
			}
		}()
	}
	wait.Wait()
}

// The bundle was trained on another machine than most that run this: there the doubt must show.
func TestASessionOfThisMachineKnowsWhetherTheBundleFits(t *testing.T) {
	model := openBundle(t)
	f := loaded(0.5)
	var plain, here vmwatts.Estimate
	for fits, e := range map[bool]*vmwatts.Estimate{false: &plain, true: &here} {
		s, err := model.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if fits {
			if err := s.OfThisMachine(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.PushSeconds(100, 3, f, e); err != nil {
			t.Fatal(err)
		}
	}
	a, b := plain.Zones[0], here.Zones[0]
	if a.Watts != b.Watts {
		t.Errorf("watts %v and %v", a.Watts, b.Watts)
	}
	wider := b.WattsHigh > a.WattsHigh && b.Confidence < a.Confidence
	if wider != (model.Misfit() != "") {
		t.Errorf("misfit %q: %+v, of this machine %+v", model.Misfit(), a, b)
	}
}

func TestCardIsTheBundles(t *testing.T) {
	m := openBundle(t)
	c, err := m.Card()
	if err != nil {
		t.Fatal(err)
	}
	if m.Name() != c.Name+" "+c.Version || c.Scope != "vm_active" || c.Interval != m.Interval() || c.VCPUsMin != 14 {
		t.Errorf("%s: %+v", m.Name(), c)
	}
	best := c.Models[vmwatts.ZonePackage][0]
	if best.Rows == 0 || best.WMAPE <= 0 || best.WMAPE > 1 || best.MaxWatts <= 0 {
		t.Errorf("package: %+v", best)
	}
	if len(c.Models[vmwatts.ZoneUncore]) != 0 {
		t.Error("uncore has no label in these recordings")
	}
	if !json.Valid([]byte(c.JSON)) {
		t.Error("the card is no JSON")
	}
	if _, err := openPrior(t).Card(); !errors.Is(err, vmwatts.ErrNoModel) {
		t.Errorf("the prior's card: %v", err)
	}
}

func TestErrorsAreGosErrors(t *testing.T) {
	bundle, key := golden(t, "BUNDLE"), golden(t, "KEY")
	dir := t.TempDir()
	text, _ := os.ReadFile(bundle)
	copied := filepath.Join(dir, "copy.vmw")
	os.WriteFile(copied, text, 0o600)
	_, err := vmwatts.Open(copied, key)
	if !errors.Is(err, vmwatts.ErrSignature) || !strings.Contains(err.Error(), "not signed") {
		t.Errorf("no signature: %v", err)
	}
	text[len(text)/2] ^= 1
	os.WriteFile(copied, text, 0o600)
	signature, _ := os.ReadFile(bundle + ".minisig")
	os.WriteFile(copied+".minisig", signature, 0o600)
	if _, err = vmwatts.Open(copied, key); !errors.Is(err, vmwatts.ErrSignature) {
		t.Errorf("a wrong signature: %v", err)
	}
	if _, err = vmwatts.OpenSigned(bundle, key, 2); !errors.Is(err, vmwatts.ErrSignature) || !strings.Contains(err.Error(), "asks for 2") {
		t.Errorf("one signature where two are asked for: %v", err)
	}
	if m, err := vmwatts.OpenSigned(bundle, key, 1); err != nil {
		t.Errorf("one signature where one is asked for: %v", err)
	} else {
		m.Close()
	}
	if _, err = vmwatts.Open(filepath.Join(dir, "nothere.vmw"), key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a bundle that is not there: %v", err)
	}
	if _, err = vmwatts.Open(bundle, filepath.Join(dir, "nothere.pub")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a key that is not there: %v", err)
	}
	var e *vmwatts.Error
	if _, err = vmwatts.Open(bundle, ""); !errors.As(err, &e) || e.Code == 0 || !strings.Contains(e.Text, "public key") {
		t.Errorf("no key: %v", err)
	}
	if _, err = vmwatts.NewMeter(vmwatts.MeterOptions{Root: filepath.Join(dir, "nothere")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a root that is not there: %v", err)
	}
	if err = vmwatts.NewFeatures().Set("cpu_utilisation", 1); !errors.Is(err, vmwatts.ErrFeature) {
		t.Errorf("a feature that is none: %v", err)
	}
}

func TestAFeatureThatIsRefusedIsNamed(t *testing.T) {
	m, err := vmwatts.Open("", "")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	f := vmwatts.NewFeatures()
	f.Set("vcpus", 2)
	f.Set("page_fault_rate", 10)
	f.Set("cpu_utilization", 50)
	_, err = m.Estimate(f)
	if !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "feature cpu_utilization: 50 ") {
		t.Fatalf("a share beyond 1: %v", err)
	}
	f.Set("cpu_utilization", 0.5)
	f.Set("page_fault_rate", -1)
	if _, err = m.Estimate(f); err == nil || !strings.Contains(err.Error(), "feature page_fault_rate: -1 ") {
		t.Fatalf("a negative rate: %v", err)
	}
}

func TestClosingTwiceIsFineAndUseAfterCloseIsAnError(t *testing.T) {
	m, err := vmwatts.Open("", "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 2; i++ {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := m.Estimate(vmwatts.NewFeatures()); !errors.Is(err, vmwatts.ErrClosed) {
		t.Errorf("estimate after Close: %v", err)
	}
	if _, err := m.NewSession(); !errors.Is(err, vmwatts.ErrClosed) {
		t.Errorf("session after Close: %v", err)
	}
	if !strings.HasPrefix(m.ModelVersion(), "prior-") {
		t.Errorf("version after Close: %q", m.ModelVersion())
	}
	// The session keeps what it needs.
	f, e := loaded(0.5), new(vmwatts.Estimate)
	if err := s.Push(time.Now(), time.Second, f, e); err != nil || !e.Zones[0].Valid {
		t.Errorf("a session outlives its model: %v", err)
	}
	for i := 0; i < 2; i++ {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := s.Push(time.Now(), time.Second, f, e); !errors.Is(err, vmwatts.ErrClosed) {
		t.Errorf("push after Close: %v", err)
	}
	if err := s.OfThisMachine(); !errors.Is(err, vmwatts.ErrClosed) {
		t.Errorf("fit after Close: %v", err)
	}
	meter, err := vmwatts.NewMeter(vmwatts.MeterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	meter.Close()
	meter.Close()
	if _, err := meter.Read(f); !errors.Is(err, vmwatts.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
}

// Close while others estimate: each answer is whole or ErrClosed.
func TestCloseRacesWithEstimates(t *testing.T) {
	for i := 0; i < 50; i++ {
		m, err := vmwatts.Open("", "")
		if err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		for g := 0; g < 4; g++ {
			wait.Add(1)
			go func() {
				defer wait.Done()
				for {
					e, err := m.Estimate(loaded(0.5))
					if errors.Is(err, vmwatts.ErrClosed) {
						return
					}
					if err != nil || !e.Zones[0].Valid {
						t.Errorf("%v, %+v", err, e)
						return
					}
				}
			}()
		}
		m.Close()
		wait.Wait()
	}
}

func loaded(utilization float64) *vmwatts.Features {
	f := vmwatts.NewFeatures()
	f.Set("vcpus", 4)
	f.Set("cpu_utilization", utilization)
	return f
}

func TestFeaturesSayWhatIsMissing(t *testing.T) {
	f := vmwatts.NewFeatures()
	if len(f.Map()) != 0 {
		t.Error("a new row holds something")
	}
	f.Set("cpu_utilization", 0)
	if v, present := f.Get("cpu_utilization"); !present || v != 0 {
		t.Error("0 is a value")
	}
	if _, present := f.Get("cycles_rate"); present {
		t.Error("NaN is missing")
	}
	if f.Tier() != "os" {
		t.Errorf("tier %q", f.Tier())
	}
	f.Set("core_clock_mhz", 3000)
	if f.Tier() != "clock" {
		t.Errorf("tier %q", f.Tier())
	}
	names := vmwatts.FeatureNames()
	names[0] = "changed"
	if vmwatts.FeatureNames()[0] == "changed" {
		t.Error("the caller may change the names")
	}
	if got := strings.Join(vmwatts.ZoneNames(), " "); got != "package core dram uncore" {
		t.Errorf("zones %q", got)
	}
}

// The cgo call and everything Go does around it, beside the estimate itself: short batches in turn,
// and of each kind the quickest, which is the one that nothing else on the machine disturbed. What a
// call costs does not depend on the model, so it is judged over the prior, whose estimate is the
// smaller part: over a bundle's, forty times as long, a machine's change of pace is worth more.
func TestCgoCallCostsUnderAMicrosecond(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector's own cost would be measured")
	}
	model, f, e := openPrior(t), loaded(0.5), new(vmwatts.Estimate)
	const batch, pairs = 20, 5000
	inC, inGo := time.Hour, time.Hour
	for i := 0; i < pairs; i++ {
		if d := cloop.Estimates(model.Pointer(), &f[0], batch); d < inC {
			inC = d
		}
		begin := time.Now()
		for k := 0; k < batch; k++ {
			model.EstimateInto(f, e)
		}
		if d := time.Since(begin); d < inGo {
			inGo = d
		}
	}
	t.Logf("prior: an estimate is %d ns in C, %d ns more from Go", inC.Nanoseconds()/batch, (inGo-inC).Nanoseconds()/batch)
	if inGo-inC >= batch*time.Microsecond {
		t.Errorf("a call from Go costs %v beyond the estimate", (inGo-inC)/batch)
	}
}

func TestEstimateIntoAllocatesNothing(t *testing.T) {
	for name, model := range map[string]*vmwatts.Model{"bundle": openBundle(t), "prior": openPrior(t)} {
		f, e := readRows(t, golden(t, "CSV"))[0].features, new(vmwatts.Estimate)
		if n := testing.AllocsPerRun(100, func() { model.EstimateInto(f, e) }); n != 0 {
			t.Errorf("%s: EstimateInto allocates %v times", name, n)
		}
	}
}

func BenchmarkEstimate(b *testing.B) {
	m, f, e := openPrior(b), loaded(0.5), new(vmwatts.Estimate)
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		m.EstimateInto(f, e)
	}
}

func BenchmarkEstimateInC(b *testing.B) {
	m, f := openPrior(b), loaded(0.5)
	cloop.Estimates(m.Pointer(), &f[0], b.N)
}
