package integration_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/query"
)

// puppet is a shell that executes the lines it is sent.
type puppet struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Reader
}

func startPuppet(t *testing.T) *puppet {
	t.Helper()
	p := &puppet{t: t, cmd: exec.Command("/bin/sh")}
	p.begin()
	return p
}

// begin starts the shell.
func (p *puppet) begin() {
	t := p.t
	t.Helper()
	p.stdin = must(p.cmd.StdinPipe())(t)
	p.out = bufio.NewReader(must(p.cmd.StdoutPipe())(t))
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.end("") })
}

func (p *puppet) pid() int { return p.cmd.Process.Pid }

// run has the shell run a program that lives a moment, and returns its pid.
func (p *puppet) run() int {
	p.t.Helper()
	fmt.Fprintln(p.stdin, `sh -c 'echo $$'`)
	line := must(p.out.ReadString('\n'))(p.t)
	return must(strconv.Atoi(strings.TrimSpace(line)))(p.t)
}

// end sends a last line and waits for the shell to end.
func (p *puppet) end(line string) {
	fmt.Fprintln(p.stdin, line)
	p.stdin.Close()
	p.cmd.Wait() // how it ended is the recorder's to say
}

// whose is the job of a process, and after a slash its step, as its events have it.
func whose(t *testing.T, db string, pid int) string {
	t.Helper()
	await(t, fmt.Sprintf("exit of %d", pid), func() bool {
		return count(t, db, fmt.Sprintf(`SELECT count(*) FROM process_events WHERE pid=%d AND event_type='exit'`, pid)) > 0
	})
	owners := column(t, readOnly(t, db), fmt.Sprintf(`SELECT DISTINCT coalesce(job_id, 'nobody') || coalesce('/' || sheet_num, '')
		FROM process_events WHERE pid=%d`, pid))
	return strings.Join(owners, ", ")
}

// TestJob_DeclaredWhileItRuns tells of a job of a process that runs already, and of its steps.
func TestJob_DeclaredWhileItRuns(t *testing.T) {
	long(t)
	needsEveryProcess(t)
	t.Parallel()
	if d := declaredLate(t, proctape); len(d) > 0 {
		t.Error(strings.Join(d, "\n"))
	}
}

var forgetsParents = withFault("forgets-parents", "producer/jobs/member.go",
	`	o := parent.childOwner
	if o.Job == "" {`,
	`	o := parent.childOwner
	if o.Job == "" || runsAs("forgets-parents") {`)

// TestJob_InheritanceControl: a build in which a fork passes no job on is caught.
func TestJob_InheritanceControl(t *testing.T) {
	needsEveryProcess(t)
	t.Parallel()
	broken := forgetsParents.program(t)
	if len(declaredLate(t, broken)) == 0 {
		t.Error("children that were nobody's went unnoticed")
	}
}

// declaredLate has a shell run programs before, while and after its job is declared, and lists what is wrong with whose
// the recording says they are.
func declaredLate(t *testing.T, program string) (defects []string) {
	t.Helper()
	dir := t.TempDir()
	db := filepath.Join(dir, "monitor.db")
	recorder := record(t, program, dir)
	tell := func(args ...string) {
		t.Helper()
		run(t, append(append([]string{"job"}, args...), "--data", dir, "--host", "testhost")...)
	}
	check := func(what, got, want string) {
		if got != want {
			defects = append(defects, fmt.Sprintf("%s: got %q, want %q", what, got, want))
		}
	}
	shell := startPuppet(t)
	check("before", whose(t, db, shell.run()), "nobody")
	tell("declare", "late", "--pid", strconv.Itoa(shell.pid()), "--total-sheets", "2", "--command", "a late one")
	check("declared", whose(t, db, shell.run()), "late")
	tell("start-sheet", "late", "1")
	check("in step 1", whose(t, db, shell.run()), "late/1")
	check("progress of step 1", progressIs(t, dir, "late", "late running 1 of 2, done ?"), "late running 1 of 2, done ?")
	tell("end-sheet", "late", "1", "--exit-code", "0")
	tell("start-sheet", "late", "2", "--status", "finishing")
	check("in step 2", whose(t, db, shell.run()), "late/2")
	check("progress of step 2", progressIs(t, dir, "late", "late finishing 2 of 2, done 1"), "late finishing 2 of 2, done 1")
	tell("end-sheet", "late", "2", "--exit-code", "1")
	tell("end", "late", "--exit-code", "1", "--status", "failed")
	check("progress after the end", progressIs(t, dir, "late", ""), "")
	shell.end("exit 5")
	check("the shell, of no step", whose(t, db, shell.pid()), "nobody, late")
	recorder.stop()

	p := profile(t, "late", "--data", dir)
	check("status", *p.Status, "failed")
	check("sampled", fmt.Sprint(p.PIDs > 0), "true")
	if p.Spawns != 3 || p.Exits != 4 {
		defects = append(defects, fmt.Sprintf("%d spawns and %d exits, want 3 and 4", p.Spawns, p.Exits))
	}
	return defects
}

// progressIs waits until a snapshot says of a job what it should, and returns what the last one said. The machine may run others: those of tests beside this one have a
// job by their environment.
func progressIs(t *testing.T, dir, job, want string) (got string) {
	t.Helper()
	known := func(n *int64) string {
		if n == nil {
			return "?"
		}
		return strconv.FormatInt(*n, 10)
	}
	look(patience, func() bool {
		got = ""
		for _, j := range decode[query.Snapshot](t, run(t, "snapshots", "--data", dir, "--newest", "--limit", "1", "--json"))[0].JobProgress {
			if j.JobID == job {
				got = fmt.Sprintf("%s %s %s of %s, done %s", j.JobID, j.Status, known(j.CurrentSheet), known(j.TotalSheets), known(j.LastCompleted))
			}
		}
		return got == want
	})
	return got
}

