package main

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// watchdog tells the service manager again and again that the program goes on, as long as each of its parts does: a part that is stuck has
// the manager restart the program, sd_watchdog_enabled(3).
type watchdog struct {
	timeout time.Duration // after which the manager restarts a program that tells nothing; 0 for a manager that does not watch
	began   time.Time
	parts   []*watchedPart
	notify  func(...string)
	log     *slog.Logger
}

// watchedPart is a part that says that it goes on.
type watchedPart struct {
	name     string
	patience time.Duration // that it may say nothing
	last     atomic.Int64  // when it last said so, since the watchdog began
}

// leastPatience is longer than a part with nothing to do says nothing.
const leastPatience = 10 * time.Second

// newWatchdog reads what the manager wants.
func newWatchdog(notify func(...string), log *slog.Logger) *watchdog {
	return &watchdog{timeout: watchdogTime(os.Getenv, os.Getpid()), began: time.Now(), notify: notify, log: log}
}

// watchdogTime is how long the manager waits for a word of the process pid; 0 when it does not.
func watchdogTime(env func(string) string, pid int) time.Duration {
	if of := env("WATCHDOG_PID"); of != "" && of != strconv.Itoa(pid) {
		return 0
	}
	micros, err := strconv.ParseInt(env("WATCHDOG_USEC"), 10, 64)
	if err != nil || micros <= 0 || micros > int64(24*time.Hour/time.Microsecond) {
		return 0
	}
	return time.Duration(micros) * time.Microsecond
}

// part adds a part, before run. The part calls what is returned while it goes on, at least once in the manager's time and slack.
func (d *watchdog) part(name string, slack time.Duration) (beat func()) {
	p := &watchedPart{name: name, patience: max(d.timeout, leastPatience) + slack}
	d.parts = append(d.parts, p)
	return func() { p.last.Store(int64(time.Since(d.began))) }
}

// run tells the manager until ctx ends.
func (d *watchdog) run(ctx context.Context) error {
	if d.timeout == 0 {
		<-ctx.Done()
		return nil
	}
	for _, p := range d.parts { // their time begins now
		p.last.Store(int64(time.Since(d.began)))
	}
	tick := time.NewTicker(d.timeout / 3)
	defer tick.Stop()
	stuck := ""
	for {
		was := stuck
		switch stuck = d.stuck(time.Since(d.began)); {
		case stuck == "":
			d.notify("WATCHDOG=1")
			if was != "" {
				d.log.Warn("it goes on: the service manager is told so again", "part", was)
			}
		case was == "":
			d.log.Error("a part makes no progress: the service manager is not told that all goes on, and restarts this process", "part", stuck)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// stuck are the parts that have said nothing for longer than their patience; empty for none.
func (d *watchdog) stuck(now time.Duration) string {
	var names []string
	for _, p := range d.parts {
		if now-time.Duration(p.last.Load()) > p.patience {
			names = append(names, p.name)
		}
	}
	return strings.Join(names, ", ")
}
