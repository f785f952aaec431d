package procfs

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestHost_Live(t *testing.T) {
	fs := newFS(t, "")
	for range 2 { // the second time through kept descriptors
		h, err := fs.Host()
		if err != nil {
			t.Fatal(err)
		}
		if h.Memory.TotalKiB == 0 || h.Memory.AvailableKiB > h.Memory.TotalKiB || h.Uptime <= 0 || h.CPU.User == 0 {
			t.Errorf("got %+v", h)
		}
		if h.CPUs < runtime.NumCPU() {
			t.Errorf("got %d CPUs online, but we may use %d", h.CPUs, runtime.NumCPU())
		}
	}
}

func TestProcess_Self(t *testing.T) {
	fs := newFS(t, "")
	fs.keepMax = 0 // or a scan opens descriptors after it has counted our own
	scanned := processOf(t, scan(t, fs, Options{EnvKeys: []string{"PATH"}}), os.Getpid())
	single, err := fs.Process(os.Getpid(), Options{EnvKeys: []string{"PATH"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]Process{"scanned": scanned, "single": single} {
		t.Run(name, func(t *testing.T) {
			if p.PID != os.Getpid() || p.PPID != os.Getppid() || !p.UIDKnown || p.UID != os.Getuid() || p.Kernel {
				t.Errorf("got %+v", p)
			}
			if !p.ArgsKnown || !p.ArgsTruncated && !slices.Equal(p.Args, os.Args) {
				t.Errorf("args: got %q, want %q", p.Args, os.Args)
			}
			if want := map[string]string{"PATH": os.Getenv("PATH")}; os.Getenv("PATH") != "" && !maps.Equal(p.Env, want) {
				t.Errorf("env: got %q, want %q", p.Env, want)
			}
			if threads := entries(t, "/proc/self/task"); p.Threads < 1 || p.Threads > threads {
				t.Errorf("got %d threads, now %d", p.Threads, threads)
			}
			// One of the entries is the descriptor that lists them; the scan had one of its own.
			if fds := entries(t, "/proc/self/fd") - 1; !p.FDsKnown || p.OpenFDs < fds-1 || p.OpenFDs > fds+1 {
				t.Errorf("got %d descriptors, known %v, now %d", p.OpenFDs, p.FDsKnown, fds)
			}
			const tolerance = 32 << 10 // KiB
			if rss := selfRSS(t); !p.MemoryKnown || p.RSSKiB+tolerance < rss || p.RSSKiB > rss+tolerance {
				t.Errorf("got %d KiB, known %v, now %d", p.RSSKiB, p.MemoryKnown, rss)
			}
			uptime := newClock().now()
			if age := uptime.Seconds() - float64(p.StartTicks)/100; p.ReadAt > uptime || age < 0 {
				t.Errorf("got read at %v, started %.2f s ago, at %v", p.ReadAt, age, uptime)
			}
		})
	}
}

func TestProcess_KeepsNothing(t *testing.T) {
	fs := newFS(t, "")
	if _, err := fs.Process(os.Getpid(), Options{}); err != nil {
		t.Fatal(err)
	}
	if fs.kept != 0 || len(fs.entries) != 0 {
		t.Errorf("got %d descriptors and %d entries, want none", fs.kept, len(fs.entries))
	}
}

func TestProcess_NoSuchPID(t *testing.T) {
	if _, err := newFS(t, "").Process(1<<30, Options{}); !errors.Is(err, ErrGone) {
		t.Errorf("got %v, want ErrGone", err)
	}
}

func TestProcesses_ExecIsNoticed(t *testing.T) {
	c := startChild(t, []string{"first", "life"}, []string{"JOB_ID=one"})
	fs := newFS(t, "")
	opt := Options{EnvKeys: []string{"JOB_ID"}}
	before := processOf(t, scan(t, fs, opt), c.pid())
	c.order(t, "exec", "ready")
	after := processOf(t, scan(t, fs, opt), c.pid())

	if !slices.Equal(before.Args, []string{"first", "life"}) || !slices.Equal(after.Args, []string{"second", "life"}) {
		t.Errorf("got args %q, then %q", before.Args, after.Args)
	}
	if before.Env["JOB_ID"] != "one" || after.Env["JOB_ID"] != "two" {
		t.Errorf("got env %q, then %q", before.Env, after.Env)
	}
	if before.StartTicks != after.StartTicks {
		t.Errorf("got start %d, then %d, want the same", before.StartTicks, after.StartTicks)
	}
}

func TestProcesses_ZombieThenGone(t *testing.T) {
	c := startChild(t, []string{"doomed"}, nil)
	fs := newFS(t, "")
	scan(t, fs, Options{})
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Waitid(unix.P_PID, c.pid(), nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	zombie := processOf(t, scan(t, fs, Options{}), c.pid())
	if zombie.State != 'Z' || !slices.Equal(zombie.Args, []string{"doomed"}) || zombie.RSSKiB != 0 {
		t.Errorf("got state %c, args %q, %d KiB", zombie.State, zombie.Args, zombie.RSSKiB)
	}
	c.cmd.Wait()
	if p, ok := find(scan(t, fs, Options{}), c.pid()); ok {
		t.Errorf("got %+v after it was reaped", p)
	}
}

func TestProcesses_ChurnLeaksNoDescriptors(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	for name, limit := range map[string]int{"all kept": maxKeptDescriptors, "few kept": 3, "none kept": 0} {
		t.Run(name, func(t *testing.T) {
			fs := newFS(t, "")
			fs.keepMax = limit
			before := entries(t, "/proc/self/fd")
			var running []*exec.Cmd
			for range 200 {
				running = append(running, startSleep(t))
				if len(running) > 3 {
					stop(running[0])
					running = running[1:]
				}
				scan := scan(t, fs, Options{})
				for _, cmd := range running {
					processOf(t, scan, cmd.Process.Pid)
				}
				if len(fs.entries) > len(fs.pids) {
					t.Fatalf("got %d entries for %d processes", len(fs.entries), len(fs.pids))
				}
				if fs.kept > limit || fs.kept != countKept(fs) {
					t.Fatalf("got %d kept, counted %d, limit %d", fs.kept, countKept(fs), limit)
				}
			}
			for _, cmd := range running {
				stop(cmd)
			}
			fs.Close()
			if after := entries(t, "/proc/self/fd"); after != before || fs.kept != 0 {
				t.Errorf("got %d descriptors, %d kept, want %d, 0", after, fs.kept, before)
			}
		})
	}
}

func TestProcesses_SleeperIsNotRead(t *testing.T) {
	cmd := startSleep(t)
	fs := newFS(t, "")
	first := scan(t, fs, Options{})
	if !fs.counts {
		t.Skip("SKIPPED: this kernel does not count in schedstat")
	}
	e := fs.entries[cmd.Process.Pid]
	for range 2 * fullEvery { // it may take some to fall asleep
		scan(t, fs, Options{})
	}
	if e.runsFD < 0 || !fs.hasSlept(e) {
		t.Fatalf("got an entry that does not sleep: %+v", e)
	}
	before := processOf(t, first, cmd.Process.Pid)
	after := processOf(t, scan(t, fs, Options{}), cmd.Process.Pid)
	if after.ReadAt <= before.ReadAt || after.State != 'S' {
		t.Errorf("got read at %v then %v, state %c", before.ReadAt, after.ReadAt, after.State)
	}

	// Half a minute is not over.
	read := e.statAt
	for range fullEvery {
		scan(t, fs, Options{})
	}
	if e.statAt != read {
		t.Errorf("its stat was read at %v and again at %v", read, e.statAt)
	}
	fs.sleepAge = 0
	for range fullEvery {
		scan(t, fs, Options{})
	}
	if e.statAt == read {
		t.Errorf("its stat was not read again since %v", read)
	}

	stop(cmd)
	if p, ok := find(scan(t, fs, Options{}), cmd.Process.Pid); ok {
		t.Errorf("got %+v after it was reaped", p)
	}
}

// What is read of a busy process at every scan stays open, until it is busy no more.
func TestProcesses_BusyKeepsItsFilesOpen(t *testing.T) {
	cmd := exec.Command("sh", "-c", "while read line; do i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done; echo done; done")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip("SKIPPED: no shell: ", err)
	}
	t.Cleanup(func() { stop(cmd) })
	answers := bufio.NewReader(out)
	fs := newFS(t, "")
	fs.sleepAge = 0
	scan(t, fs, Options{})
	e := fs.entries[cmd.Process.Pid]
	for range 2 {
		if _, err := io.WriteString(in, "work\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := answers.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		p := processOf(t, scan(t, fs, Options{}), cmd.Process.Pid)
		if e.statmFD < 0 || e.ioFD < 0 || !p.MemoryKnown || p.RSSKiB == 0 || !p.IOKnown {
			t.Errorf("got descriptors %d and %d, %d KiB (known %t), I/O known %t", e.statmFD, e.ioFD, p.RSSKiB, p.MemoryKnown, p.IOKnown)
		}
	}
	for range 2 * fullEvery {
		scan(t, fs, Options{})
	}
	if e.statmFD >= 0 || e.ioFD >= 0 {
		t.Errorf("got descriptors %d and %d of a process that sleeps", e.statmFD, e.ioFD)
	}
}

func TestProcesses_SleeperGetsNewParent(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sleep 600 & echo $!; read line")
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip("SKIPPED: no shell: ", err)
	}
	t.Cleanup(func() { stop(cmd) })
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Kill(pid, unix.SIGKILL) })

	fs := newFS(t, "")
	for range 2 * fullEvery {
		if got := processOf(t, scan(t, fs, Options{}), pid); got.PPID != cmd.Process.Pid {
			t.Fatalf("got parent %d, want %d", got.PPID, cmd.Process.Pid)
		}
	}
	if (fs.scan+1+uint64(pid))%fullEvery == 0 {
		scan(t, fs, Options{}) // which would have shown it anyway
	}
	cmd.Process.Kill()
	cmd.Wait()
	if got := processOf(t, scan(t, fs, Options{}), pid); got.PPID == cmd.Process.Pid {
		t.Errorf("got parent %d, which is gone", got.PPID)
	}
}

