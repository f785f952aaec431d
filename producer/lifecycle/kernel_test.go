package lifecycle

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/bpf"
	"github.com/proctape/proctape/schema"
)

// stormSize is how many processes a storm has.
const stormSize = 10_000

// storm runs a shell that starts processes as fast as it can, each with an argument of its own, and returns the shell and what all of it used.
func (r *rig) storm(n int) (shell int, used time.Duration) {
	r.t.Helper()
	truth, err := exec.LookPath("true")
	if err != nil {
		r.t.Skip("SKIPPED: ", err)
	}
	cmd := exec.Command("sh", "-c", fmt.Sprintf(`i=0; while [ $i -lt %d ]; do %s storm-$i 'an argument'; i=$((i+1)); done`, n, truth))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for running := true; running; {
		select {
		case err := <-ended:
			if err != nil {
				r.t.Fatal(err)
			}
			running = false
		case <-time.After(50 * time.Millisecond):
		}
		if _, err := r.Poll(); err != nil {
			r.t.Fatal(err)
		}
	}
	r.pollLonger()
	return cmd.Process.Pid, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// checkStorm says what is wrong with what was told of a storm: each process has a start with its arguments and an end with its totals,
// and their CPU adds up to what the kernel says of all of them.
func (r *rig) checkStorm(shell, n int, used time.Duration) (problems []string) {
	began, ended := map[string]int{}, map[int]bool{}
	pids := map[int]string{}
	var cpu int64
	for _, o := range r.told {
		e := o.Event
		switch {
		case e.PID != shell && e.PPID.V != int64(shell):
		case o.Kind == schema.KindSpawn && e.PID != shell:
			_, name, _ := strings.Cut(e.Command, " ")
			began[name]++
			pids[e.PID] = name
		case o.Kind == schema.KindExit:
			ended[e.PID] = e.CPUMillis.Known && e.PeakRSS.Known && e.ExitCode == schema.Some(int64(0))
			cpu += e.CPUMillis.V
		}
	}
	for i := range n {
		if name := fmt.Sprintf("storm-%d an argument", i); began[name] != 1 {
			problems = append(problems, fmt.Sprintf("%d starts of %q", began[name], name))
		}
	}
	for pid, name := range pids {
		if !ended[pid] {
			problems = append(problems, fmt.Sprintf("no whole end of %q", name))
		}
	}
	if apart := math.Abs(float64(cpu)/float64(used.Milliseconds()) - 1); apart > 0.02 {
		problems = append(problems, fmt.Sprintf("%d ms of CPU, and the kernel says %d", cpu, used.Milliseconds()))
	}
	return problems
}

// Ten thousand processes that live for a millisecond are told whole: each start with its arguments, each end with its totals.
func TestKernel_Storm(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	r := newRig(t, openOne(KindBPF))
	shell, used := r.storm(stormSize)
	problems := r.checkStorm(shell, stormSize, used)
	// On a busy machine the kernel may find no room for a record, of the storm or of another process: it is counted then.
	var counted int64
	for _, g := range r.gaps {
		t.Logf("got gap %+v", g)
		if !g.Count.Known {
			t.Errorf("how many are missing is not told: %+v", g)
		}
		counted += g.Count.V
	}
	if int64(len(problems)) > counted {
		t.Errorf("%d problems, and %d were told", len(problems), counted)
		for _, p := range problems[:min(len(problems), 10)] {
			t.Error(p)
		}
	}
	t.Logf("%d problems; the storm used %s of CPU", len(problems), used)
}

// dropping is a source that drops an end in a thousand, and tells nobody.
type dropping struct {
	eventReader
	ends int
}

func (d *dropping) Read(dst []bpf.Event, most int) ([]bpf.Event, map[bpf.Kind]uint64, error) {
	events, lost, err := d.eventReader.Read(dst, most)
	events = slices.DeleteFunc(events, func(e bpf.Event) bool {
		if e.Kind == bpf.Exit {
			d.ends++
		}
		return e.Kind == bpf.Exit && d.ends%1000 == 0
	})
	return events, lost, err
}

// Control: the storm's check finds a source that drops an end in a thousand.
func TestKernel_ADroppedEndIsNoticed(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	r := newRig(t, openOne(KindBPF))
	k := r.Source.(*Kernel)
	k.source = &dropping{eventReader: k.source}
	shell, used := r.storm(3000)
	if problems := r.checkStorm(shell, 3000, used); len(problems) == 0 || !slices.ContainsFunc(problems, func(p string) bool { return strings.HasPrefix(p, "no whole end") }) {
		t.Errorf("got %q, want that ends are missing", problems)
	}
}

// Who sent the signal that ended a process is told with its end; a signal that did not end it is not.
func TestKernel_Sender(t *testing.T) {
	self := filepath.Base(os.Args[0])
	self = self[:min(len(self), 15)]
	tests := map[string]struct {
		script string
		signal func(pid int) error
		want   string
	}{
		"killed by us":     {"read x; read y", func(pid int) error { return unix.Kill(pid, unix.SIGKILL) }, fmt.Sprintf("sent by %s (pid %d, user %d)", self, os.Getpid(), os.Getuid())},
		"killed by itself": {"read x; kill -TERM $$", nil, "sent by itself"},
		"ignored first": {"trap '' TERM; echo 1; read x; kill -9 $$", func(pid int) error {
			return unix.Kill(pid, unix.SIGTERM)
		}, "sent by itself"},
		"an end of its own": {"read x; exit 3", func(pid int) error { return unix.Kill(pid, unix.SIGCONT) }, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, openOne(KindBPF))
			a := start(t, tt.script)
			r.await(schema.KindSpawn, a.pid())
			if name == "ignored first" {
				a.number()
			}
			if tt.signal != nil {
				if err := tt.signal(a.pid()); err != nil {
					t.Fatal(err)
				}
			}
			a.proceed()
			if got := r.await(schema.KindExit, a.pid()); got.Details != tt.want {
				t.Errorf("got %q of %+v, want %q", got.Details, got, tt.want)
			}
		})
	}
}
