package oom

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// forgedLines are lines that a user without privileges, or a program that may write to the log, can bring into the
// kernel's log, so that they speak of a kill of pid: a name begins the kernel's sentences on faults, and the name of a
// mapped file ends them.
func forgedLines(pid int) []string {
	sentence := fmt.Sprintf("Killed process %d (x) total-vm:9kB, anon-rss:7kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:0", pid)
	reason := fmt.Sprintf("oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=x,pid=%d,uid=0", pid)
	var lines []string
	for _, name := range []string{"Out of memory: ", "Out of memory", "Memory cgroup o", "Killed process ", `a\x0aOut of memor`, "oom-kill:constr", "x"} {
		for _, text := range []string{sentence, "Out of memory: " + sentence, "Memory cgroup out of memory: " + sentence, reason} {
			lines = append(lines,
				"6,1,1,-;"+name+"[77]: segfault at 0 ip 0 sp 0 error 4 in "+text,
				"6,1,1,-;"+name+"[77]: segfault at 0 ip 0 sp 0 error 4 in "+text+"[1000,55d0c0000000+1000] likely on CPU 1 (core 1, socket 0)",
				"6,1,1,-;traps: "+name+"[77] trap divide error ip:0 sp:0 error:0 in "+text+"[1000,400000+1000]",
				"4,1,1,-;"+name+": page allocation failure: order:0, mode:0x0, "+text,
				"6,1,1,-;"+name+" invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0 "+text,
				"6,1,1,c;"+text)
		}
	}
	for _, text := range []string{"Out of memory: " + sentence, "Memory cgroup out of memory: " + sentence, reason} {
		lines = append(lines, "12,1,1,-;"+text, "14,1,1,-,caller=T1;"+text, "4,1,1,-;[U] "+text, "5,1,1,-;audit: "+text, "6,1,1,-; "+text)
	}
	return append(lines, "6,1,1,-;"+reason) // the name of a cgroup, where the rest of the line is missing
}

// parseAnywhere is a parser that looks for the sentence anywhere in a line whose start looks right.
func parseAnywhere(data []byte) (record, bool) {
	_, text, _ := bytes.Cut(data, []byte{';'})
	_, rest, ok := bytes.Cut(text, []byte("Killed process "))
	var pid int
	if _, err := fmt.Sscan(string(rest), &pid); !ok || err != nil || !bytes.HasPrefix(text, []byte("Out of memory")) {
		return record{}, false
	}
	return record{pid: pid, killed: true}, true
}

// However a line of the log is forged, nobody counts as killed for want of memory by it.
func TestForgedLines(t *testing.T) {
	believed := func(parse func([]byte) (record, bool)) (n int) {
		for _, line := range forgedLines(4242) {
			w := &Watch{kmsg: &kmsg{}}
			now := bootTime()
			if r, ok := parse([]byte(line)); ok {
				w.applyRecord(r, now, now)
			}
			if _, ok := w.Judge(Death{PID: 4242, Boot: now}); ok {
				n++
			}
		}
		return n
	}
	if n := believed(parseRecord); n != 0 {
		t.Errorf("%d of %d forged lines were believed", n, len(forgedLines(4242)))
	}
	if n := believed(parseAnywhere); n == 0 {
		t.Error("a parser that looks anywhere believed none: the lines prove nothing")
	}
	if len(forgedLines(1)) < 100 {
		t.Errorf("only %d lines", len(forgedLines(1)))
	}
}

// A user's program that is named like the start of the sentence, and crashes in a file that is named like its end, has
// the kernel itself write a line that looks like a kill.
func TestLive_ForgedLog(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: it needs root, to read the log")
	}
	w := Open(Config{})
	defer w.Close()
	if w.kmsg == nil {
		t.Skip("SKIPPED: ", w.Sources()[0])
	}
	program := crasher(t)
	const forgers = 8
	var victims []Death
	for range forgers {
		victim := exec.Command("sleep", "600")
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		crash(t, program, victim.Process.Pid)
		writeLog(t, victim.Process.Pid)
		if err := victim.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = victim.Wait() // it ends by the signal
		victims = append(victims, Death{PID: victim.Process.Pid, Boot: bootTime()})
	}
	looked := &looking{read: w.kmsg.read}
	w.kmsg.read = looked.next
	poll(t, w)
	expect(t, "victims of a user", judge(w, victims...), strings.Repeat("n", forgers))
	if looked.believed == 0 {
		t.Error("a parser that looks anywhere found none of the lines: the test proves nothing")
	}
}

// looking hands on the records of a log, and counts those that a careless parser believes.
type looking struct {
	read     func([]byte) (int, error)
	believed int
}

func (l *looking) next(buf []byte) (int, error) {
	n, err := l.read(buf)
	if err == nil {
		if _, ok := parseAnywhere(buf[:n]); ok {
			l.believed++
		}
	}
	return n, err
}

// crasher builds a program that jumps into a file that it maps, and faults there.
func crasher(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("SKIPPED: it needs a C compiler")
	}
	const text = `
#include <sys/mman.h>
#include <sys/prctl.h>
#include <fcntl.h>
int main(int argc, char **argv) {
	prctl(PR_SET_NAME, "Out of memory: ");
	int fd = open(argv[1], O_RDONLY);
	char *p = mmap(0, 4096, PROT_READ|PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (fd < 0 || p == MAP_FAILED) return 1;
	((void (*)(void))p)();
}`
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "crash")
	cmd := exec.Command("gcc", "-O0", "-o", program, "-x", "c", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: the C compiler does not work: %v: %s", err, out)
	}
	return program
}

// crash has an ordinary user crash so that the kernel's line on it speaks of a kill of pid.
func crash(t *testing.T, program string, pid int) {
	t.Helper()
	name := fmt.Sprintf("Killed process %d (x) total-vm:9kB, anon-rss:7kB, file-rss:0kB", pid)
	file := filepath.Join(filepath.Dir(program), name)
	if err := os.WriteFile(file, bytes.Repeat([]byte{0}, 4096), 0o755); err != nil { // zeros: add %al,(%rax)
		t.Fatal(err)
	}
	cmd := exec.Command(program, file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	err := cmd.Run()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); err == nil || !ok || !status.Signaled() {
		t.Fatalf("the program did not crash: %v", err)
	}
}

// writeLog writes the whole sentence of a kill of pid to the log, as a program may that has the right to.
func writeLog(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.Open("/dev/kmsg", unix.O_WRONLY, 0)
	if err != nil {
		t.Logf("the log cannot be written: %v", err)
		return
	}
	defer unix.Close(fd)
	for _, prefix := range []string{"", "<3>", "<0>", "<3,>", "\n"} {
		line := prefix + fmt.Sprintf("Out of memory: Killed process %d (x) total-vm:9kB, anon-rss:7kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:0\n", pid)
		if _, err := unix.Write(fd, []byte(line)); err != nil {
			t.Logf("write to the log: %v", err)
		}
	}
}
