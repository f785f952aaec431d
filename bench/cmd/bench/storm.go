package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
)

// stormSize is how many processes a storm is made of.
const stormSize = 20_000

// storm lets one process fork as fast as it can beside a recorder, and looks for every start and end in the database. The
// recorder must have counted each missing one as lost.
func storm(b *bench) error {
	dir, err := b.folder()
	if err != nil {
		return err
	}
	r, err := b.record(dir)
	if err != nil {
		return err
	}
	var rate, cost, missing, uncounted []float64
	for range b.rounds {
		s, err := oneStorm(b, r)
		if err != nil {
			return err
		}
		rate, cost = append(rate, s.rate), append(cost, s.cost)
		missing, uncounted = append(missing, s.missing), append(uncounted, s.uncounted)
	}
	if err := r.close(); err != nil {
		return err
	}
	b.add("storm: processes that come and go", "per second", noBar, rate...)
	b.add("… the recorder's CPU time", "µs/process", noBar, cost...)
	b.add("… starts and ends not recorded", "", noBar, missing...)
	b.add("… of these neither counted as lost", "", atMost(0), uncounted...)
	return nil
}

// stormed is the result of a storm.
type stormed struct{ rate, cost, missing, uncounted float64 }

func oneStorm(b *bench, r *recorder) (s stormed, err error) {
	lostBefore, err := lost(r)
	if err != nil {
		return s, err
	}
	before, err := r.cpu()
	if err != nil {
		return s, err
	}
	out, err := b.run(filepath.Join(b.helpers, "load"), "storm", strconv.Itoa(stormSize))
	if err != nil {
		return s, err
	}
	var made struct {
		PID     int     `json:"pid"`
		Seconds float64 `json:"seconds"`
	}
	if err := json.Unmarshal(out.out, &made); err != nil {
		return s, fmt.Errorf("the storm printed %q: %w", out.out, err)
	}
	seen, _, err := b.settled(r, 2*stormSize, `SELECT count(*) FROM process_events WHERE ppid = ? AND event_type IN ('spawn', 'exit')`, made.PID)
	if err != nil {
		return s, err
	}
	spent, err := r.cpu()
	if err != nil {
		return s, err
	}
	gone, err := lost(r)
	if err != nil {
		return s, err
	}
	s.rate = stormSize / made.Seconds
	s.cost = float64((spent - before).Microseconds()) / stormSize
	s.missing = float64(2*stormSize - seen)
	s.uncounted = max(0, s.missing-float64(gone-lostBefore))
	return s, nil
}

// lost returns how many events the recorder has counted as lost. It counts the kernel's events; one process makes several.
func lost(r *recorder) (int64, error) {
	return r.number(`SELECT coalesce(sum(count), 0) FROM gaps WHERE kind NOT IN ('missed_ticks')`)
}
