package bpf

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func openCalls(t testing.TB) *Calls {
	t.Helper()
	c, err := OpenCalls()
	if err != nil {
		t.Skip("SKIPPED: the kernel does not let this process run programs: ", err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// script is a shell that does a part of its script at each word that it is sent.
type script struct {
	t      *testing.T
	cmd    *exec.Cmd
	input  io.WriteCloser
	output *bufio.Reader
}

// startScript starts one, until the test ends. A part of the script ends with "said", and begins with "told".
func startScript(t *testing.T, text string) *script {
	t.Helper()
	cmd := exec.Command("sh", "-c", "said() { echo done; }; told() { read x; }; told; "+text)
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
	t.Cleanup(func() {
		input.Close()
		cmd.Wait()
	})
	return &script{t, cmd, input, bufio.NewReader(output)}
}

func (s *script) next() {
	s.t.Helper()
	fmt.Fprintln(s.input)
	if line, err := s.output.ReadString('\n'); line != "done\n" {
		s.t.Fatalf("the script said %q, %v", line, err)
	}
}

func alive(pid int) bool { return unix.Kill(pid, 0) == nil }

// read is what was counted of a call since the call before, by whether the script's shell made it.
func (s *script) read(c *Calls, number uint32) (own, others CallSum) {
	s.t.Helper()
	made, _, err := c.Read(alive)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range made {
		sum := &others
		if m.PID == s.cmd.Process.Pid {
			sum = &own
		}
		if m.Number == number && !m.Is32Bit {
			sum.Calls, sum.Time = sum.Calls+m.Calls, sum.Time+m.Time
		}
	}
	return own, others
}

// Every call of a process that is watched is counted, and of the processes that it starts; what is read once is not read again.
func TestCalls_Count(t *testing.T) {
	c := openCalls(t)
	s := startScript(t, "dd if=/dev/zero of=/dev/null bs=1 count=5000 status=none; said; told; for i in 1 2 3; do dd if=/dev/zero of=/dev/null bs=1 count=1000 status=none; done; said")
	unwatched := startScript(t, "dd if=/dev/zero of=/dev/null bs=1 count=5000 status=none; said")
	if err := c.Watch(s.cmd.Process.Pid, false); err != nil {
		t.Fatal(err)
	}
	s.next()
	unwatched.next()
	if _, dd := s.read(c, unix.SYS_WRITE); dd.Calls != 5000 || dd.Time <= 0 || dd.Time > time.Minute {
		t.Errorf("got %+v, want the 5000 writes of dd", dd)
	}
	s.next()
	if _, dd := s.read(c, unix.SYS_WRITE); dd.Calls != 3000 {
		t.Errorf("got %+v, want the 3000 writes of three more", dd)
	}
	if lost, err := c.Lost(); lost != 0 || err != nil {
		t.Errorf("%d lost, %v", lost, err)
	}
}

// A wait is not time of a CPU, and what ends is forgotten: with the last process the programs are detached.
func TestCalls_WaitAndEnd(t *testing.T) {
	c := openCalls(t)
	s := startScript(t, "sleep 0.5; said")
	if err := c.Watch(s.cmd.Process.Pid, false); err != nil {
		t.Fatal(err)
	}
	s.next()
	if _, slept := s.read(c, unix.SYS_CLOCK_NANOSLEEP); slept.Calls != 1 || slept.Time > 250*time.Millisecond {
		t.Errorf("got %+v, want one call that took no CPU", slept)
	}
	s.input.Close()
	s.cmd.Wait()
	if _, _, err := c.Read(alive); err != nil || len(c.links) != 0 {
		t.Errorf("%d programs are attached when all has ended, %v", len(c.links), err)
	}
	for name, n := range map[string]int{"processes": entries(t, c, true), "sums": entries(t, c, false)} {
		if n > 0 {
			t.Errorf("%d %s are left", n, name)
		}
	}
}

// A process whose end was not seen, because it was watched too late, is forgotten when it is not there twice.
func TestCalls_WatchedTooLate(t *testing.T) {
	c := openCalls(t)
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if err := c.Watch(cmd.Process.Pid, false); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if len(c.links) == 0 {
			t.Fatal("it was forgotten at once: it may be that it was only begun")
		}
		if _, _, err := c.Read(func(int) bool { return false }); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.links) > 0 {
		t.Error("the programs are still attached")
	}
}

func entries(t *testing.T, c *Calls, processes bool) int {
	t.Helper()
	if processes {
		found, err := all[uint32, syscallsWatched](c.objects.Processes)
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	found, err := all[syscallsCallKey, syscallsCallSum](c.objects.Sums)
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

// A call by the table of 32-bit programs is told apart: number 20 is getpid there, and writev in the other.
func TestCalls_32Bit(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("SKIPPED: only x86 makes 32-bit calls of a 64-bit program")
	}
	dir := t.TempDir()
	source, program := filepath.Join(dir, "a.c"), filepath.Join(dir, "a")
	if err := os.WriteFile(source, []byte(`int main(void) { for (int i = 0; i < 77; i++) __asm__ volatile("int $0x80" :: "a"(20) : "memory", "r8", "r9", "r10", "r11"); return 0; }`), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-o", program, source).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: no C compiler: %v %s", err, out)
	}
	c := openCalls(t)
	s := startScript(t, program+" || echo failed; said")
	if err := c.Watch(s.cmd.Process.Pid, false); err != nil {
		t.Fatal(err)
	}
	s.next()
	made, _, err := c.Read(alive)
	if err != nil {
		t.Fatal(err)
	}
	var wide, narrow uint64
	for _, m := range made {
		switch {
		case m.Number == 20 && m.Is32Bit:
			narrow += m.Calls
		case m.Number == 20:
			wide += m.Calls
		}
	}
	if narrow != 77 || wide != 0 {
		t.Errorf("got %d calls of the 32-bit table, want 77; of the other %d", narrow, wide)
	}
}

// What a process starts is not watched when it is watched alone, and it is no longer watched when that is wanted.
func TestCalls_Alone(t *testing.T) {
	c := openCalls(t)
	s := startScript(t, "dd if=/dev/zero of=/dev/null bs=1 count=1000 status=none; said; told; said")
	if err := c.Watch(s.cmd.Process.Pid, true); err != nil {
		t.Fatal(err)
	}
	s.next()
	if own, others := s.read(c, unix.SYS_WRITE); own.Calls != 1 || others.Calls != 0 {
		t.Errorf("got %+v of the shell and %+v of others, want one write", own, others)
	}
	if err := c.Unwatch(s.cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	s.next()
	if own, _ := s.read(c, unix.SYS_WRITE); own.Calls != 0 || len(c.links) != 0 {
		t.Errorf("got %+v of one that is no longer watched, and %d programs", own, len(c.links))
	}
}
