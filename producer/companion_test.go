package producer

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/run"
	"github.com/proctape/proctape/schema"
)

// runWithCompanion runs a script with a companion, as proctape run does, and returns the script's pid and the companion.
func runWithCompanion(t *testing.T, nc *nats.Conn, cfg run.CompanionConfig, script string) (int, *run.Companion) {
	t.Helper()
	_, _ = os.FindProcess(os.Getpid()) // the first time, the library forks to find out what the kernel can do
	cfg.Host, cfg.Job, cfg.Args, cfg.Log = "h", "job", []string{"/bin/sh", "-c", script}, logTo(t)
	c, err := run.NewCompanion(t.Context(), nc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		c.Watch(ctx)
	}()
	cmd := exec.Command(cfg.Args[0], cfg.Args[1:]...)
	err = cmd.Run()
	stop()
	<-watched
	if code := cmd.ProcessState.ExitCode(); code < 0 {
		t.Errorf("the command ended by %v", err)
	} else if err := c.End(code, 0, nil); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	return cmd.ProcessState.Pid(), c
}

// threeProcesses starts three processes: itself, and two that live for a moment. It ends with code 4.
const threeProcesses = "/bin/true; /bin/true; exit 4"

// needExact skips a test where starts and ends cannot be seen as they happen.
func needExact(t *testing.T) {
	t.Helper()
	kinds := []lifecycle.SourceKind{lifecycle.KindTaskstats, lifecycle.KindConnector}
	source, _, err := lifecycle.Open(lifecycle.Config{Describe: func(int) (d lifecycle.Description, ok bool) { return }}, kinds)
	if err != nil {
		t.Skip("SKIPPED: ", err)
	}
	source.Close()
}

func TestCompanion_WithoutALog(t *testing.T) {
	needExact(t)
	if _, c := runWithCompanion(t, nil, run.CompanionConfig{}, threeProcesses); c.Processes() != schema.Some(uint64(3)) {
		t.Errorf("got %+v processes, want 3", c.Processes())
	}
}

// Whatever sampler is there, or none, each start and end is told once, and is the job's.
func TestCompanion_PublishesOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	needExact(t)
	samplers := map[string]struct {
		kinds []lifecycle.SourceKind
		self  bool // the companion publishes
	}{
		"no sampler":                      {nil, true},
		"a sampler that sees all":         {lifecycle.SourceKinds, false},
		"a sampler that compares samples": {[]lifecycle.SourceKind{lifecycle.KindDiff}, true},
		"a sampler by pidfd":              {[]lifecycle.SourceKind{lifecycle.KindPidfd}, true},
	}
	for name, tt := range samplers {
		t.Run(name, func(t *testing.T) {
			for try := 1; publishedOnce(t, tt.kinds) != tt.self; try++ {
				if try == 5 {
					t.Fatal("the sampler was not found, five times")
				}
			}
		})
	}
}

// publishedOnce runs a command beside a sampler that learns of events by these kinds, or beside none, and looks at what the log has of it. It reports whether
// that is the companion's.
func publishedOnce(t *testing.T, kinds []lifecycle.SourceKind) (self bool) {
	t.Helper()
	nc := logtest.Serve(t)
	j := newLogReader(t, nc)
	var sampler schema.Instance
	if kinds != nil {
		record(t, nc, Config{Events: kinds})
		j.untilSnapshots(1)
		sampler = j.snapshots[0].Instance
	}
	pid, c := runWithCompanion(t, nc, run.CompanionConfig{Sheet: schema.Some(int64(2))}, "sleep 1.5; "+threeProcesses)
	self = !c.Sampler().SeesAll // a busy one may not answer in time
	if kinds != nil {
		began := time.Now()
		j.until("time for what else may be told", func() bool { return time.Since(began) > time.Second })
	}
	j.until("exit", func() bool { return len(j.children("exit", os.Getpid())) > 0 })
	j.drain()
	if got := j.kinds(pid); got != "spawn exit" {
		t.Errorf("got events %s", got)
	}
	for kind, got := range map[string][]loggedEvent{"spawn": j.children("spawn", pid), "exit": j.children("exit", pid)} {
		if len(got) != 3 {
			t.Errorf("got %d times %s of its children, want 3", len(got), kind)
		}
	}
	for _, e := range append(append(j.children("spawn", pid), j.children("exit", pid)...), j.of(pid)...) {
		if e.JobID != "job" || e.Sheet != schema.Some(int64(2)) || (e.instance != sampler) != self {
			t.Errorf("got %+v, want one of job, sheet 2; by the companion: %t", e, self)
		}
	}
	if c.Processes() != schema.Some(uint64(4)) {
		t.Errorf("got %+v processes, want 4", c.Processes())
	}
	expectStep(t, j.jobs)
	return self
}

