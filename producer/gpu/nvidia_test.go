package gpu

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

func known(index int, utilization, used, total, temperature int64) schema.GPU {
	return schema.GPU{Index: index, Utilization: schema.Some(utilization), MemoryUsed: schema.Some(used),
		MemoryTotal: schema.Some(total), Temperature: schema.Some(temperature)}
}

func TestReader_HasTheNewestValues(t *testing.T) {
	r := start(t, fake(t, "ok"), timing{})
	want := []schema.GPU{known(0, 70, 1024<<10, 8192<<10, 450), known(1, 1000, 1024<<10, 8192<<10, 450)}
	eventually(t, "both GPUs", func() bool { return reflect.DeepEqual(r.Read(time.Now()), want) })
	eventually(t, "processes", func() bool {
		return maps.Equal(r.Processes(), map[int]int64{4242: 128 << 10, 99: 5 << 10})
	})
	if have, _ := r.Source(); have != "nvidia-smi" {
		t.Errorf("source: got %q, want nvidia-smi", have)
	}
	if s := r.Stats(); s.Malformed != 0 || s.Ends != 0 || s.Hangs != 0 {
		t.Errorf("got %+v, want no trouble", s)
	}
}

func TestReader_WhatTheDriverDoesNotSayIsUnknown(t *testing.T) {
	r := start(t, fake(t, "na"), timing{})
	eventually(t, "one GPU", func() bool { return reflect.DeepEqual(r.Read(time.Now()), []schema.GPU{{Index: 0}}) })
	eventually(t, "lines of both questions", func() bool { return r.Stats().Lines > 4 })
	if got := r.Processes(); len(got) != 0 {
		t.Errorf("processes: got %v, want none", got)
	}
	if s := r.Stats(); s.Malformed != 0 {
		t.Errorf("got %+v, want nothing malformed", s)
	}
}

func TestReader_SkipsAndCountsWhatItDoesNotUnderstand(t *testing.T) {
	r := start(t, fake(t, "garbage"), timing{})
	eventually(t, "the good GPU line and the good process line", func() bool {
		return reflect.DeepEqual(r.Read(time.Now()), []schema.GPU{known(0, 70, 1024<<10, 8192<<10, 450)}) &&
			maps.Equal(r.Processes(), map[int]int64{4242: 100 << 10})
	})
	eventually(t, "some rounds", func() bool { return r.Stats().Lines > 50 })
	s := r.Stats() // six of seven lines about GPUs and two of three about processes are bad
	if bad := float64(s.Malformed) / float64(s.Lines); bad < 0.6 || bad > 0.9 || s.Ends != 0 || s.Hangs != 0 {
		t.Errorf("got %+v, want about four of five malformed and no trouble", s)
	}
}

// A value that is a word costs itself, a GPU that is missing keeps its place, and the word is told once.
func TestReader_OddValuesAndMissingGPUs(t *testing.T) {
	var log lockedBuffer
	r := startWith(t, Config{NvidiaSMI: fake(t, "odd"), Log: slog.New(slog.NewTextHandler(&log, nil))})
	odd := schema.GPU{Index: 2, MemoryTotal: schema.Some[int64](8192 << 10)}
	want := []schema.GPU{known(0, 70, 1024<<10, 8192<<10, 450), {Index: 1}, odd, known(3, 1000, 1024<<10, 8192<<10, 450)}
	eventually(t, "each GPU at its place", func() bool { return reflect.DeepEqual(r.Read(time.Now()), want) })
	eventually(t, "some rounds", func() bool { return r.Stats().Odd > 5 })
	if got := strings.Count(log.String(), `ERR!`); got != 3 || r.Stats().Malformed > 0 {
		t.Errorf("%+v and %s, want the three words told once", r.Stats(), log.String())
	}
	if got := r.Expected(); got != "nvidia-smi" {
		t.Errorf("expected: got %q, want nvidia-smi", got)
	}
}

// lockedBuffer is a log that two goroutines use.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func TestReader_AbsentProgram(t *testing.T) {
	r := start(t, filepath.Join(t.TempDir(), "nvidia-smi"), timing{})
	eventually(t, "both questions to fail", func() bool { return r.Stats().Ends == 2 })
	if got := r.Read(time.Now()); len(got) != 0 {
		t.Errorf("got %v, want no GPU", got)
	}
	have, missing := r.Source()
	if have != "" || !strings.Contains(missing, "nvidia-smi: not installed") || !strings.Contains(missing, "amd sysfs: no AMD card in") {
		t.Errorf("source: got %q, %q", have, missing)
	}
}

func TestReader_NoDriver(t *testing.T) {
	r := start(t, fake(t, "err"), timing{})
	eventually(t, "both questions to fail", func() bool { return r.Stats().Ends == 2 })
	if _, missing := r.Source(); !strings.Contains(missing, "the driver is not loaded") || !strings.Contains(missing, "NVIDIA-SMI has failed") {
		t.Errorf("source: got %q", missing)
	}
}

func TestReader_HungProgramIsKilledWithItsChildrenAndStartedAgain(t *testing.T) {
	smi := fake(t, "hang")
	r := start(t, smi, timing{hang: 300 * time.Millisecond, stale: 200 * time.Millisecond, retryHung: 50 * time.Millisecond, retryMax: time.Hour})
	eventually(t, "three hangs", func() bool { return r.Stats().Hangs >= 3 })
	if _, missing := r.Source(); !strings.Contains(missing, "hung") {
		t.Errorf("source: got %q, want the hang", missing)
	}
	first := pids(t, smi, "gpus")[:2]
	eventually(t, "the first processes to be gone", func() bool { return !alive(first[0]) && !alive(first[1]) })
}

