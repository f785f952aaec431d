package integration_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/proctape/proctape/query"
)

// used is what a run of a job came to, by the recording and by those who ought to know.
type used struct {
	profile   query.Profile
	lost      int // events that the recording counts as lost
	processes int // by the line that run prints
	cpuMillis int // by getrusage(2)
	maxRSSKiB int
}

// measure runs a command as a job of the test's name, for others measure beside it, under a recorder that samples every five seconds. A machine that is too busy to read all
// that the kernel tells loses some, and counts it: then the command is run again, up to three times.
func measure(t *testing.T, program string, env []string, command ...string) (u used) {
	t.Helper()
	for range 3 {
		if u = measureOnce(t, program, env, command...); u.lost == 0 {
			break
		}
	}
	return u
}

func measureOnce(t *testing.T, program string, env []string, command ...string) used {
	t.Helper()
	dir, actor := t.TempDir(), buildActor(t)
	recorder := record(t, program, dir, "--interval", "5s")
	file := filepath.Join(t.TempDir(), "usage")
	cmd := exec.Command(program, append([]string{"run", "--data", dir, "--host", "testhost", "--job", t.Name(), "--", actor, "usage", file}, command...)...)
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if out, err := cmd.Output(); err != nil {
		t.Fatalf("%v: %v\n%s%s", cmd.Args, err, out, stderr.String())
	}
	recorder.stop()
	u := used{profile: profile(t, t.Name(), "--data", dir), processes: summarised(t, stderr.String()),
		lost: eventsLost(t, filepath.Join(dir, "monitor.db"))}
	if _, err := fmt.Sscan(string(must(os.ReadFile(file))(t)), &u.cpuMillis, &u.maxRSSKiB); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d spawns and %d by run, %.2f s CPU and %.2f s by getrusage, %.1f MB and %.1f MB by getrusage", u.profile.Spawns, u.processes,
		u.profile.CPUSeconds, float64(u.cpuMillis)/1000, u.profile.PeakRSS, float64(u.maxRSSKiB)/1024)
	return u
}

// eventsLost is how many events a database counts as lost, and how many ends that have no usage.
func eventsLost(t *testing.T, db string) int {
	t.Helper()
	return count(t, db, `SELECT coalesce(sum(max(coalesce(count, 1), 1)), 0) FROM gaps WHERE kind IN ('events_lost', 'exit_records_lost')`)
}

// profile is what a recording has of a job.
func profile(t *testing.T, job string, where ...string) query.Profile {
	t.Helper()
	return decode[query.Profile](t, run(t, append([]string{"profile", job, "--json"}, where...)...))[0]
}

// summarised is how many processes the last line of a run counts.
func summarised(t *testing.T, stderr string) int {
	t.Helper()
	words := strings.Fields(stderr)
	if len(words) < 2 || !strings.HasPrefix(words[len(words)-1], "process") {
		t.Fatalf("run ended with %q, want a count of processes", stderr)
	}
	return must(strconv.Atoi(words[len(words)-2]))(t)
}

// defects compares a job's figures with the yardstick: each process counted, CPU within a share of its own and memory
// within 5 %. Where events are counted as lost it is their count that has to be right.
func (u used) defects(cpu float64) (defects []string) {
	if u.lost > 0 {
		if n := int(u.profile.Exits); n > u.processes || n+u.lost < u.processes {
			defects = append(defects, fmt.Sprintf("%d exits are recorded and %d events lost, run counted %d", n, u.lost, u.processes))
		}
		return defects
	}
	if int(u.profile.Spawns) != u.processes || u.profile.Exits != u.profile.Spawns {
		defects = append(defects, fmt.Sprintf("%d spawns and %d exits are recorded, run counted %d", u.profile.Spawns, u.profile.Exits, u.processes))
	}
	for _, v := range []struct {
		what             string
		got, want, share float64
	}{
		{"CPU seconds", u.profile.CPUSeconds, float64(u.cpuMillis) / 1000, cpu},
		{"peak MB", u.profile.PeakRSS, float64(u.maxRSSKiB) / 1024, 0.05},
	} {
		if math.Abs(v.got-v.want) > v.share*v.want {
			defects = append(defects, fmt.Sprintf("%s: got %.3f, want %.3f within %g %%", v.what, v.got, v.want, v.share*100))
		}
	}
	return defects
}

// tree writes a shell script that starts many processes that live a moment, and one that is large, and returns the
// command to run it.
func tree(t *testing.T, subshells, each int) (command []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tree.sh")
	script := fmt.Sprintf("for i in $(seq %d); do (for j in $(seq %d); do /bin/true; done) & done\n\"%s\" </dev/null & wait\n",
		subshells, each, worker(t, "", 0).Path)
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"/bin/sh", file}
}

