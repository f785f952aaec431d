package gpu

import (
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Rounds are what the watch for hangs goes by: a program that says something now and then, and never comes round,
// hangs.
func TestGPUTable_RoundsAreSignsOfLife(t *testing.T) {
	table := newGPUTable()
	for i, step := range []struct {
		index          int
		alive, settled bool
	}{
		{0, true, false}, {1, false, false}, {3, false, false}, // the first round begins; 2 is missing
		{0, true, true}, {3, false, true},
		{3, true, true}, {1, true, true}, {2, false, true},
	} {
		alive, _, err := table.addLine(fmt.Sprintf("%d, 1, 2, 3, 4", step.index), time.Now())
		if err != nil || alive != step.alive || table.settled != step.settled {
			t.Errorf("line %d: got %t, %v, settled %t, want %t, settled %t", i, alive, err, table.settled, step.alive, step.settled)
		}
	}
	if alive, _, err := table.addLine("No devices were found", time.Now()); alive || err == nil {
		t.Errorf("got %t, %v: what is not understood is no sign of life", alive, err)
	}
	table.ended()
	if alive, _, _ := table.addLine("5, 1, 2, 3, 4", time.Now()); !alive || table.next != 6 {
		t.Errorf("after an end: got %t and next %d, want a new round and 6", alive, table.next)
	}
}

func TestAppTable_DropsProcessesNoLongerListed(t *testing.T) {
	table := newAppTable(4 * time.Second) // kept for 6 s
	now := time.Now()
	take := func(after time.Duration, lines ...string) {
		t.Helper()
		for _, line := range lines {
			if alive, _, err := table.addLine(line, now.Add(after)); !alive || err != nil {
				t.Errorf("%q: got %t, %v", line, alive, err)
			}
		}
	}
	want := func(kib map[int]int64) {
		t.Helper()
		if got := table.sum(); !maps.Equal(got, kib) {
			t.Errorf("got %v, want %v", got, kib)
		}
	}
	take(0, "A, 1, 10", "B, 1, 5", "A, 2, 7")
	want(map[int]int64{1: 15 << 10, 2: 7 << 10})
	take(4*time.Second, "A, 1, 11")
	want(map[int]int64{1: 16 << 10, 2: 7 << 10}) // perhaps the round is not over
	take(8*time.Second, "A, 1, 12")
	want(map[int]int64{1: 12 << 10})
	take(9*time.Second, "A, 1, [N/A]")
	want(map[int]int64{})
}

func TestAppTable_IsBounded(t *testing.T) {
	table := newAppTable(time.Second)
	now := time.Now()
	for pid := 1; pid <= maxApps; pid++ {
		if _, _, err := table.addLine(fmt.Sprintf("A, %d, 1", pid), now); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := table.addLine("A, 99999, 1", now); err != errManyApps {
		t.Errorf("one more: got %v, want %v", err, errManyApps)
	}
	if _, _, err := table.addLine("A, 1, 2", now); err != nil || table.sum()[1] != 2048 {
		t.Errorf("one that is there: got %v and %d KiB", err, table.sum()[1])
	}
	if _, _, err := table.addLine("A, 99999, 1", now.Add(time.Minute)); err != nil || len(table.sum()) != 1 {
		t.Errorf("later: got %v and %d processes, want 1", err, len(table.sum()))
	}
}

func TestTiming_Wait(t *testing.T) {
	timing := timing{}.withDefaults(5 * time.Second)
	crash := errors.New("exit status 1")
	for _, tt := range []struct {
		err      error
		failures int
		want     time.Duration
	}{
		{crash, 0, time.Second}, {crash, 1, 2 * time.Second}, {crash, 5, 32 * time.Second}, {crash, 6, time.Minute},
		{crash, 1 << 40, time.Minute},
		{fmt.Errorf("%w: in PATH", errAbsent), 0, 5 * time.Minute}, {fmt.Errorf("%w: %q", errNoDriver, "x"), 9, 5 * time.Minute},
		{errHung, 0, time.Minute}, {errSilent, 30, time.Second},
	} {
		if got := timing.wait(tt.err, tt.failures); got != tt.want {
			t.Errorf("after %v and %d failures: got %s, want %s", tt.err, tt.failures, got, tt.want)
		}
	}
}

func TestTiming_FollowsTheInterval(t *testing.T) {
	for interval, want := range map[time.Duration]struct{ interval, hang, stale time.Duration }{
		0:                       {5 * time.Second, 15 * time.Second, 15 * time.Second},
		-time.Second:            {5 * time.Second, 15 * time.Second, 15 * time.Second},
		time.Millisecond:        {time.Second, 5 * time.Second, 3 * time.Second},
		1500 * time.Millisecond: {2 * time.Second, 6 * time.Second, 6 * time.Second},
		time.Hour:               {time.Hour, 3 * time.Hour, 3 * time.Hour},
	} {
		c := Config{Interval: interval}.withDefaults()
		if c.Interval != want.interval || c.timing.hang != want.hang || c.timing.stale != want.stale {
			t.Errorf("interval %s: got %s, hang %s, stale %s, want %+v", interval, c.Interval, c.timing.hang, c.timing.stale, want)
		}
		if c.timing.dropAfter <= c.timing.stale {
			t.Errorf("interval %s: gone after %s, unknown after %s", interval, c.timing.dropAfter, c.timing.stale)
		}
	}
}

// The ends are those of real processes.
func TestExitError(t *testing.T) {
	tests := map[string]struct {
		script, said, odd string
		want              string
		noDriver          bool
	}{
		"no reason":               {script: "exit 0", want: "ended"},
		"status":                  {script: "exit 15", want: "exit status 15"},
		"words":                   {script: "exit 6", said: "No devices were found\n", odd: "other", want: `exit status 6: "No devices were found"`},
		"words among the answers": {script: "exit 2", odd: "Field is not valid", want: `exit status 2: "Field is not valid"`},
		"driver":                  {script: "exit 9", want: "the driver is not loaded", noDriver: true},
		"signal":                  {script: "kill -9 $$", want: "signal: killed"},
		"control characters":      {script: "exit 1", said: "\x1b[31m", want: `exit status 1: "\x1b[31m"`},
		"long words":              {script: "exit 1", said: strings.Repeat("x", 400), want: `exit status 1: "` + strings.Repeat("x", 200) + `"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := exitError(exec.Command("/bin/sh", "-c", tt.script).Run(), tt.said, tt.odd)
			if got.Error() != tt.want || errors.Is(got, errNoDriver) != tt.noDriver {
				t.Errorf("got %q, no driver %t, want %q, %t", got, errors.Is(got, errNoDriver), tt.want, tt.noDriver)
			}
		})
	}
}