// One GPU goes on to answer and the other does not.
func TestReader_GPUWithoutLinesIsUnknown(t *testing.T) {
	r := start(t, fake(t, "half"), timing{stale: time.Second})
	eventually(t, "GPU 1 alone", func() bool {
		return reflect.DeepEqual(r.Read(time.Now()), []schema.GPU{{Index: 0}, known(1, 70, 1024<<10, 8192<<10, 450)})
	})
	if s := r.Stats(); s.Hangs != 0 {
		t.Errorf("got %+v, want no hang", s)
	}
}

// The control of the hang test: a slow program is not a hung one.
func TestReader_SlowProgramIsLeftAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	r := start(t, fake(t, "slow"), timing{hang: 15 * time.Second})
	eventually(t, "rounds", func() bool { return len(r.Read(time.Now())) == 2 && r.Stats().Lines >= 5 })
	if s := r.Stats(); s.Hangs != 0 || s.Ends != 0 {
		t.Errorf("got %+v, want neither hangs nor ends", s)
	}
}

func TestReader_ProgramThatEndsIsStartedAgain(t *testing.T) {
	r := start(t, fake(t, "brief"), timing{retry: 10 * time.Millisecond, retryMax: 40 * time.Millisecond})
	eventually(t, "four ends", func() bool { return r.Stats().Ends >= 4 })
	if got := r.Read(time.Now()); len(got) != 2 {
		t.Errorf("got %v, want both GPUs", got)
	}
	eventually(t, "the reason", func() bool {
		_, missing := r.Source()
		return strings.Contains(missing, `exit status 15: "GPU is lost"`)
	})
}

func TestReader_ProcessesThatLeaveTheirGPUAreForgotten(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	r := start(t, fake(t, "empty"), timing{hang: 2 * time.Second, retry: time.Hour})
	eventually(t, "processes", func() bool { return len(r.Processes()) == 2 })
	eventually(t, "silence about processes to be taken for an end", func() bool { return len(r.Processes()) == 0 })
	if s := r.Stats(); s.Hangs != 0 || s.Ends != 0 {
		t.Errorf("got %+v, want no trouble: a GPU without processes is none", s)
	}
}

func TestReader_StaleValuesAreUnknownAndLaterGone(t *testing.T) {
	r := start(t, fake(t, "ok"), timing{})
	eventually(t, "both GPUs", func() bool { return len(r.Read(time.Now())) == 2 })
	soon := time.Now().Add(r.cfg.timing.stale + time.Second)
	if got, want := r.Read(soon), []schema.GPU{{Index: 0}, {Index: 1}}; !reflect.DeepEqual(got, want) {
		t.Errorf("after three intervals: got %v, want %v", got, want)
	}
	if got := r.Read(time.Now().Add(r.cfg.timing.dropAfter + time.Second)); len(got) != 0 {
		t.Errorf("much later: got %v, want none", got)
	}
}

// A driver that holds nvidia-smi in the kernel makes it unkillable. So does the freezer of cgroup v1.
func TestReader_UnkillableProgram(t *testing.T) {
	freezer := "/sys/fs/cgroup/freezer"
	if _, err := os.Stat(filepath.Join(freezer, "cgroup.procs")); err != nil || os.Geteuid() != 0 {
		t.Skip("SKIPPED: it needs root and the freezer of cgroup v1")
	}
	group := filepath.Join(freezer, fmt.Sprintf("proctape-gpu-%d", os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Skipf("SKIPPED: it needs a freezer it may write: %v", err)
	}
	smi := fake(t, "ok")
	r := Open(Config{NvidiaSMI: smi, Sys: t.TempDir(), Interval: time.Second, Log: logTo(t),
		timing: timing{hang: time.Second, stale: time.Second, stopTimeout: 100 * time.Millisecond}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- r.Run(ctx) }()
	eventually(t, "both GPUs", func() bool { return len(r.Read(time.Now())) == 2 && len(r.Processes()) > 0 })

	stuck := append(pids(t, smi, "gpus"), pids(t, smi, "apps")...)
	for _, pid := range stuck {
		put(t, filepath.Join(group, "cgroup.procs"), fmt.Sprint(pid))
	}
	t.Cleanup(func() { os.WriteFile(filepath.Join(group, "freezer.state"), []byte("THAWED"), 0o644) }) // if the test fails
	put(t, filepath.Join(group, "freezer.state"), "FROZEN")
	eventually(t, "the values to be unknown", func() bool {
		return reflect.DeepEqual(r.Read(time.Now()), []schema.GPU{{Index: 0}, {Index: 1}})
	})
	eventually(t, "the hang to be noticed", func() bool {
		_, missing := r.Source()
		return strings.Contains(missing, "hung") && len(r.Processes()) == 0
	})
	cancel()
	if err := within(t, result); err != ErrStuck {
		t.Errorf("got %v, want %v", err, ErrStuck)
	}

	put(t, filepath.Join(group, "freezer.state"), "THAWED")
	eventually(t, "the programs to end", func() bool {
		return !slices.ContainsFunc(stuck, alive)
	})
	eventually(t, "the control group to be empty", func() bool { return unix.Rmdir(group) == nil })
}

// A recorder that is killed cannot stop its children; the kernel does. These say nothing, and so would not notice that
// nobody listens any more.
func TestReader_ProgramDoesNotOutliveUs(t *testing.T) {
	smi := fake(t, "mute")
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleKey+"="+smi)
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var children []int
	eventually(t, "two programs", func() bool {
		children = append(pids(t, smi, "gpus"), pids(t, smi, "apps")...)
		return len(children) == 2
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
	eventually(t, "both to be gone", func() bool { return !alive(children[0]) && !alive(children[1]) })
}
