package producer

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/schema"
)

// needSourceKind skips a test where a way of watching processes does not work.
func needSourceKind(t *testing.T, p *Producer, kinds ...lifecycle.SourceKind) {
	t.Helper()
	if got := p.loop.watcher.Kind(); !slices.Contains(kinds, got) {
		t.Skipf("SKIPPED: processes are watched by %s", got)
	}
}

// Processes that live for two milliseconds are their parent's job's, each of them, at their start and at their end.
func TestLive_ShortLived(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	nc := logtest.Serve(t)
	j := newLogReader(t, nc)
	p, _ := record(t, nc, Config{})
	needSourceKind(t, p, lifecycle.KindTaskstats, lifecycle.KindConnector)
	const n = 300
	loop := `i=0; while [ $i -lt %d ]; do sleep 0.002; i=$((i+1)); done; echo done`
	ours, theirs := startShell(t), startShell(t)
	j.publishJobEvent(nc, declared(t, "job", ours.pid()))
	ours.ask(fmt.Sprintf(loop, n))
	theirs.ask(fmt.Sprintf(loop, 20))
	j.until("exits", func() bool {
		exits, others := len(j.children("exit", ours.pid())), len(j.children("exit", theirs.pid()))
		return exits >= n && others >= 20 || exits+others+j.lost() >= n+20
	})
	if j.lost() > 0 { // it is counted, and nothing is told twice
		t.Logf("%d events were lost", j.lost())
		for _, kind := range []string{"spawn", "exit"} {
			if a, b := len(j.children(kind, ours.pid())), len(j.children(kind, theirs.pid())); a > n || b > 20 {
				t.Errorf("%s: got %d and %d, want at most %d and 20", kind, a, b, n)
			}
		}
		return
	}
	for shell, want := range map[*shell]struct {
		n   int
		job string
	}{ours: {n, "job"}, theirs: {20, ""}} {
		for _, kind := range []string{"spawn", "exit"} {
			events := j.children(kind, shell.pid())
			if len(events) != want.n {
				t.Errorf("%s of job %q: got %d, want %d", kind, want.job, len(events), want.n)
			}
			for _, e := range events {
				if e.JobID != want.job || e.SampledCPU.Known != (kind == "exit") {
					t.Fatalf("got %+v, want one of job %q", e, want.job)
				}
			}
		}
	}
	for _, g := range j.gaps {
		if g.Kind != schema.GapExitRecordsLost || !g.Count.Known { // which may be of any process of this machine, and costs no event
			t.Errorf("got gap %+v", g)
		}
	}
}

