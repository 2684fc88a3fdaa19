// SPDX-License-Identifier: Apache-2.0

package promcollector_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	vmwatts "vmwatts.dev/go"
	"vmwatts.dev/go/promcollector"
)

func registry(t *testing.T) *prometheus.Registry {
	from, err := vmwatts.NewCollector(vmwatts.CollectorOptions{Bundle: os.Getenv("VMWATTS_TEST_BUNDLE"),
		Keys: os.Getenv("VMWATTS_TEST_KEY"), Meter: vmwatts.MeterOptions{NoPerf: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { from.Close() })
	r := prometheus.NewPedanticRegistry() // checks every metric against Describe
	r.MustRegister(promcollector.New(from, "node"))
	return r
}

func gather(t *testing.T, r *prometheus.Registry) map[string]*dto.MetricFamily {
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]*dto.MetricFamily)
	for _, f := range families {
		byName[f.GetName()] = f
	}
	return byName
}

func labelNames(m *dto.Metric) string {
	var names []string
	for _, l := range m.GetLabel() {
		names = append(names, l.GetName())
	}
	sort.Strings(names)
	return strings.Join(names, " ")
}

// What the agent serves with the same bundle is what we are held against.
func TestNamesTypesHelpAndLabelsAreTheAgents(t *testing.T) {
	path := os.Getenv("VMWATTS_TEST_METRICS")
	if path == "" {
		t.Skip("VMWATTS_TEST_METRICS is not set: run tests/e2e/go.t")
	}
	page, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer page.Close()
	var parser expfmt.TextParser
	agent, err := parser.TextToMetricFamilies(page)
	if err != nil {
		t.Fatal(err)
	}
	ours := gather(t, registry(t))
	if len(ours) < 20 {
		t.Errorf("only %d families", len(ours))
	}
	for name, f := range ours {
		a := agent[name]
		if a == nil {
			t.Errorf("%s: the agent has none", name)
			continue
		}
		if a.GetHelp() != f.GetHelp() || a.GetType() != f.GetType() {
			t.Errorf("%s: %s %q, the agent's %s %q", name, f.GetType(), f.GetHelp(), a.GetType(), a.GetHelp())
		}
		if got, want := labelNames(f.Metric[0]), labelNames(a.Metric[0]); got != want {
			t.Errorf("%s: labels %q, the agent's %q", name, got, want)
		}
		if len(f.Metric) != len(a.Metric) {
			t.Errorf("%s: %d series, the agent's %d", name, len(f.Metric), len(a.Metric))
		}
	}
}

func TestJoulesRiseAndAgreeWithWatts(t *testing.T) {
	r := registry(t)
	value := func(f *dto.MetricFamily) float64 {
		return f.Metric[0].GetCounter().GetValue() + f.Metric[0].GetGauge().GetValue()
	}
	before := value(gather(t, r)["kepler_node_cpu_joules_total"])
	begin := time.Now()
	for time.Since(begin) < 500*time.Millisecond { // an idle machine's active energy is 0
	}
	after := gather(t, r)
	rise, watts := value(after["kepler_node_cpu_joules_total"])-before, value(after["kepler_node_cpu_watts"])
	// The scrape closed one interval: its joules are its watts times about the time since the scrape before.
	if seconds := rise / watts; watts <= 0 || seconds < 0.5 || seconds > time.Since(begin).Seconds()+0.2 {
		t.Errorf("%v J at %v W", rise, watts)
	}
}

func TestManyScrapesAtOnce(t *testing.T) {
	server := httptest.NewServer(promhttp.HandlerFor(registry(t), promhttp.HandlerOpts{}))
	defer server.Close()
	var wait sync.WaitGroup
	for g := 0; g < 8; g++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := 0; i < 20; i++ {
				response, err := http.Get(server.URL)
				if err != nil {
					t.Error(err)
					return
				}
				response.Body.Close()
				if response.StatusCode != http.StatusOK {
					t.Error(response.Status)
				}
			}
		}()
	}
	wait.Wait()
}

func TestAClosedCollectorFailsTheScrape(t *testing.T) {
	from, err := vmwatts.NewCollector(vmwatts.CollectorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r := prometheus.NewRegistry()
	r.MustRegister(promcollector.New(from, "node"))
	from.Close()
	if _, err := r.Gather(); err == nil || !strings.Contains(err.Error(), "after Close") {
		t.Errorf("%v", err)
	}
}

func ExampleNew() {
	from, err := vmwatts.NewCollector(vmwatts.CollectorOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer from.Close()
	registry := prometheus.NewRegistry()
	registry.MustRegister(promcollector.New(from, "vm-node-1"))
	families, err := registry.Gather()
	fmt.Println(len(families) > 10, err)
	// Output: true <nil>
}
