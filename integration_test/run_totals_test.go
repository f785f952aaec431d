package integration_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proctape/proctape/query"
)

// load is a command that uses some CPU in a dozen processes.
const load = `i=0; while [ $i -lt 6 ]; do head -c 20000000 /dev/zero | sha256sum >/dev/null; i=$((i+1)); done`

// runUnder runs a load as a job under a recorder, all by a command line in front, and another job that is tiny. Between stops and starts the
// recorder while the load runs.
func runUnder(t *testing.T, between string, front ...string) (big, tiny query.Run, cpuMillis int) {
	t.Helper()
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "usage")
	actor := buildActor(t)
	for _, d := range []string{dir, filepath.Dir(file), filepath.Dir(dir), filepath.Dir(proctape), filepath.Dir(actor)} {
		if err := os.Chmod(d, 0o755); err != nil { // an ordinary user comes through
			t.Fatal(err)
		}
	}
	if len(front) > 0 && front[0] == "setpriv" && front[1] == "--reuid" {
		if err := errors.Join(os.Chown(dir, nobody, nobody), os.Chown(filepath.Dir(file), nobody, nobody)); err != nil {
			t.Fatal(err)
		}
	}
	script := fmt.Sprintf(`set -e
		export D=%[1]s/data
		up() { "$0" up --data $D --host h --interval 1s >>%[1]s/log 2>&1 & UP=$!; until "$0" status --data $D >/dev/null 2>&1 && [ -S $D/nats.sock ]; do kill -0 $UP; sleep 0.2; done; }
		up
		"$0" run --data $D --host h --job load -- "$1" usage %[2]s sh -c '%[3]s' & RUN=$!
		%[4]s
		wait $RUN
		"$0" run --data $D --host h --job tiny -- true
		i=0; until "$0" report load --run 1 --data $D --json 2>/dev/null | grep -q '"ended":[1-9]' || [ $i -gt 300 ]; do sleep 0.2; i=$((i+1)); done
		kill -INT $UP; wait $UP || true`, dir, file, load, between)
	cmd := exec.Command("sh", "-c", script, proctape, actor)
	cmd.Args = append(append([]string{}, front...), cmd.Args...)
	if len(front) > 0 {
		cmd.Path = must(exec.LookPath(front[0]))(t)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		t.Fatalf("%v: %v\n%s%s", cmd.Args, err, out, log)
	}
	rss := 0
	if _, err := fmt.Sscan(string(must(os.ReadFile(file))(t)), &cpuMillis, &rss); err != nil {
		t.Fatal(err)
	}
	of := func(job string) query.Run {
		return decode[query.Run](t, run(t, "report", job, "--run", "1", "--data", filepath.Join(dir, "data"), "--json"))[0]
	}
	return of("load"), of("tiny"), cpuMillis
}

// The same program has the same totals by rusage on every rung, and also when the recorder was away in the middle. A tiny job does not read as
// large as run itself.
func TestRunTotals_OnEveryRung(t *testing.T) {
	long(t)
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: it needs root, to give up rights")
	}
	for name, c := range map[string]struct {
		between string
		front   []string
	}{
		"root":                  {},
		"ordinary user":         {front: []string{"setpriv", "--reuid", fmt.Sprint(nobody), "--regid", fmt.Sprint(nobody), "--clear-groups"}},
		"without CAP_NET_ADMIN": {front: []string{"setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"}},
		"pid namespace":         {front: []string{"unshare", "-p", "-f", "--kill-child", "--mount-proc"}},
		"recorder away":         {between: `until "$0" jobs load --data $D --json 2>/dev/null | grep -q '"run":1'; do sleep 0.1; done; kill -KILL $UP; wait $UP || true; sleep 0.5; up`},
	} {
		t.Run(name, func(t *testing.T) {
			run, tiny, cpuMillis := runUnder(t, c.between, c.front...)
			if run.CPUSeconds == nil || run.CPUSource == nil || (*run.CPUSource != "wait4" && *run.CPUSource != "cgroup") {
				t.Fatalf("got %+v, want CPU time by wait4 or the control group", run.Totals)
			}
			got, want := *run.CPUSeconds*1000, float64(cpuMillis)
			t.Logf("%.0f ms by %s, %.0f ms by getrusage", got, *run.CPUSource, want)
			if slack := 0.02*want + 30; got < want-slack || got > want+slack { // 30 ms: the actor that measures
				t.Errorf("got %.0f ms of CPU time, want %.0f ms within 2 %%", got, want)
			}
			if run.SystemCPU == nil || *run.SystemCPU == 0 || math.Abs(*run.UserCPU+*run.SystemCPU-*run.CPUSeconds) > 1e-5 {
				t.Errorf("got user %v and system %v of %v s, want both", run.UserCPU, run.SystemCPU, *run.CPUSeconds)
			}
			if run.ExitCode == nil || *run.ExitCode != 0 || run.Ended == nil || run.Number != 1 {
				t.Errorf("got %+v, want the end of run 1", run)
			}
			if tiny.PeakRSS != nil && *tiny.PeakRSS > 8 {
				t.Errorf("a tiny job has a peak of %.1f MiB: that is what run itself has", *tiny.PeakRSS)
			}
		})
	}
}

// A run whose proctape run is killed is closed by the recorder, at the latest at its next start, with an outcome that says who told it, and another
// run of the job is as it was.
func TestRunTotals_RunKilled(t *testing.T) {
	long(t)
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	script := fmt.Sprintf(`set -e
		export D=%s
		up() { "$0" up --data $D --host h --interval 1s >>$D.log 2>&1 & UP=$!; until "$0" status --data $D >/dev/null 2>&1 && [ -S $D/nats.sock ]; do kill -0 $UP; sleep 0.2; done; }
		up
		"$0" run --data $D --host h --job j -- sh -c 'exit 4' || true
		"$0" run --data $D --host h --job j -- sleep 1000 & RUN=$!
		until "$0" jobs j --data $D --json | grep -q '"run":2'; do sleep 0.2; done
		kill -INT $UP; wait $UP || true
		CHILD=$(cat /proc/$RUN/task/*/children); kill -KILL $RUN $CHILD; wait $RUN || true
		up
		until "$0" report j --run 2 --data $D --json | grep -q '"ended":[1-9]'; do sleep 0.2; done
		kill -INT $UP; wait $UP || true`, dir)
	if out, err := exec.Command("sh", "-c", script, proctape).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	runs := decode[query.Run](t, run(t, "jobs", "j", "--data", dir, "--json"))
	if len(runs) < 2 {
		t.Fatalf("got %d runs, want 2", len(runs))
	}
	if first := runs[0]; first.ExitCode == nil || *first.ExitCode != 4 || first.Inferred {
		t.Errorf("the first: got %+v, want exit 4, as run told", first)
	}
	second := runs[1]
	if !second.Inferred || second.ExitCode != nil || second.Signal != nil || second.Details == nil || !strings.HasPrefix(*second.Details, "not known") {
		t.Errorf("the second: got %+v, want an outcome that is not known", second)
	}
}