// quiet has the worker use no more than it says.
var quiet = []string{"GOMAXPROCS=1", "GOGC=off"}

// TestJobRun_Tree runs a thousand processes that live a moment: the figures are those of the kernel, and the count that
// of strace. The kernel's exit records only guess the CPU of such lives, so that of all is not known as well.
func TestJobRun_Tree(t *testing.T) {
	long(t)
	t.Parallel()
	needsEveryProcess(t)
	const subshells, each = 4, 250
	command := tree(t, subshells, each)
	u := measure(t, proctape, quiet, command...)
	if d := u.defects(0.35); len(d) > 0 {
		t.Error(strings.Join(d, "\n"))
	}
	// With the actor, and the child by which its Go library may find out what the kernel can do.
	if n := straced(t, command); n > 0 && u.lost == 0 && u.processes != n+1 && u.processes != n+2 {
		t.Errorf("run counted %d processes with the actor, strace %d without", u.processes, n)
	}
	if least := subshells*each + subshells + 3; u.lost == 0 && u.processes < least { // and the actor, the shell and the worker
		t.Errorf("run counted %d processes, want at least %d", u.processes, least)
	}
}

// forks finds the calls that make a process in strace's output, and those that make a thread, which it names.
var forks = regexp.MustCompile(`(?m)^[0-9]+ +(?:v?fork|clone3?)\(.*`)

// straced counts the processes of a command by strace, which tells of each fork; 0 where there is no strace.
func straced(t *testing.T, command []string) int {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Log("there is no strace on this machine to compare with")
		return 0
	}
	file := filepath.Join(t.TempDir(), "strace")
	cmd := exec.Command(strace, append([]string{"-f", "-qq", "-e", "trace=fork,vfork,clone,clone3", "-e", "signal=none", "-o", file}, command...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	n := 1 // the command
	for _, call := range forks.FindAll(must(os.ReadFile(file))(t), -1) {
		if !bytes.Contains(call, []byte("CLONE_THREAD")) {
			n++
		}
	}
	return n
}

// TestJobRun_GoBuild builds packages of the standard library: some small ones, and in a soak all.
func TestJobRun_GoBuild(t *testing.T) {
	long(t)
	t.Parallel()
	needsEveryProcess(t)
	packages, cpu := []string{"math", "unicode", "unicode/utf16", "unicode/utf8", "cmp", "container/list", "container/ring"}, 0.35
	if soak {
		packages, cpu = []string{"std"}, 0.02
	}
	u := measure(t, proctape, []string{"GOCACHE=" + t.TempDir(), "CGO_ENABLED=0"}, append([]string{"go", "build", "-a"}, packages...)...)
	if d := u.defects(cpu); len(d) > 0 {
		t.Error(strings.Join(d, "\n"))
	}
	if u.processes < 20 {
		t.Errorf("run counted %d processes, want one a package at the least", u.processes)
	}
}

// needsEveryProcess skips a test where the kernel does not tell of every process.
func needsEveryProcess(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: the kernel tells only root of every process")
	}
}

// TestJobRun_LogWithoutSampler runs jobs, one inside the other, where nothing samples the host: run itself publishes
// what they started, each its own.
func TestJobRun_LogWithoutSampler(t *testing.T) {
	long(t)
	needsEveryProcess(t)
	t.Parallel()
	url := plainLog(t)
	db := filepath.Join(t.TempDir(), "p.db")
	projection := start(t, "project", "--server", url, "--db", db)
	projection.awaitLine("is projecting the log")
	nested(t, "lone", 3, "--server", url)
	jobs := func() int { return count(t, db, `SELECT count(*) FROM jobs WHERE ended IS NOT NULL`) }
	await(t, "both jobs", func() bool { return jobs() == 2 })
	projection.stop()
	checkNested(t, "lone", true, "--db", db)
}

// TestJobRun_Nested runs one job inside another under a recorder.
func TestJobRun_Nested(t *testing.T) {
	long(t)
	t.Parallel()
	for _, events := range []string{"taskstats", "pidfd"} { // run leaves events to the first, and has its own beside the other
		t.Run(events, func(t *testing.T) {
			needsEveryProcess(t)
			dir := t.TempDir()
			recorder := record(t, proctape, dir, "--events", events)
			nested(t, events, 3, "--data", dir)
			recorder.stop()
			// Beside a sampler that sees no ends, nobody knows how much of a process's CPU is in samples already.
			checkNested(t, events, events == "taskstats", "--data", dir)
		})
	}
}

