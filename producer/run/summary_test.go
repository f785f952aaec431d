package run

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

func TestSummary(t *testing.T) {
	t.Parallel()
	full := Result{
		ExitCode: 3, Wall: 72*time.Second + 300*time.Millisecond,
		WaitedCPU: CPU{User: 38100 * time.Millisecond, System: 3200 * time.Millisecond}, CgroupCPU: schema.Some(CPU{User: time.Second}),
		MaxRSSKiB: schema.Some[uint64](1024), PeakMemoryKiB: schema.Some[uint64](512*1024 + 410),
		LeftBehind: schema.Some(0),
	}
	tests := []struct {
		name   string
		result Result
		about  About
		want   string
	}{
		{"all", full, About{Job: "build", Sheet: schema.Some[int64](2), Processes: schema.Some[uint64](214)},
			"proctape: job build, step (sheet) 2: exit 3 after 1m12s, 41.3 s CPU (user 38.1, system 3.2), peak memory 512.4 MiB, 214 processes"},
		{"little", Result{Wall: 12 * time.Millisecond}, About{Job: "j"},
			"proctape: job j: exit 0 after 12ms, 0.0 s CPU (user 0.0, system 0.0)"},
		{"killed", Result{ExitCode: 137, Signal: unix.SIGKILL, Wall: 1234 * time.Millisecond, Undelivered: 1, LeftBehind: schema.Some(2),
			CgroupCPU: schema.Some(CPU{User: 2 * time.Second, System: time.Second}), MaxRSSKiB: schema.Some[uint64](2048)},
			About{Job: "j", Processes: schema.Some[uint64](1)},
			"proctape: job j: killed by SIGKILL after 1.23s, 3.0 s CPU (user 2.0, system 1.0), largest process 2.0 MiB, 1 process, 2 still running, 1 signal not passed on"},
		{"core", Result{ExitCode: 139, Signal: unix.SIGSEGV, Core: true, Wall: 3 * time.Hour}, About{Job: "\x1b[2Jé\""},
			"proctape: job \\x1b[2Jé\\\": killed by SIGSEGV (core dumped) after 3h0m0s, 0.0 s CPU (user 0.0, system 0.0)"},
		{"red", Result{ExitCode: 1}, About{Job: "j", Colour: true},
			"proctape: job j: \x1b[31mexit 1\x1b[m after 0s, 0.0 s CPU (user 0.0, system 0.0)"},
		{"green", Result{}, About{Job: "j", Colour: true},
			"proctape: job j: \x1b[32mexit 0\x1b[m after 0s, 0.0 s CPU (user 0.0, system 0.0)"},
	}
	for _, test := range tests {
		if got := Summary(test.result, test.about); got != test.want {
			t.Errorf("%s:\n got %q\nwant %q", test.name, got, test.want)
		}
	}
}

func TestCountDescendants(t *testing.T) {
	t.Parallel()
	table := []procfs.Process{
		{PID: 1, PPID: 0, State: 'S'}, {PID: 10, PPID: 1, State: 'S'},
		{PID: 11, PPID: 10, State: 'S'}, {PID: 12, PPID: 11, State: 'R'}, {PID: 13, PPID: 11, State: 'Z'}, {PID: 14, PPID: 13, State: 'T'},
		{PID: 20, PPID: 10, State: 'S'}, {PID: 21, PPID: 20, State: 'S'}, // a stranger and its child
		{PID: 30, PPID: 31, State: 'S'}, {PID: 31, PPID: 30, State: 'S'}, // a ring
	}
	if got := countDescendants(table, 10, map[int]bool{20: true}); got != 3 {
		t.Errorf("below 10: %d, want 3", got)
	}
	if got := countDescendants(table, 30, nil); got != 2 {
		t.Errorf("in a ring: %d, want 2 and an end", got)
	}
	if got := countDescendants(nil, 1, nil); got != 0 {
		t.Errorf("in an empty table: %d", got)
	}
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	line := "42 (a ) S 9 (b)) T 1 40 39 34816 38 4194304 1 2 3 4 5 6 7 8 20 0 1 0 123456 9 9\n"
	if got, err := parseStat(line); err != nil || got != (stat{'T', 40, 38, 123456}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{"", "42 (a) S 1", "42 (a) S 1 x 39 34816 38 4194304 1 2 3 4 5 6 7 8 20 0 1 0 123456"} {
		if got, err := parseStat(bad); err == nil {
			t.Errorf("%q: got %+v", bad, got)
		}
	}
}