// A daemon keeps its job when who started it is gone, in the snapshots and at its end.
func TestLive_Daemon(t *testing.T) {
	t.Parallel()
	nc := logtest.Serve(t)
	j := newLogReader(t, nc)
	p, _ := record(t, nc, Config{})
	needSourceKind(t, p, lifecycle.KindTaskstats, lifecycle.KindConnector)
	s := startShell(t)
	j.publishJobEvent(nc, declared(t, "job", s.pid()))
	var pid int
	fmt.Sscan(s.ask("(sleep 600 </dev/null >/dev/null 2>&1 & echo $!)"), &pid)
	t.Cleanup(func() { unix.Kill(pid, unix.SIGKILL) })
	orphaned := func(p *schema.Process) bool { return p.PPID != s.pid() && strings.HasPrefix(p.Command, "sleep") }
	if parent := j.untilSeen(pid, orphaned).PPID; parent == 0 || len(j.children("spawn", s.pid())) > 0 && parent == j.children("spawn", s.pid())[0].PID {
		t.Fatalf("its parent is %d still", parent)
	}
	j.until("spawn", func() bool { return len(j.of(pid)) > 0 })
	if got := j.untilSeen(pid, orphaned).JobID; got != "job" {
		t.Errorf("in a snapshot: got job %q", got)
	}
	s.end()
	j.untilEnded(s.pid())
	if got := j.untilSeen(pid, orphaned).JobID; got != "job" {
		t.Errorf("in a snapshot when its job's root is gone: got job %q", got)
	}
	if err := unix.Kill(pid, unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	j.untilEnded(pid)
	for _, e := range j.of(pid) {
		if e.JobID != "job" {
			t.Errorf("%s: got job %q", e.kind, e.JobID)
		}
	}
	if got := j.kinds(pid); got != "spawn exit signal" {
		t.Errorf("got events %s, want spawn, exit and signal", got)
	}
}

// What kind of a death an exit was.
func TestLive_KindsOfDeath(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	nc := logtest.Serve(t)
	j := newLogReader(t, nc)
	p, _ := record(t, nc, Config{})
	needSourceKind(t, p, lifecycle.KindTaskstats, lifecycle.KindConnector)
	s := startShell(t)
	deaths := map[string]struct {
		command string
		signal  unix.Signal // 0 for none
		kinds   string
		code    schema.Opt[int64]
		core    bool
	}{
		"killed":       {"sleep 600", unix.SIGKILL, "spawn exit kill", schema.Opt[int64]{}, false},
		"terminated":   {"sleep 600", unix.SIGTERM, "spawn exit signal", schema.Opt[int64]{}, false},
		"aborted":      {"sleep 600", unix.SIGABRT, "spawn exit signal", schema.Opt[int64]{}, true},
		"ended well":   {"true", 0, "spawn exit", schema.Some(int64(0)), false},
		"ended with 3": {"sh -c 'exit 3'", 0, "spawn exit", schema.Some(int64(3)), false},
	}
	for name, tt := range deaths {
		pid := s.start("exec " + tt.command)
		if tt.signal != 0 {
			if err := unix.Kill(pid, tt.signal); err != nil {
				t.Fatal(err)
			}
		}
		exit := j.untilEnded(pid)
		if got := j.kinds(pid); got != tt.kinds {
			t.Errorf("%s: got events %s, want %s", name, got, tt.kinds)
		}
		for _, e := range j.of(pid) {
			if e.kind == "spawn" {
				continue
			}
			if e.Signal.Known != (tt.signal != 0) || e.Signal.V != int64(tt.signal) || e.ExitCode != tt.code || e.Core != tt.core {
				t.Errorf("%s: got %+v", name, e)
			}
			if e.kind != "exit" && (e.CPUMillis.Known || e.PeakRSS.Known || e.SampledCPU.Known || e.Boot != exit.Boot || e.Command != exit.Command) {
				t.Errorf("%s: got %+v, want it as the exit is, without what is counted there", name, e)
			}
		}
	}
}

// What a process comes to execute is published, with its job; a process that forks and does not execute has nothing of it.
func TestLive_Exec(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	for _, kind := range []lifecycle.SourceKind{lifecycle.KindTaskstats, lifecycle.KindConnector} {
		t.Run(string(kind), func(t *testing.T) {
			source, _, err := lifecycle.Open(lifecycle.Config{Describe: func(int) (d lifecycle.Description, ok bool) { return }}, []lifecycle.SourceKind{kind})
			if err != nil {
				t.Skip("SKIPPED: ", err)
			}
			source.Close()
			nc := logtest.Serve(t)
			j := newLogReader(t, nc)
			record(t, nc, Config{Events: []lifecycle.SourceKind{kind}})
			executes, forks := startShell(t), startShell(t)
			j.publishJobEvent(nc, declared(t, "job", executes.pid()))
			j.until("spawns", func() bool { return len(j.of(executes.pid())) > 0 && len(j.of(forks.pid())) > 0 })
			executes.ask("echo ready; exec env API_TOKEN=hunter2hunter2 sleep 600")
			forks.ask("sleep 0.01; echo done")
			j.until("exec", func() bool {
				return len(j.commandsOf(executes.pid())) > 0 && j.commandsOf(executes.pid())[len(j.commandsOf(executes.pid()))-1] == "sleep 600"
			})
			if err := executes.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			j.untilEnded(executes.pid())
			for _, e := range j.execs {
				if e.PID == executes.pid() && (e.JobID != "job" || e.StartTicks == 0 || !e.UID.Known || e.Boot == 0 || e.Source != lifecycle.SourceConnector) {
					t.Errorf("got %+v, want one of the job", e)
				}
				if strings.Contains(e.Command, "hunter2") {
					t.Errorf("got %q, want it without the secret", e.Command)
				}
			}
			forks.end()
			j.untilEnded(forks.pid())
			if got := j.commandsOf(forks.pid()); len(got) != 0 {
				t.Errorf("who forks is told to execute %q", got)
			}
			if got := j.kinds(executes.pid()); got != "spawn exit kill" {
				t.Errorf("got events %s, want the exec apart from them", got)
			}
		})
	}
}

// A job that is declared while its processes run has them from then on; a sampler that starts later knows of it too.
func TestLive_DeclaredLate(t *testing.T) {
	t.Parallel()
	nc := logtest.Serve(t)
	j := newLogReader(t, nc)
	_, stop := record(t, nc, Config{})
	s := startShell(t)
	pid := s.start("exec sleep 600")
	t.Cleanup(func() { unix.Kill(pid, unix.SIGKILL) })
	if got := j.untilSeen(pid, func(*schema.Process) bool { return true }); got.JobID != "" {
		t.Fatalf("before: got job %q", got.JobID)
	}
	e := declared(t, "job", s.pid())
	e.TotalSheets = schema.Some(int64(4))
	j.publishJobEvent(nc, e)
	if got := j.untilSeen(pid, func(p *schema.Process) bool { return p.JobID != "" }); got.JobID != "job" || got.Sheet.Known {
		t.Errorf("declared: got job %q, sheet %+v", got.JobID, got.Sheet)
	}
	j.publishJobEvent(nc, schema.JobEvent{Type: schema.JobSheetStarted, JobID: "job", Sheet: schema.Some(int64(2))})
	if got := j.untilSeen(pid, func(p *schema.Process) bool { return p.Sheet.Known }); got.Sheet.V != 2 {
		t.Errorf("sheet 2: got %+v", got.Sheet)
	}
	stop()
	j.drain()
	first := len(j.snapshots)

	record(t, nc, Config{})
	j.untilSnapshots(1)
	m := j.snapshots[first]
	for _, pid := range []int{s.pid(), pid} {
		if p, _ := find(m, pid); p.JobID != "job" || p.Sheet.Known != (pid != s.pid()) {
			t.Errorf("the first snapshot of the next sampler: got process %d of job %q, sheet %+v", pid, p.JobID, p.Sheet)
		}
	}
	want := schema.JobProgress{JobID: "job", TotalSheets: schema.Some(int64(4)), CurrentSheet: schema.Some(int64(2)), Status: "running"}
	if got := m.Snapshot.JobProgress; len(got) != 1 || got[0] != want {
		t.Errorf("the first snapshot of the next sampler: got progress %+v, want %+v", got, want)
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if e := j.untilEnded(pid); e.JobID != "job" || e.Sheet != schema.Some(int64(2)) {
		t.Errorf("got exit %+v", e)
	}
}

// Each way of watching processes tells what it can of one that lives for a while, and says what it is.
func TestLive_SourceKinds(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	type knows struct{ code, cpu, short bool }
	kinds := map[lifecycle.SourceKind]knows{
		lifecycle.KindTaskstats: {code: true, cpu: true, short: true},
		lifecycle.KindConnector: {code: true, short: true},
		lifecycle.KindPidfd:     {code: true},
		lifecycle.KindDiff:      {},
	}
	nc := logtest.Serve(t)
	for kind, want := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			source, _, err := lifecycle.Open(lifecycle.Config{Describe: func(int) (d lifecycle.Description, ok bool) { return }}, []lifecycle.SourceKind{kind})
			if err != nil {
				t.Skip("SKIPPED: ", err)
			}
			source.Close()
			j := newLogReader(t, nc)
			_, stop := record(t, nc, Config{Events: []lifecycle.SourceKind{kind}})
			defer stop()
			s := startShell(t)
			j.publishJobEvent(nc, declared(t, string(kind), s.pid()))
			if caps := j.snapshots[len(j.snapshots)-1].Snapshot.Capabilities; !slices.Contains(caps, kind.Capability()) {
				t.Errorf("got capabilities %q", caps)
			}
			s.ask("/bin/true; echo done")
			pid := s.start("exec sleep 600")
			j.until("spawn", func() bool { return len(j.of(pid)) > 0 })
			if err := unix.Kill(pid, unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			s.ask("wait; echo done")
			exit := j.untilEnded(pid)
			for _, e := range j.of(pid) {
				if e.JobID != string(kind) {
					t.Errorf("%s: got job %q", e.kind, e.JobID)
				}
			}
			kinds := "spawn exit"
			if want.code {
				kinds += " kill"
			}
			if got := j.kinds(pid); got != kinds || exit.Signal.Known != want.code {
				t.Errorf("got events %s, signal %+v, want %s", got, exit.Signal, kinds)
			}
			if want.cpu && (!exit.CPUMillis.Known || !exit.PeakRSS.Known || !exit.ReadKiB.Known) {
				t.Errorf("got %+v, want CPU, memory and I/O", exit)
			}
			if !want.code && (exit.ExitCode.Known || exit.PeakRSS.Known) {
				t.Errorf("got %+v, want no more than a scan of /proc can tell", exit)
			}
			s.end()
			j.untilEnded(s.pid())
			short := 0
			for _, e := range j.children("exit", s.pid()) {
				if e.PID != pid {
					short++
				}
			}
			if want.short && short != 1 {
				t.Errorf("got %d other exits, want that of true", short)
			}
		})
	}
}