// The processes of the jobs of nested: of the outer one a shell, the run inside and two more.
const (
	outerProcesses = 4
	innerProcesses = 3
)

// burn uses some hundredths of a second of CPU.
const burn = `i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done;`

// nested runs one job inside another, and checks what both say at their ends. Their names end in name, which is the test's own:
// a sampler sees the processes of other tests too.
func nested(t *testing.T, name string, code int, where ...string) {
	t.Helper()
	flags := append([]string{"run", "--host", "testhost"}, where...)
	script := fmt.Sprintf(`/bin/true; "%s" %s --job inner-%s -- sh -c '/bin/true; %s /bin/true; exit 7'; /bin/true; %s exit %d`, proctape, strings.Join(flags, " "), name, burn, burn, code)
	cmd := exec.Command(proctape, append(flags, "--job", "outer-"+name, "--", "sh", "-c", script)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d, want %d\n%s", got, code, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "job inner-"+name+": exit 7 ") || !strings.Contains(lines[1], "job outer-"+name+": exit 3 ") {
		t.Fatalf("run says\n%s", stderr.String())
	}
	if inner, outer := summarised(t, lines[0]), summarised(t, lines[1]); inner != innerProcesses || outer != outerProcesses {
		t.Errorf("run counted %d processes of the inner and %d of the outer job, want %d and %d", inner, outer, innerProcesses, outerProcesses)
	}
}

// checkNested compares what is recorded of both jobs, with their CPU where that is complete.
func checkNested(t *testing.T, name string, cpu bool, where ...string) {
	t.Helper()
	for job, want := range map[string]struct{ processes, code int64 }{"outer-" + name: {outerProcesses, 3}, "inner-" + name: {innerProcesses, 7}} {
		p := profile(t, job, where...)
		if p.Spawns != want.processes || p.Exits != want.processes || cpu && p.CPUSeconds <= 0 {
			t.Errorf("job %s: %d spawns, %d exits and %.3f s CPU, want %d of both\n%s", job, p.Spawns, p.Exits, p.CPUSeconds, want.processes,
				run(t, append([]string{"events", "--job", job, "--json"}, where...)...))
		}
		if p.ExitCode == nil || *p.ExitCode != want.code {
			t.Errorf("job %s: exit code %v, want %d", job, p.ExitCode, want.code)
		}
	}
}

// plainLog is a NATS server on a port of this machine, as somebody else runs it, and its address.
func plainLog(t *testing.T) (url string) {
	t.Helper()
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, JetStream: true, StoreDir: t.TempDir(), MaxPayload: 4 << 20,
		JetStreamMaxStore: 20 << 30, JetStreamMaxMemory: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	go ns.Start()
	t.Cleanup(func() {
		ns.Shutdown()
		ns.WaitForShutdown()
	})
	if !ns.ReadyForConnections(patience) {
		t.Fatal("the server is not ready")
	}
	return ns.ClientURL()
}

// TestJobRun_Unrecorded runs a command where it cannot be recorded: it runs all the same, and does not wait for ever.
func TestJobRun_Unrecorded(t *testing.T) {
	long(t)
	t.Parallel()
	mute := must(net.Listen("tcp", "127.0.0.1:0"))(t) // it takes connections and says nothing
	defer mute.Close()
	private := t.TempDir()
	everybody := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		everybody.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
		open(t, filepath.Dir(proctape))
		open(t, proctape)
		open(t, filepath.Dir(private))
		if err := os.Chmod(private, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, where := range map[string][]string{
		"a server that does not answer": {"--server", "nats://" + mute.Addr().String()},
		"no server":                     {"--server", "nats://127.0.0.1:1"},
		"no recorder":                   {"--data", filepath.Join(t.TempDir(), "none")},
		"the folder of another":         {"--data", private},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, proctape, append(append([]string{"run", "--job", "alone"}, where...), "--", "sh", "-c", "cat; exit 3")...)
			cmd.SysProcAttr, cmd.Stdin, cmd.Dir = everybody, strings.NewReader("as it is\n"), "/"
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			var ended *exec.ExitError
			if !errors.As(err, &ended) || ended.ExitCode() != 3 || string(out) != "as it is\n" {
				t.Errorf("got %q and %v, want what went in and exit code 3", out, err)
			}
			if !strings.HasPrefix(stderr.String(), "proctape: note: job alone is not recorded: ") || strings.Count(stderr.String(), "\n") != 2 {
				t.Errorf("want a note and what the command used, got\n%s", stderr.String())
			}
		})
	}
}