// expectStep checks what was told of the job: it was declared, step 2 of it began, and ended with code 4.
func expectStep(t *testing.T, events []schema.JobEvent) {
	t.Helper()
	some := schema.Some[int64]
	types := []schema.JobEventType{schema.JobDeclared, schema.JobSheetStarted, schema.JobSheetEnded}
	if len(events) != len(types) {
		t.Fatalf("got %+v, want declared, sheet_started, sheet_ended", events)
	}
	for i, e := range events {
		if e.Type != types[i] || e.JobID != "job" || !e.Supervisor || e.PID != some(int64(os.Getpid())) || (e.Sheet == some(2)) != (i > 0) {
			t.Errorf("event %d: got %+v", i, e)
		}
	}
	if e := events[2]; e.ExitCode != some(4) || e.Status != "failed" || e.LastCompleted.Known {
		t.Errorf("got the end %+v, want one that failed with code 4", e)
	}
	if e := events[0]; e.Command == "" || e.Status != "running" {
		t.Errorf("got the declaration %+v", e)
	}
}

// A job without steps ends with its command.
func TestCompanion_EndsTheJob(t *testing.T) {
	nc := logtest.Serve(t)
	j := newLogReader(t, nc)
	runWithCompanion(t, nc, run.CompanionConfig{}, "exit 0")
	j.until("end", func() bool { return len(j.jobs) == 2 })
	if e := j.jobs[1]; e.Type != schema.JobEnded || e.ExitCode != schema.Some(int64(0)) || e.Status != "completed" || e.Sheet.Known {
		t.Errorf("got %+v", e)
	}
}

// A daemon that outlives its command is the sampler's to tell of.
func TestCompanion_LeavesADaemonToTheSampler(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	needExact(t)
	nc := logtest.Serve(t)
	j := newLogReader(t, nc)
	record(t, nc, Config{Events: []lifecycle.SourceKind{lifecycle.KindPidfd, lifecycle.KindDiff}})
	j.untilSnapshots(1)
	runWithCompanion(t, nc, run.CompanionConfig{}, "sleep 600 </dev/null >/dev/null 2>&1 & sleep 1.5")
	var daemon loggedEvent
	j.until("spawn of the daemon", func() bool {
		for _, e := range j.events {
			if e.kind == "spawn" && e.Command == "sleep 600" {
				daemon = e
			}
		}
		return daemon.PID != 0
	})
	if daemon.instance == j.snapshots[0].Instance {
		t.Errorf("its spawn was told by the sampler: %+v", daemon)
	}
	j.until("end of the job", func() bool { return len(j.jobs) == 2 })
	j.untilSeen(daemon.PID, func(p *schema.Process) bool { return p.JobID == "job" }) // the sampler has heard of it
	j.untilSnapshots(2)
	if proc, err := os.FindProcess(daemon.PID); err != nil || proc.Kill() != nil {
		t.Fatalf("kill %d: %v", daemon.PID, err)
	}
	exit := j.untilEnded(daemon.PID)
	if exit.JobID != "job" || exit.instance != j.snapshots[0].Instance || j.kinds(daemon.PID)[:len("spawn exit")] != "spawn exit" {
		t.Errorf("got events %s, exit %+v, want the sampler's, of job", j.kinds(daemon.PID), exit)
	}
}