// TestJob_ToldInJSON publishes what docs/jobs.md shows for other languages, byte by byte.
func TestJob_ToldInJSON(t *testing.T) {
	long(t)
	needsEveryProcess(t)
	t.Parallel()
	dir := t.TempDir()
	db := filepath.Join(dir, "monitor.db")
	recorder := record(t, proctape, dir, "--listen", "127.0.0.1:0")
	key := must(embeddednats.LoadKey(addHost(t, dir, "testhost")))(t)
	nc := must(nats.Connect(listening(t, recorder), key.Options()...))(t)
	defer nc.Close()
	js := must(nc.JetStream())(t)
	const instance = "00112233445566778899aabbccddeeff"
	boot := strings.TrimSpace(string(must(os.ReadFile("/proc/sys/kernel/random/boot_id"))(t)))
	seq := 0
	tell := func(event string) {
		t.Helper()
		seq++
		msg := nats.NewMsg("proctape.v1.testhost.job")
		msg.Header.Set("Content-Type", "application/json")
		msg.Header.Set("Nats-Msg-Id", fmt.Sprintf("%s-job-%d", instance, seq))
		wall, uptime := clocks(t)
		msg.Data = fmt.Appendf(nil, `{"v": 2, "kind": "job", "host": "testhost", "boot_id": "%s", "instance": "%s", "seq": %d,
			"wall_ns": %d, "boot_ns": %d, "produced": %d, "jobs": [{"wall_ns": %d, "job_id": "foreign", %s}]}`,
			boot, instance, seq, wall, uptime, seq, wall, event)
		if _, err := js.PublishMsg(msg); err != nil {
			t.Fatal(err)
		}
	}

	member, supervisor := startPuppet(t), startPuppet(t)
	tell(fmt.Sprintf(`"type": "declared", "pid": %d`, member.pid()))
	tell(fmt.Sprintf(`"type": "sheet_started", "sheet_num": 3, "pid": %d, "supervisor": true`, supervisor.pid()))
	if got := whose(t, db, member.run()); got != "foreign/3" {
		t.Errorf("a child of the process that was named is %s's", got)
	}
	if got := whose(t, db, supervisor.run()); got != "foreign/3" {
		t.Errorf("a child of the supervisor is %s's", got)
	}
	sampled := func(pid int) string {
		return fmt.Sprintf(`SELECT count(*) FROM process_metrics WHERE pid=%d AND job_id='foreign'`, pid)
	}
	await(t, "a sample of the member", func() bool { return count(t, db, sampled(member.pid())) > 0 })
	if n := count(t, db, sampled(supervisor.pid())); n > 0 {
		t.Errorf("%d samples have the supervisor as one of the job", n)
	}
	tell(`"type": "progress", "total_sheets": 9, "last_completed_sheet": 2, "status": "halfway"`)
	if want := "foreign halfway 3 of 9, done 2"; progressIs(t, dir, "foreign", want) != want {
		t.Errorf("no snapshot says %q", want)
	}
	tell(`"type": "ended", "exit_code": 4`)
	recorder.stop()
	if p := profile(t, "foreign", "--data", dir); p.ExitCode == nil || *p.ExitCode != 4 {
		t.Errorf("got exit code %v, want 4", p.ExitCode)
	}
	if n := count(t, db, `SELECT (SELECT count(*) FROM quarantine) + (SELECT count(*) FROM gaps WHERE instance='`+instance+`')`); n != 0 {
		t.Errorf("%d messages in quarantine or missing", n)
	}
}

// clocks are Unix nanoseconds and CLOCK_BOOTTIME.
func clocks(t *testing.T) (wall, boot int64) {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		t.Fatal(err)
	}
	return time.Now().UnixNano(), ts.Nano()
}

// TestJob_Traced traces the system calls of a job's process: they are in its next sample, and in the job's profile.
func TestJob_Traced(t *testing.T) {
	long(t)
	t.Parallel()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("SKIPPED: there is no strace on this machine")
	}
	dir := t.TempDir()
	recorder := record(t, proctape, dir, "--syscalls")
	busy := exec.Command("dd", "if=/dev/zero", "of=/dev/null", "bs=1")
	busy.Env = append(os.Environ(), "PROCTAPE_JOB_ID=busy")
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	defer busy.Wait()
	defer busy.Process.Kill()
	pid := strconv.Itoa(busy.Process.Pid)
	run(t, "trace", pid, "--data", dir, "--host", "testhost")
	var names []string
	await(t, "system calls in a sample", func() bool {
		names = column(t, readOnly(t, filepath.Join(dir, "monitor.db")),
			`SELECT j.key FROM process_metrics m, json_each(m.syscall_counts) j WHERE m.pid=`+pid+` AND j.value > 100`)
		return len(names) > 0
	})
	recorder.stop()
	if !slices.Contains(names, "read") || !slices.Contains(names, "write") {
		t.Errorf("the sample has %q, want read and write", names)
	}
	if hot := profile(t, "busy", "--data", dir).Hotspots; hot["read"]+hot["write"] < 80 {
		t.Errorf("hotspots of the job: got %v, want read and write", hot)
	}
}
