package schema

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// Every refusal names the value that is wrong.
func TestValidate_Refuses(t *testing.T) {
	long := func(limit int) string { return strings.Repeat("x", limit+1) }
	tests := []struct {
		name, example string
		change        func(m *Message)
		want          string
	}{
		{"no version", "snapshot", func(m *Message) { m.Version = 0 }, "unknown schema version 0, this build knows 2"},
		{"later version", "snapshot", func(m *Message) { m.Version = 3 }, "unknown schema version 3, this build knows 2"},
		{"no host", "snapshot", func(m *Message) { m.Host = "" }, `host "" is no host token`},
		{"host of two tokens", "snapshot", func(m *Message) { m.Host = "a.b" }, `host "a.b" is no host token`},
		{"no instance", "snapshot", func(m *Message) { m.Instance = Instance{} }, "no instance"},
		{"no number", "snapshot", func(m *Message) { m.Seq = 0 }, "seq 0 is out of range"},
		{"number too large", "snapshot", func(m *Message) { m.Seq = maxNumber + 1 }, "seq 9007199254740993 is out of range"},
		{"produced too large", "snapshot", func(m *Message) { m.Produced = 1 << 63 }, "produced 9223372036854775808 is out of range"},
		{"no wall time", "snapshot", func(m *Message) { m.Wall = 0 }, "wall_ns 0 is out of range"},
		{"negative boot time", "snapshot", func(m *Message) { m.Boot = -1 }, "boot_ns -1 is out of range"},
		{"no boot id", "snapshot", func(m *Message) { m.BootID = "" }, "no boot id"},
		{"long boot id", "snapshot", func(m *Message) { m.BootID = long(64) }, "boot id of 65 bytes, the limit is 64"},
		{"boot id that is not UTF-8", "snapshot", func(m *Message) { m.BootID = "\xff" }, `boot id "\xff" is not UTF-8`},
		{"many drop counts", "snapshot", func(m *Message) { m.Dropped = make([]Drop, 1025) }, "1025 times drop count, the limit is 1024"},
		{"long drop reason", "snapshot", func(m *Message) { m.Dropped[0].Reason = long(MaxName) }, "drop reason of 257 bytes, the limit is 256"},
		{"drop count too large", "snapshot", func(m *Message) { m.Dropped[1].Count = 1 << 63 }, "count 9223372036854775808 is out of range"},

		{"no body", "snapshot", func(m *Message) { m.Snapshot = nil }, "snapshot: 0 bodies, want one"},
		{"two bodies", "snapshot", func(m *Message) { m.Rollup = &Rollup{} }, "snapshot: 2 bodies, want one"},
		{"another kind's body", "snapshot", func(m *Message) { m.Kind = KindRollup }, "rollup: the body is not the kind's"},
		{"no kind", "snapshot", func(m *Message) { m.Kind = "" }, ": no such kind"},
		{"no such event", "exit", func(m *Message) { m.Kind = "event.stop" }, "event.stop: no such kind"},
		{"gaps as events", "exit", func(m *Message) { m.Kind = KindGap }, "event.gap: the body is not the kind's"},
		{"no events", "exit", func(m *Message) { m.Events = []Event{} }, "event.exit: no event"},
		{"no gaps", "gap", func(m *Message) { m.Gaps = []Gap{} }, "event.gap: no gap"},
		{"execs as events", "exec", func(m *Message) { m.Kind = KindExit }, "event.exit: the body is not the kind's"},
		{"events as execs", "exit", func(m *Message) { m.Kind = KindExec }, "event.exec: the body is not the kind's"},
		{"no execs", "exec", func(m *Message) { m.Execs = []Exec{} }, "event.exec: no exec"},
		{"many execs", "exec", func(m *Message) { m.Execs = slices.Repeat(m.Execs, MaxEvents)[:MaxEvents+1] }, "513 times exec, the limit is 512"},
		{"exec pid", "exec", func(m *Message) { m.Execs[1].PID = 1 << 22 }, "event.exec: exec 1: pid 4194304 is out of range"},
		{"exec wall", "exec", func(m *Message) { m.Execs[1].Wall = 0 }, "exec 1: wall_ns 0 is out of range"},
		{"exec boot", "exec", func(m *Message) { m.Execs[1].Boot = -1 }, "exec 1: boot_ns -1 is out of range"},
		{"exec start", "exec", func(m *Message) { m.Execs[0].StartTicks = 1 << 63 }, "exec 0: start_ticks 9223372036854775808"},
		{"exec command", "exec", func(m *Message) { m.Execs[0].Command = long(MaxCommand) }, "exec 0: command of 4100 bytes, the limit is 4099"},
		{"exec command with a NUL", "exec", func(m *Message) { m.Execs[0].Command = "a\x00b" }, `exec 0: command "a\x00b" holds a NUL`},
		{"exec job", "exec", func(m *Message) { m.Execs[0].JobID = long(MaxName) }, "exec 0: job id of 257 bytes"},
		{"exec source", "exec", func(m *Message) { m.Execs[0].Source = "\xff" }, `exec 0: source "\xff" is not UTF-8`},
		{"no job events", "job", func(m *Message) { m.Jobs = []JobEvent{} }, "job: no job event"},
		{"many events", "exit", func(m *Message) { m.Events = slices.Repeat(m.Events, MaxEvents)[:MaxEvents+1] }, "513 times event, the limit is 512"},
		{"many gaps", "gap", func(m *Message) { m.Gaps = slices.Repeat(m.Gaps, MaxEvents)[:MaxEvents+1] }, "513 times gap, the limit is 512"},
		{"many job events", "job", func(m *Message) { m.Jobs = slices.Repeat(m.Jobs, MaxEvents)[:MaxEvents+1] }, "513 times job event, the limit is 512"},

		{"negative interval", "snapshot", func(m *Message) { m.Snapshot.Interval = -1 }, "interval_ns -1 is out of range"},
		{"tick", "snapshot", func(m *Message) { m.Snapshot.Tick = 1 << 63 }, "tick 9223372036854775808 is out of range"},
		{"memory total", "snapshot", func(m *Message) { m.Snapshot.MemoryTotal = 1 << 63 }, "memory_total_kib 9223372036854775808"},
		{"memory available", "snapshot", func(m *Message) { m.Snapshot.MemoryAvail = 1 << 63 }, "memory_available_kib 9223372036854775808"},
		{"daemon rss", "snapshot", func(m *Message) { m.Snapshot.DaemonRSS = 1 << 63 }, "daemon_rss_kib 9223372036854775808"},
		{"pressure level", "snapshot", func(m *Message) { m.Snapshot.PressureLevel = "a\x00" }, `pressure level "a\x00" holds a NUL`},
		{"capability", "snapshot", func(m *Message) { m.Snapshot.Capabilities[1] = "\xff" }, `capability 1: name "\xff" is not UTF-8`},
		{"capabilities", "snapshot", func(m *Message) { m.Snapshot.Capabilities = make([]Capability, 1025) }, "1025 times capability, the limit is 1024"},
		{"job progress", "snapshot", func(m *Message) { m.Snapshot.JobProgress = make([]JobProgress, 1025) }, "1025 times job progress, the limit is 1024"},
		{"job progress job", "snapshot", func(m *Message) { m.Snapshot.JobProgress[1].JobID = long(MaxName) }, "job progress 1: job id of 257 bytes"},
		{"job progress status", "snapshot", func(m *Message) { m.Snapshot.JobProgress[0].Status = "\xff" }, `job progress 0: status "\xff"`},
		{"gpus", "snapshot", func(m *Message) { m.Snapshot.GPUs = make([]GPU, 1025) }, "1025 times gpu, the limit is 1024"},
		{"processes", "snapshot", func(m *Message) { m.Snapshot.Processes = ProcessesOf(make([]Process, MaxProcesses+1)...) }, "65537 processes, the limit is 65536"},

		{"pid 0", "snapshot", change(0, func(p *Process) { p.PID = 0 }), "process 0: pid 0 after pid 0: want them rising"},
		{"pid twice", "snapshot", change(1, func(p *Process) { p.PID = 1 }), "process 1: pid 1 after pid 1: want them rising"},
		{"pid too large", "snapshot", change(2, func(p *Process) { p.PID = 1 << 22 }), "process 2, pid 4194304: pid 4194304 is more than a machine can have, which is 4194303"},
		{"parent", "snapshot", change(0, func(p *Process) { p.PPID = -1 }), "process 0, pid 1: ppid is negative"},
		{"start", "snapshot", change(0, func(p *Process) { p.StartTicks = math.MaxInt64/10_000_000 + 1 }), "process 0, pid 1: start_ticks 922337203686 is more"},
		{"cpu", "snapshot", change(0, func(p *Process) { p.CPUMillis = 1 << 63 }), "process 0, pid 1: cpu_ms is negative, or above 2^63"},
		{"no state", "snapshot", change(0, func(p *Process) { p.State = "" }), "process 0, pid 1: state is not one letter"},
		{"state of two letters", "snapshot", change(0, func(p *Process) { p.State = "Ss" }), "process 0, pid 1: state is not one letter"},
		{"state that is no letter", "snapshot", change(0, func(p *Process) { p.State = "\xff" }), "process 0, pid 1: state is not one letter"},
		{"command", "snapshot", change(1, func(p *Process) { p.Command = long(MaxCommand) }), "process 1, pid 4100: command of 4100 bytes, the limit is 4099"},
		{"command with a NUL", "snapshot", change(1, func(p *Process) { p.Command = "a\x00b" }), `process 1, pid 4100: command "a\x00b" holds a NUL`},
		{"job", "snapshot", change(1, func(p *Process) { p.JobID = long(MaxName) }), "process 1, pid 4100: job_id of 257 bytes"},
		{"cgroup", "snapshot", change(1, func(p *Process) { p.Cgroup = "/\xff" }), `process 1, pid 4100: cgroup "/\xff" is not UTF-8`},
		{"rss", "snapshot", change(1, func(p *Process) { p.RSS = Some[int64](-1) }), "process 1, pid 4100: rss_kib is negative"},
		{"rss beyond any machine", "snapshot", change(1, func(p *Process) { p.RSS = Some[int64](1<<46 + 1) }), "process 1, pid 4100: rss_kib 70368744177665 is more"},
		{"lowest step", "snapshot", change(1, func(p *Process) { p.Sheet = Some[int64](math.MinInt64) }), "process 1, pid 4100: sheet_num is negative"},
		{"threads", "snapshot", change(0, func(p *Process) { p.Threads = -1 }), "process 0, pid 1: threads is negative"},
		{"system calls", "snapshot", change(1, func(p *Process) { p.Syscalls = make([]Syscall, 1025) }), "pid 4100: 1025 times system call, the limit is 1024"},
		{"system call", "snapshot", change(1, func(p *Process) { p.Syscalls[1].Name = long(MaxName) }), "pid 4100: system call 1: name of 257 bytes"},
		{"system call count", "snapshot", change(1, func(p *Process) { p.Syscalls[0].Calls = 1 << 63 }), "system call 0: count 9223372036854775808"},
		{"system call time", "snapshot", change(1, func(p *Process) { p.Syscalls[0].TimeX100 = 1 << 63 }), "system call 0: time_pct_x100 9223372036854775808"},

		{"event pid", "exit", func(m *Message) { m.Events[1].PID = -1 }, "event.exit: event 1: pid -1 is out of range"},
		{"event pid too large", "exit", func(m *Message) { m.Events[0].PID = 1 << 22 }, "event.exit: event 0: pid 4194304 is out of range"},
		{"event wall", "exit", func(m *Message) { m.Events[0].Wall = 0 }, "event 0: wall_ns 0 is out of range"},
		{"event start", "spawn", func(m *Message) { m.Events[0].StartTicks = 1 << 63 }, "event 0: start_ticks 9223372036854775808"},
		{"event command", "spawn", func(m *Message) { m.Events[0].Command = long(MaxCommand) }, "event 0: command of 4100 bytes"},
		{"event job", "spawn", func(m *Message) { m.Events[0].JobID = long(MaxName) }, "event 0: job id of 257 bytes"},
		{"event source", "spawn", func(m *Message) { m.Events[0].Source = long(MaxName) }, "event 0: source of 257 bytes"},
		{"event details", "spawn", func(m *Message) { m.Events[0].Details = long(MaxText) }, "event 0: details of 16385 bytes, the limit is 16384"},

		{"gap end", "gap", func(m *Message) { m.Gaps[1].ToWall = 0 }, "event.gap: gap 1: to_wall_ns 0"},
		{"gap kind of words", "gap", func(m *Message) { m.Gaps[0].Kind = "events lost" }, `gap 0: kind "events lost" is no kind of gap`},
		{"gap kind in capitals", "gap", func(m *Message) { m.Gaps[0].Kind = "Reboot" }, `gap 0: kind "Reboot" is no kind of gap`},
		{"no gap kind", "gap", func(m *Message) { m.Gaps[1].Kind = "" }, `gap 1: kind "" is no kind of gap`},
		{"long gap kind", "gap", func(m *Message) { m.Gaps[0].Kind = GapKind(strings.Repeat("k", 65)) }, "is no kind of gap"},
		{"gap details", "gap", func(m *Message) { m.Gaps[0].Details = "\xff" }, `gap 0: details "\xff" is not UTF-8`},

		{"job event type", "job", func(m *Message) { m.Jobs[2].Type = "paused" }, `job event 2: type "paused" is none of declared,`},
		{"job event without a job", "job", func(m *Message) { m.Jobs[0].JobID = "" }, "job event 0: no job id"},
		{"job event wall", "job", func(m *Message) { m.Jobs[0].Wall = -1 }, "job event 0: wall_ns -1"},
		{"job event start", "job", func(m *Message) { m.Jobs[0].StartTicks = 1 << 63 }, "job event 0: start_ticks 9223372036854775808"},
		{"job event job", "job", func(m *Message) { m.Jobs[0].JobID = long(MaxName) }, "job event 0: job id of 257 bytes"},
		{"job event status", "job", func(m *Message) { m.Jobs[0].Status = long(MaxName) }, "job event 0: status of 257 bytes"},
		{"job event command", "job", func(m *Message) { m.Jobs[0].Command = long(MaxCommand) }, "job event 0: command of 4100 bytes"},
		{"job event details", "job", func(m *Message) { m.Jobs[0].Details = long(MaxText) }, "job event 0: details of 16385 bytes"},

		{"rollup minute", "rollup", func(m *Message) { m.Rollup.Minute = 0 }, "rollup: minute_ns 0 is out of range"},
		{"rollup samples", "rollup", func(m *Message) { m.Rollup.Samples = 0 }, "samples 0: want at least 1"},
		{"rollup memory", "rollup", func(m *Message) { m.Rollup.MemoryTotal = 1 << 63 }, "memory_total_kib 9223372036854775808"},
		{"rollup processes", "rollup", func(m *Message) { m.Rollup.Processes = make([]ProcessRollup, MaxProcesses+1) }, "65537 times process, the limit is 65536"},
		{"rollup pid", "rollup", func(m *Message) { m.Rollup.Processes[1].PID = -1 }, "process 1: pid -1"},
		{"rollup start", "rollup", func(m *Message) { m.Rollup.Processes[1].StartTicks = 1 << 63 }, "process 1: start_ticks 9223372036854775808"},
		{"rollup cpu", "rollup", func(m *Message) { m.Rollup.Processes[1].CPUMillis = 1 << 63 }, "process 1: cpu_ms is negative, or above 2^63"},
		{"rollup boot id", "rollup", func(m *Message) { m.Rollup.Processes[1].BootID = long(64) }, "process 1: boot id of 65 bytes"},
		{"rollup command", "rollup", func(m *Message) { m.Rollup.Processes[1].Command = long(MaxCommand) }, "process 1: command of 4100 bytes"},
		{"rollup job", "rollup", func(m *Message) { m.Rollup.Processes[1].JobID = "\x00" }, `process 1: job id "\x00" holds a NUL`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := exampleOf(t, test.example)
			if err := m.Validate(); err != nil {
				t.Fatalf("before the change: %v", err)
			}
			test.change(m)
			err := m.Validate()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want it to say %q", err, test.want)
			}
			for name, codec := range codecs {
				if b, err := codec.Append(nil, m); err == nil || len(b) != 0 {
					t.Errorf("%s: got %d bytes, error %v, want no bytes and an error", name, len(b), err)
				}
			}
		})
	}
}