// What a job used is the sum of what its processes had used when they were last sampled, and of what each exit adds.
func TestLive_CPU(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	const job = "burns" // and no other test's: a process of one beside it may have a job by its environment
	nc := logtest.Serve(t)
	j := newLogReader(t, nc)
	p, _ := record(t, nc, Config{})
	needSourceKind(t, p, lifecycle.KindTaskstats)
	s := startShell(t)
	j.publishJobEvent(nc, declared(t, job, s.pid()))
	burn := func(n int) string { return fmt.Sprintf(`sh -c "i=0; while [ \$i -lt %d ]; do i=\$((i+1)); done"`, n) }
	s.ask(burn(1000000) + " & " + burn(300000) + " & " + burn(30000) + "; " + burn(3000) + "; (" + burn(100000) + "); wait; echo done")
	s.end()
	j.untilEnded(s.pid())
	usage := s.ProcessState.SysUsage().(*syscall.Rusage) // its children's with it
	used := time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Milliseconds()

	sampled := map[int]uint64{} // in the last snapshot that has the process
	for _, m := range j.snapshots {
		for _, p := range m.Snapshot.Processes.Rows() {
			if p.JobID == job {
				sampled[p.PID] = p.CPUMillis
			}
		}
	}
	var total, ended int64
	var told strings.Builder // of each end, for whoever has to find out what was wrong
	for _, e := range j.events {
		if e.kind != "exit" || e.JobID != job {
			continue
		}
		fmt.Fprintf(&told, "pid %d, parent %+v, start %d, command %q: %+v ms, %+v of them sampled\n", e.PID, e.PPID, e.StartTicks, e.Command, e.CPUMillis, e.SampledCPU)
		if e.SampledCPU != schema.Some(int64(sampled[e.PID])) {
			t.Errorf("process %d: the exit says that %+v ms were sampled, the snapshots have %d", e.PID, e.SampledCPU, sampled[e.PID])
		}
		total += int64(sampled[e.PID]) + e.CPUMillis.V - e.SampledCPU.V
		ended++
	}
	// The kernel's record counts who runs at its ticks, 1/250 s and up to 1/100 s: chance is a part of it.
	if off, chance := max(used-total, total-used), 20*ended+used/4; ended != 6 || off > chance {
		t.Errorf("got %d ms of %d processes, want %d ms of 6, or up to %d ms beside it:\n%s", total, ended, used, chance, &told)
	}
	t.Logf("%d ms of %d processes; the kernel told their parent of %d ms", total, ended, used)
	if len(sampled) < 3 || used < 500 {
		t.Errorf("only %d of the processes were sampled, %d ms of CPU used: the test tests little", len(sampled), used)
	}
}
