package syscalls

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/proctape/proctape/producer/bpf"
	"github.com/proctape/proctape/schema"
)

// openCounter is a counter until the test ends, or it skips the test.
func openCounter(t *testing.T) *Counter {
	t.Helper()
	calls, err := bpf.OpenCalls()
	if err != nil {
		t.Skip("SKIPPED: the kernel does not let this process run programs: ", err)
	}
	t.Cleanup(func() {
		if err := calls.Close(); err != nil {
			t.Error(err)
		}
	})
	return NewCounter(calls, logTo(t))
}

// startShell starts a shell that reads a line, does what it says, and says that it is done, again and again. The function it returns sends a line and waits.
func startShell(t *testing.T) (pid int, do func(line string)) {
	t.Helper()
	cmd := exec.Command("sh", "-c", `while read line; do eval "$line"; echo done; done`)
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
	said := bufio.NewReader(output)
	return cmd.Process.Pid, func(line string) {
		t.Helper()
		fmt.Fprintln(input, line)
		if got, err := said.ReadString('\n'); got != "done\n" {
			t.Fatalf("the shell said %q, %v", got, err)
		}
	}
}

// callsOf is how often a call of a name is among calls.
func callsOf(calls []schema.Syscall, name string) uint64 {
	i := slices.IndexFunc(calls, func(c schema.Syscall) bool { return c.Name == name })
	if i < 0 {
		return 0
	}
	return calls[i].Calls
}

const copies = "dd if=/dev/zero of=/dev/null bs=1 count=1000 status=none"

// What a process did that has ended, and that no sample showed, counts for who started it, over any number of steps in between; what one that lives did is its
// own.
func TestCounter_EndedCountForTheirParents(t *testing.T) {
	c := openCounter(t)
	pid, do := startShell(t)
	c.Watch(pid, start(t, pid))
	do(copies)
	do(`sh -c "` + copies + `; ` + copies + `; true"`)
	c.Read()
	calls := c.Take(pid, start(t, pid))
	if n := callsOf(calls, "write"); n < 3000 || n > 3010 {
		t.Errorf("got %d writes, want the 3000 of dd and few others; of %v", n, calls)
	}
	if again := c.Take(pid, start(t, pid)); len(again) > 0 {
		t.Errorf("taken again: %v", again)
	}
	do(`sh -c "` + copies + `; echo \$\$ > ` + t.TempDir() + `/pid; read wait < /dev/null; sleep 600" & sleep 0; ` + copies)
	c.Read()
	if n := callsOf(c.Take(pid, start(t, pid)), "write"); n < 1000 || n > 1010 {
		t.Errorf("got %d writes, want those of the dd that this shell started, and not of one that a living process did", n)
	}
	do(`kill %1 2>/dev/null || kill $!; wait`)
	if c.Take(pid, start(t, pid)+1) != nil {
		t.Error("another process of the pid has its calls")
	}
}

// What a process did that ends just behind a read counts for who started it as well.
func TestCounter_EndsBehindARead(t *testing.T) {
	c := openCounter(t)
	pid, do := startShell(t)
	c.Watch(pid, start(t, pid))
	dir := t.TempDir()
	do(`mkfifo ` + dir + `/way; (dd if=/dev/zero of=/dev/null bs=1 count=1000 status=none; echo $$ > ` + dir + `/done; read wait < ` + dir + `/way) & true`)
	eventually(t, "the calls", func() bool { _, err := os.Stat(dir + "/done"); return err == nil })
	c.mu.Lock()
	c.read()
	do(`echo go > ` + dir + `/way; wait`)
	c.forget()
	c.mu.Unlock()
	c.Read()
	c.Read()
	if n := callsOf(c.Take(pid, start(t, pid)), "write"); n < 1000 || n > 1010 {
		t.Errorf("got %d writes, want the 1000 of dd and few others", n)
	}
}

// What a process did that a sample showed, and that was watched for itself then, counts for who started it when it ends.
func TestCounter_WatchedSinceItsStartAndAgain(t *testing.T) {
	c := openCounter(t)
	pid, do := startShell(t)
	c.Watch(pid, start(t, pid))
	dir := t.TempDir()
	do(`mkfifo ` + dir + `/way; sh -c "read wait < ` + dir + `/way; ` + copies + `; true" & echo $! > ` + dir + `/pid`)
	var child int
	text, err := os.ReadFile(dir + "/pid")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(text), &child); err != nil {
		t.Fatal(err)
	}
	c.Read()
	c.Watch(child, start(t, child))
	c.Take(child, start(t, child))
	do(`echo go > ` + dir + `/way; wait`)
	c.Read()
	if n := callsOf(c.Take(pid, start(t, pid)), "write"); n < 1000 || n > 1010 {
		t.Errorf("got %d writes, want the 1000 of dd and few others", n)
	}
}

// One process may be traced by the programs, for a time; it is not stopped, and what it starts is not in it.
func TestCounter_Trace(t *testing.T) {
	c := openCounter(t)
	busy := startChild(t, "busy")
	p, _ := run(t, Config{Enabled: true, Tracer: c, Duration: 200 * time.Millisecond})
	before := busy.rounds(t)
	if err := p.Request(busy.pid()); err != nil {
		t.Fatal(err)
	}
	var calls []schema.Syscall
	eventually(t, "result", func() bool {
		var ok bool
		calls, ok = p.Take(busy.pid(), start(t, busy.pid()))
		return ok
	})
	after := busy.rounds(t)
	if n := callsOf(calls, "read"); n == 0 || n > after-before+1 {
		t.Errorf("got %d reads, and the process made at most %d; %v", n, after-before, calls)
	}
	if err := p.Request(os.Getpid()); err == nil {
		t.Error("a process traces itself")
	}
}

// A number that no table has keeps it in its name.
func TestNameOf(t *testing.T) {
	for number, want := range map[uint32]string{9999: "call_9999"} {
		if got := nameOf(number, false); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if nameOf(0, false) == nameOf(0, true) {
		t.Error("the tables of both word sizes are one")
	}
}
