package oom

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limitedCgroup is a real cgroup with little memory.
type limitedCgroup struct {
	t     *testing.T
	mount string // of the memory controller
	path  string // of the cgroup below it
}

// newLimitedCgroup makes a cgroup below the mount of the memory controller. It skips the test where there is none or it may not.
func newLimitedCgroup(t *testing.T) *limitedCgroup {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: it needs root")
	}
	mount, limit := memoryMount(t)
	c := &limitedCgroup{t: t, mount: mount, path: fmt.Sprintf("/proctape-oom-%d-%d", os.Getpid(), time.Now().UnixNano())}
	dir := filepath.Join(mount, c.path)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skipf("SKIPPED: no cgroup can be made: %v", err)
	}
	t.Cleanup(func() {
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			if err := os.Remove(dir); err == nil || time.Now().After(deadline) {
				return
			}
		}
	})
	if err := os.WriteFile(filepath.Join(dir, limit), []byte(strconv.Itoa(16<<20)), 0); err != nil {
		t.Fatal(err)
	}
	_ = os.WriteFile(filepath.Join(dir, "memory.memsw.limit_in_bytes"), []byte(strconv.Itoa(16<<20)), 0) // where there is swap
	_ = os.WriteFile(filepath.Join(dir, "memory.swap.max"), []byte("0"), 0)
	return c
}

// memoryMount finds where the memory controller is mounted, and the file with the limit there.
func memoryMount(t *testing.T) (mount, limit string) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		_, kind, _ := strings.Cut(line, " - ")
		switch {
		case strings.HasPrefix(kind, "cgroup ") && strings.Contains(","+fields[len(fields)-1]+",", ",memory,"):
			return fields[4], "memory.limit_in_bytes"
		case strings.HasPrefix(kind, "cgroup2 "):
			enabled, _ := os.ReadFile(filepath.Join(fields[4], "cgroup.subtree_control"))
			if strings.Contains(string(enabled), "memory") {
				return fields[4], "memory.max"
			}
		}
	}
	t.Skip("SKIPPED: no memory controller")
	return "", ""
}

// start starts a script in the cage.
func (c *limitedCgroup) start(script string) *exec.Cmd {
	c.t.Helper()
	cmd := exec.Command("/bin/sh", "-c", `echo $$ > "$0" && `+script, filepath.Join(c.mount, c.path, "cgroup.procs"))
	cmd.Stderr = c.t.Output()
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd
}

// eatMemory lets a process of the cage eat until it dies.
func (c *limitedCgroup) eatMemory() Death {
	c.t.Helper()
	return c.died(c.start("exec tail /dev/zero")) // which has no line
}

// kill lets a process of the cage die by the hand of a user.
func (c *limitedCgroup) kill() Death {
	c.t.Helper()
	cmd := c.start("exec sleep 60")
	if err := cmd.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	return c.died(cmd)
}

// died waits for a death by signal 9.
func (c *limitedCgroup) died(cmd *exec.Cmd) Death {
	c.t.Helper()
	_ = cmd.Wait() // how it ended is in the state
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != unix.SIGKILL {
		c.t.Fatalf("ended by %v, want signal 9", cmd.ProcessState)
	}
	return Death{PID: cmd.Process.Pid, Boot: bootTime(), Cgroup: c.path}
}

// open opens a watch on this machine.
func (c *limitedCgroup) open(kmsg string) *Watch {
	w := Open(Config{Kmsg: kmsg})
	c.t.Cleanup(func() { w.Close() })
	return w
}

// The log names who the kernel killed; who was killed by a user, in the same cgroup at the same time, it does not.
func TestLive_Log(t *testing.T) {
	c := newLimitedCgroup(t)
	w := c.open("")
	if w.kmsgErr != nil {
		t.Skip("SKIPPED: ", w.Sources()[0])
	}
	w.Track(c.path)
	byUser := c.kill()
	byKernel := c.eatMemory()
	poll(t, w)
	expect(t, "killed by a user", judge(w, byUser), "n")
	k, ok := w.Judge(byKernel)
	if !ok || k.Scope != ScopeMemcg || k.Cgroup != c.path || k.Likely || k.Source != SourceKmsg ||
		k.VictimRSSKiB.V < 1<<10 || k.VictimRSSKiB.V > 32<<10 { // pages of files are charged to whoever read them first
		t.Errorf("got %+v, %t", k, ok)
	}
	if want := "out of memory: cgroup " + c.path + " was at its limit; the process held "; !strings.HasPrefix(k.Details(), want) {
		t.Errorf("got details %q, want %q and a size", k.Details(), want)
	}
	expect(t, "explained already", judge(w, byKernel), "n")
	if w.Lost() != 0 {
		t.Logf("%d times records were lost", w.Lost())
	}
}

// A record that was there before is not read.
func TestLive_LogFromItsEnd(t *testing.T) {
	c := newLimitedCgroup(t)
	d := c.eatMemory()
	w := c.open("")
	if w.kmsgErr != nil {
		t.Skip("SKIPPED: ", w.Sources()[0])
	}
	poll(t, w)
	expect(t, "killed before", judge(w, d), "n")
}

// Without the log the cgroup's counter tells.
func TestLive_Cgroup(t *testing.T) {
	c := newLimitedCgroup(t)
	w := c.open("/nowhere")
	w.Track(c.path)
	if w.groupsErr != nil || len(w.groups.tracked) != 1 {
		t.Skip("SKIPPED: ", w.Sources()[1])
	}
	expect(t, "killed by a user", judge(w, c.kill()), "n")
	d := c.eatMemory()
	k, ok := w.Judge(d)
	if !ok || k != (Kill{Cgroup: c.path, Source: SourceCgroup}) {
		t.Errorf("got %+v, %t", k, ok)
	}
	expect(t, "explained already", judge(w, d), "n")
	expect(t, "killed by a user", judge(w, c.kill()), "n")
}

const nobodyKey = "OOM_TEST_NOBODY"

// A user without privileges has the machine's counter: it makes a kill likely, and explains one.
func TestLive_Unprivileged(t *testing.T) {
	if os.Getenv(nobodyKey) != "" {
		judgeAsNobody(t)
		return
	}
	c := newLimitedCgroup(t)
	cmd := exec.Command("/proc/self/exe", "-test.run", "^TestLive_Unprivileged$", "-test.timeout", "1m")
	cmd.Env = append(os.Environ(), nobodyKey+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(output)
	line, _ := lines.ReadString('\n')
	if line == "watching\n" {
		killed := c.eatMemory()
		fmt.Fprintln(input, killed.PID, killed.Boot)
	}
	rest, _ := io.ReadAll(lines)
	if err := cmd.Wait(); err != nil || line != "watching\n" {
		t.Errorf("%v: %s%s", err, line, rest)
	}
}

func judgeAsNobody(t *testing.T) {
	w := Open(Config{Cgroup: "/nowhere"})
	defer w.Close()
	sources := w.Sources()
	if os.Geteuid() == 0 || w.kmsg != nil || !strings.HasPrefix(sources[2], "vmstat: ") {
		t.Fatalf("as uid %d: got sources %q", os.Geteuid(), sources)
	}
	expect(t, "before any kill", judge(w, Death{PID: 5}), "n")
	fmt.Println("watching")
	var d Death
	if _, err := fmt.Scan(&d.PID, &d.Boot); err != nil {
		t.Fatal(err)
	}
	poll(t, w)
	k, ok := w.Judge(d)
	if !ok || k != (Kill{Likely: true, Source: SourceVmstat}) {
		t.Errorf("got %+v, %t", k, ok)
	}
	expect(t, "explained already", judge(w, d), "n")
}