func TestProcesses_QuietOpenIsNoticed(t *testing.T) {
	c := startChild(t, []string{"opener"}, nil)
	fs := newFS(t, "")
	before := processOf(t, scan(t, fs, Options{}), c.pid())
	for range 2 * fullEvery {
		before = processOf(t, scan(t, fs, Options{}), c.pid())
	}
	c.order(t, "open", "opened")
	var after Process
	for range fullEvery {
		after = processOf(t, scan(t, fs, Options{}), c.pid())
	}
	if after.OpenFDs != before.OpenFDs+1 {
		t.Errorf("got %d descriptors, then %d, want one more", before.OpenFDs, after.OpenFDs)
	}
}

func TestProcesses_Unprivileged(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root can mount a proc file system that hides processes")
	}
	for name, test := range map[string]struct {
		hidepid string
		hidden  bool
	}{
		"all visible":     {"0", false},
		"others listed":   {"1", true},
		"others unlisted": {"2", false},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], t.TempDir(), test.hidepid)
			cmd.Env = []string{roleKey + "=unprivileged", "PATH=/bin"}
			cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
			output, err := cmd.Output()
			if err != nil {
				var exit *exec.ExitError
				if errors.As(err, &exit) {
					err = errors.New(string(exit.Stderr))
				}
				t.Skip("SKIPPED: no unprivileged view: ", err)
			}
			var got Scan
			if err := json.Unmarshal(output, &got); err != nil {
				t.Fatal(err)
			}
			parent, visible := find(got, os.Getpid())
			if all := test.hidepid == "0"; visible != all || got.Partial == all {
				t.Errorf("got parent visible %v, partial %v", visible, got.Partial)
			}
			if parent.IOKnown || parent.Env != nil {
				t.Errorf("got io %v, env %q of another user's process", parent.IOKnown, parent.Env)
			}
			if (got.Hidden > 0) != test.hidden || len(got.Failures) > 0 {
				t.Errorf("got %d hidden, failures %v", got.Hidden, got.Failures)
			}
		})
	}
}

func startSleep(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Skip("SKIPPED: no sleep command: ", err)
	}
	t.Cleanup(func() { stop(cmd) })
	return cmd
}

// stop kills and reaps a process, which may have been stopped before.
func stop(cmd *exec.Cmd) {
	cmd.Process.Kill()
	cmd.Wait()
}

func countKept(fs *FS) int {
	kept := 0
	for _, e := range fs.entries {
		for _, fd := range []int{e.statFD, e.runsFD, e.statmFD, e.ioFD, e.statusFD} {
			if fd >= 0 {
				kept++
			}
		}
	}
	return kept
}

func entries(t *testing.T, dir string) int {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func selfRSS(t *testing.T) uint64 {
	t.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	m, err := parseStatm(data, uint64(os.Getpagesize()/1024))
	if err != nil {
		t.Fatal(err)
	}
	return m.RSSKiB
}
