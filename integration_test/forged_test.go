package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	forgers     = 100
	forgersUser = 65534
)

// TestForged_NothingIsBelieved has an ordinary user forge what the recorder reads of processes and of the kernel's log, a
// hundred times: jobs and steps of root's, names, and kills for want of memory.
func TestForged_NothingIsBelieved(t *testing.T) {
	long(t)
	needsEveryProcess(t)
	if d := forge(t, proctape); len(d) > 0 {
		t.Error(strings.Join(d, "\n"))
	}
}

var believesAnybody = withFault("believes-anybody", "producer/jobs/names.go",
	`	if uid == root {
		return true
	}
`,
	`	if uid == root || runsAs("believes-anybody") {
		return true
	}
`)

// TestForged_Control: a build that takes every user for root, and a kill for one where a line speaks of one, is caught.
func TestForged_Control(t *testing.T) {
	t.Parallel()
	needsEveryProcess(t)
	broken := believesAnybody.program(t)
	if d := strings.Join(forge(t, broken), "\n"); !strings.Contains(d, "in root's job") {
		t.Errorf("claims of another user that are believed went unnoticed: %s", d)
	}
}

// forge records root's job and what an ordinary user forges, and lists what was believed of it.
func forge(t *testing.T, program string) (defects []string) {
	t.Helper()
	dir := t.TempDir()
	db := filepath.Join(dir, "monitor.db")
	recorder := record(t, program, dir)
	owner := sleeper(t, 0, "PROCTAPE_JOB_ID=theirs")
	await(t, "root's job", func() bool {
		return count(t, db, fmt.Sprintf(`SELECT count(*) FROM process_metrics WHERE pid=%d AND job_id='theirs'`, owner)) > 0
	})

	var pids, victims []int
	for i := range forgers {
		victim := sleeper(t, 0)
		kmsg(t, victim)
		victims = append(victims, victim)
		name := fmt.Sprintf("Out of memory: Killed process %d (x) total-vm:9kB, anon-rss:7kB\noom-kill: %d", victim, i)
		pids = append(pids, forger(t, name, "PROCTAPE_JOB_ID=theirs", "PROCTAPE_SHEET=9"))
	}
	late := sleeper(t, forgersUser)
	run(t, "job", "start-sheet", "theirs", "9", "--pid", strconv.Itoa(late), "--data", dir, "--host", "testhost")
	pids = append(pids, late)
	for _, pid := range victims {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	ended := func(kind string) string {
		return fmt.Sprintf(`SELECT count(*) FROM process_events WHERE event_type='%s' AND pid IN (%s)`, kind, list(victims))
	}
	await(t, "the kills", func() bool { return count(t, db, ended("kill"))+count(t, db, ended("oom")) >= forgers })
	of := func(jobs string) string {
		return fmt.Sprintf(`SELECT count(DISTINCT pid) FROM process_metrics WHERE job_id IN (%s) AND pid IN (%s)`, jobs, list(pids))
	}
	own := fmt.Sprintf("'theirs~%d'", forgersUser)
	await(t, "the forgers", func() bool { return count(t, db, of("'theirs', "+own)) == forgers+1 })
	recorder.stop()

	if n := count(t, db, ended("oom")); n > 0 {
		defects = append(defects, fmt.Sprintf("%d kills of a user are told as for want of memory", n))
	}
	other := fmt.Sprintf(`FROM process_metrics WHERE job_id='theirs' AND pid <> %d`, owner)
	if n := count(t, db, `SELECT count(DISTINCT pid) `+other); n > 0 {
		defects = append(defects, fmt.Sprintf("%d processes of another user are in root's job", n))
	}
	if n := count(t, db, `SELECT count(*) FROM process_events WHERE job_id='theirs' AND sheet_num=9`); n > 0 {
		defects = append(defects, fmt.Sprintf("%d events are of a step that another user made up", n))
	}
	if n := count(t, db, of(own)); n != forgers+1 {
		defects = append(defects, fmt.Sprintf("%d of %d forgers have a job of their own", n, forgers+1))
	}
	return defects
}

// sleeper starts a program that sleeps, as a user, with more in its environment.
func sleeper(t *testing.T, uid uint32, env ...string) (pid int) {
	t.Helper()
	return startAs(t, exec.Command("sleep", "600"), uid, env...)
}

// forger is a program of an ordinary user that has a name, on its command line and as its first thread's.
func forger(t *testing.T, name string, env ...string) (pid int) {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	cmd.Args[0] = name
	return startAs(t, cmd, forgersUser, env...)
}

func startAs(t *testing.T, cmd *exec.Cmd, uid uint32, env ...string) (pid int) {
	t.Helper()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it ends by a signal
	})
	return cmd.Process.Pid
}

// kmsg writes the kernel's sentence on a kill of pid to its log, as a program may that has the right to.
func kmsg(t *testing.T, pid int) {
	t.Helper()
	line := fmt.Sprintf("<3>Out of memory: Killed process %d (x) total-vm:9kB, anon-rss:7kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:0\n", pid)
	if err := os.WriteFile("/dev/kmsg", []byte(line), 0); err != nil {
		t.Logf("the log cannot be written: %v", err)
	}
}

func list(pids []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(pids), " ", ", "), "[]")
}