// What stands at a limit is within it.
func TestValidate_AcceptsLimits(t *testing.T) {
	tests := []struct {
		name, example string
		change        func(m *Message)
	}{
		{"number", "snapshot", func(m *Message) { m.Seq = maxNumber }},
		{"host", "snapshot", func(m *Message) { m.Host = strings.Repeat("h", 64) }},
		{"command", "snapshot", change(0, func(p *Process) { p.Command = strings.Repeat("x", MaxCommand) })},
		{"pid", "snapshot", change(2, func(p *Process) { p.PID = 1<<22 - 1 })},
		{"start", "snapshot", change(2, func(p *Process) { p.StartTicks = math.MaxInt64 / 10_000_000 })},
		{"no processes", "snapshot", func(m *Message) { m.Snapshot.Processes = Processes{} }},
		{"many events", "exit", func(m *Message) { m.Events = slices.Repeat(m.Events, MaxEvents/2) }},
		{"details", "exit", func(m *Message) { m.Events[0].Details = strings.Repeat("x", MaxText) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := exampleOf(t, test.example)
			test.change(m)
			for name, codec := range codecs {
				got, err := codec.Decode(encoded(t, codec, m))
				if err != nil || !equal(got, m) {
					t.Errorf("%s: got error %v or another message", name, err)
				}
			}
		})
	}
}

// The age of the oldest process that passes is still right.
func TestAgeAt(t *testing.T) {
	tests := []struct {
		name  string
		start uint64
		boot  int64
		want  float64
	}{
		{"started with the machine", 0, 5e9, 5},
		{"a quarter of a second", 8_640_000, 86_400_250_000_000, 0.25},
		{"started after the look", 100, 0, -1},
		{"the latest start", math.MaxInt64 / 10_000_000, 0, -math.MaxInt64 / 1e9},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := AgeAt(test.boot, test.start); math.Abs(got-test.want) > 0.01 {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
