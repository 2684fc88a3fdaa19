// SPDX-License-Identifier: Apache-2.0

package vmwatts

import (
	"context"
	"math"
	"sync"
	"time"
)

const (
	// MinInterval is the least time between two readings: what comes sooner
	// is answered from the reading before. It bounds the system calls.
	MinInterval = 100 * time.Millisecond

	defaultSampling = time.Second
	distanceMemory  = 60 // s, that OutOfDistributionRatio looks back on about
)

// CollectorOptions say what a Collector reads and by what it estimates.
type CollectorOptions struct {
	Bundle, Keys     string        // see Open; both "": the prior
	SamplingInterval time.Duration // of Run; 0: 1 s, at least MinInterval
	Signatures       uint          // different keys that must have signed the bundle; 0: 1
	Meter            MeterOptions
	Whitelist        []string // only these features reach a model; nil: all
}

// ZoneEnergy is what a zone has used since the collector was made.
type ZoneEnergy struct {
	Joules, ActiveJoules float64
}

// Snapshot is the interval that was closed last.
type Snapshot struct {
	Time     time.Time // its end
	Interval time.Duration
	Features Features
	Estimate Estimate
	Energy   [nZones]ZoneEnergy // in the order of ZoneNames
	// OutOfDistributionRatio is the share of the last minute or so in which
	// features lay outside the training data.
	OutOfDistributionRatio float64
	InferenceTime          time.Duration // of this estimate
}

// Collector reads this machine's counters into estimates. It reads when it is
// asked (Snapshot) and, while Run runs, by itself; energy is watts times the
// length of each interval between two readings, so it misses nothing.
type Collector struct {
	model    *Model
	sampling time.Duration
	masked   []int // features that do not reach a model
	done     chan struct{}
	once     sync.Once

	mu       sync.Mutex
	meter    *Meter
	session  *Session
	start    time.Time // with its monotonic reading: rows are in this time, which never steps
	last     time.Time // of the reading
	answered bool      // snapshot holds an interval
	snapshot Snapshot
}

// NewCollector opens all that is needed and takes the first reading.
func NewCollector(o CollectorOptions) (*Collector, error) {
	model, err := OpenSigned(o.Bundle, o.Keys, o.Signatures)
	if err != nil {
		return nil, err
	}
	defer model.Close() // the session keeps it
	c := &Collector{model: model, sampling: o.SamplingInterval, done: make(chan struct{})}
	if c.sampling == 0 {
		c.sampling = defaultSampling
	}
	if c.sampling < MinInterval {
		c.sampling = MinInterval
	}
	if c.masked, err = maskOf(o.Whitelist); err != nil {
		return nil, err
	}
	if c.session, err = model.NewSession(); err != nil {
		return nil, err
	}
	c.session.OfThisMachine()
	if c.meter, err = NewMeter(o.Meter); err != nil {
		c.session.Close()
		return nil, err
	}
	c.start = time.Now()
	c.last = c.start
	return c, nil
}

// maskOf lists the features that a whitelist leaves out.
func maskOf(whitelist []string) (masked []int, err error) {
	if whitelist == nil {
		return nil, nil
	}
	allowed := NewFeatures()
	for _, name := range whitelist {
		if err := allowed.Set(name, 1); err != nil {
			return nil, err
		}
	}
	for i := range featureNames {
		if math.IsNaN(allowed[i]) {
			masked = append(masked, i)
		}
	}
	return masked, nil
}

// Model is what answers. It is closed with the collector; its name and card stay.
func (c *Collector) Model() *Model { return c.model }

// Close ends a Run and frees everything.
func (c *Collector) Close() error {
	c.once.Do(func() { close(c.done) })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session.Close()
	return c.meter.Close()
}

// Snapshot reads now, or gives the interval before where that ended less than
// MinInterval ago. The first one waits until there is an interval, or for ctx.
func (c *Collector) Snapshot(ctx context.Context) (Snapshot, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Snapshot{}, err
		}
		s, wait, err := c.advance()
		if err != nil || wait == 0 {
			return s, err
		}
		if err := c.pause(ctx, wait); err != nil {
			return Snapshot{}, err
		}
	}
}

func (c *Collector) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.done:
		return ErrClosed
	case <-timer.C:
		return nil
	}
}

// Run reads every SamplingInterval and tells each snapshot, until ctx ends
// (and returns its error) or the collector is closed (ErrClosed). An interval
// that cannot be answered is told too: its zones are not valid.
func (c *Collector) Run(ctx context.Context, tell func(Snapshot)) error {
	var told time.Time
	ticker := time.NewTicker(c.sampling)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.done:
			return ErrClosed
		case <-ticker.C:
		}
		s, wait, err := c.advance()
		if err != nil {
			return err
		}
		if wait == 0 && tell != nil && !s.Time.Equal(told) { // late ticks come close together
			told = s.Time
			tell(s)
		}
	}
}

// advance closes the interval where it is long enough. It does not wait: how
// long to, where there is no interval yet, is what it says.
func (c *Collector) advance() (Snapshot, time.Duration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.done:
		return Snapshot{}, 0, ErrClosed
	default:
	}
	if passed := time.Since(c.last); passed < MinInterval {
		if !c.answered {
			return Snapshot{}, MinInterval - passed, nil
		}
		return c.snapshot, 0, nil
	}
	if err := c.read(); err != nil {
		return Snapshot{}, 0, err
	}
	return c.snapshot, 0, nil
}

func (c *Collector) read() error {
	s := &c.snapshot
	length, err := c.meter.Read(&s.Features)
	if err != nil {
		return err
	}
	c.last = time.Now()
	for _, i := range c.masked {
		s.Features[i] = math.NaN()
	}
	s.Interval = length
	s.Time = c.start.Add(c.last.Sub(c.start))
	if err := c.session.Push(s.Time, length, &s.Features, &s.Estimate); err != nil {
		return err
	}
	s.InferenceTime = time.Since(c.last)
	c.answered = true
	s.count(length.Seconds())
	return nil
}

// count adds the interval to what stands from one to the next.
func (s *Snapshot) count(seconds float64) {
	outside := 0.0
	for i := range s.Estimate.Zones {
		z := &s.Estimate.Zones[i]
		s.Energy[i].Joules += z.Watts * seconds
		s.Energy[i].ActiveJoules += z.ActiveWatts * seconds
		if z.OutOfDistribution {
			outside = 1
		}
	}
	s.OutOfDistributionRatio += (outside - s.OutOfDistributionRatio) * -math.Expm1(-seconds/distanceMemory)
}
