package procfs

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestHost_Fixture(t *testing.T) {
	fs := newFS(t, "testdata/proc")
	got, err := fs.Host()
	if err != nil {
		t.Fatal(err)
	}
	some := PressureLine{Known: true, Avg10: 1.53, Total: 2 * time.Second}
	if got.Pressure.CPU.Some != some {
		t.Errorf("cpu pressure: got %+v, want %+v", got.Pressure.CPU.Some, some)
	}
	got.Pressure = Pressure{}
	want := Host{
		Memory: Memory{TotalKiB: 16318480, AvailableKiB: 9876544, AvailableKnown: true},
		Load1:  0.52, Load5: 1.2, Load15: 3.04, LoadKnown: true,
		Uptime: 350735*time.Second + 470*time.Millisecond,
		CPUs:   2,
		CPU: CPUTimes{User: 4705, Nice: 150, System: 1120, Idle: 1644067, IOWait: 520, IRQ: 7, SoftIRQ: 31,
			Steal: 4},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestHost_NoPressure(t *testing.T) {
	root := copyFixture(t)
	if err := os.RemoveAll(filepath.Join(root, "pressure")); err != nil {
		t.Fatal(err)
	}
	got, err := newFS(t, root).Host()
	if err != nil || got.Pressure != (Pressure{}) || !errors.Is(got.NoPressure, unix.ENOENT) || len(got.Failures) > 0 {
		t.Errorf("got %+v, %v, want no pressure, and no failure", got, err)
	}
}

// A file of the host costs what it tells, whatever is wrong with it, and nothing else.
func TestHost_OneFileCostsItsValues(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	whole, err := newFS(t, copyFixture(t)).Host()
	if err != nil {
		t.Fatal(err)
	}
	without := map[string]func(*Host){
		"meminfo":         func(h *Host) { h.Memory = Memory{} },
		"loadavg":         func(h *Host) { h.Load1, h.Load5, h.Load15, h.LoadKnown = 0, 0, 0, false },
		"uptime":          func(h *Host) { h.Uptime = 0 },
		"stat":            func(h *Host) { h.CPU, h.CPUs = CPUTimes{}, 0 },
		"pressure/cpu":    func(h *Host) { h.Pressure.CPU = PressureStall{} },
		"pressure/memory": func(h *Host) { h.Pressure.Memory = PressureStall{} },
		"pressure/io":     func(h *Host) { h.Pressure.IO = PressureStall{} },
	}
	for name, forget := range without {
		for what, spoil := range spoilers {
			t.Run(name+" "+what, func(t *testing.T) {
				root := copyFixture(t)
				spoil(t, filepath.Join(root, name))
				fs := newFS(t, root)
				got, err := fs.Host()
				if err != nil {
					t.Fatal(err)
				}
				if len(got.Failures) != 1 || got.Failures[0].File != name || !strings.Contains(got.Failures[0].Err.Error(), filepath.Join(root, name)) {
					t.Fatalf("got failures %v, want one, of %s", got.Failures, name)
				}
				got.Failures = nil
				want := whole
				if forget(&want); !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v, want %+v", got, want)
				}
				// It comes back.
				if err := os.RemoveAll(filepath.Join(root, name)); err != nil {
					t.Fatal(err)
				}
				writeFile(t, root, name, readFixture(t, "testdata/proc", name))
				fs.Close()
				if got, err := fs.Host(); err != nil || !reflect.DeepEqual(got, whole) {
					t.Errorf("afterwards: got %+v, %v, want %+v", got, err, whole)
				}
			})
		}
	}
}

// spoilers are ways in which a file may be unreadable, or hold what makes no sense.
var spoilers = map[string]func(t *testing.T, path string){
	"empty":   func(t *testing.T, path string) { write(t, path, "") },
	"garbled": func(t *testing.T, path string) { write(t, path, "\x00\xff(((\n-1 -1 -1 -1\n") },
	"huge":    func(t *testing.T, path string) { write(t, path, strings.Repeat("9", 5<<20)) },
	"pipe":    func(t *testing.T, path string) { replace(t, path, func() error { return unix.Mkfifo(path, 0o644) }) },
	"folder":  func(t *testing.T, path string) { replace(t, path, func() error { return os.Mkdir(path, 0o755) }) },
	"link": func(t *testing.T, path string) {
		replace(t, path, func() error { return os.Symlink("/dev/zero", path) })
	},
	"link ring": func(t *testing.T, path string) { replace(t, path, func() error { return os.Symlink(path, path) }) },
}

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func replace(t *testing.T, path string, by func() error) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(path), by()); err != nil {
		t.Fatal(err)
	}
}

func TestBootID_Fixture(t *testing.T) {
	got, err := newFS(t, "testdata/proc").BootID()
	if want := "3f0c1c1e-6a0e-4d0a-9a3c-2d7b9f2f1a55"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	made, err := newFS(t, t.TempDir()).BootID()
	if !errors.Is(err, os.ErrNotExist) || !isUUID(made) {
		t.Errorf("without one: got %q, %v, want one that is made, and that the file does not exist", made, err)
	}
	root := copyFixture(t)
	for what, spoil := range spoilers {
		if err := os.RemoveAll(filepath.Join(root, bootIDFile)); err != nil {
			t.Fatal(err)
		}
		spoil(t, filepath.Join(root, bootIDFile))
		if again, err := newFS(t, root).BootID(); err == nil || again != made {
			t.Errorf("%s: got %q, %v, want %q and an error", what, again, err, made)
		}
	}
}

func TestProcesses_Fixture(t *testing.T) {
	fs := newFS(t, "testdata/proc")
	got, err := fs.Processes(nil, Options{EnvKeys: []string{"JOB_ID", "UNFINISHED"}})
	if err != nil {
		t.Fatal(err)
	}
	if pids := pidsOf(got); !slices.Equal(pids, []int{1, 42, 77}) {
		t.Errorf("pids: got %v, want 1, 42 and 77", pids)
	}
	if got.Vanished != 1 || got.Partial || got.Hidden != 0 || len(got.Failures) != 0 {
		t.Errorf("got vanished %d, partial %v, hidden %d, failures %v, want 1, false, 0, none",
			got.Vanished, got.Partial, got.Hidden, got.Failures)
	}

	odd := processOf(t, got, 42)
	if odd.Comm != "a) S 1 (\nb" || odd.State != 'R' || odd.StartTicks != 700 || odd.Threads != 3 {
		t.Errorf("got comm %q, state %c, start %d, threads %d", odd.Comm, odd.State, odd.StartTicks, odd.Threads)
	}
	if odd.CPUTicks != 12 || !odd.CPUKnown {
		t.Errorf("got cpu %v, %d", odd.CPUKnown, odd.CPUTicks)
	}
	if want := (StatCounters{MinorFaults: 150, MajorFaults: 2}); odd.StatCounters != want || !odd.FaultsKnown {
		t.Errorf("stat: got %v, %+v, want %+v", odd.FaultsKnown, odd.StatCounters, want)
	}
	page := uint64(os.Getpagesize() / 1024)
	if want := (MemoryValues{RSSKiB: 700 * page, VMSKiB: 2000 * page}); odd.MemoryValues != want || !odd.MemoryKnown {
		t.Errorf("statm: got %v, %+v, want %+v", odd.MemoryKnown, odd.MemoryValues, want)
	}
	if want := (IOValues{ReadBytes: 4096, WriteBytes: 8192, CancelledBytes: 512}); odd.IOValues != want || !odd.IOKnown {
		t.Errorf("io: got %v, %+v, want %+v", odd.IOKnown, odd.IOValues, want)
	}
	want := StatusValues{VoluntarySwitches: 150, InvoluntarySwitches: 7, SwapKiB: 640, HugetlbKiB: 2048}
	if odd.StatusValues != want || !odd.StatusKnown {
		t.Errorf("status: got %v, %+v, want %+v", odd.StatusKnown, odd.StatusValues, want)
	}
	if !odd.FDsKnown || odd.OpenFDs != 3 {
		t.Errorf("got descriptors %v, %d", odd.FDsKnown, odd.OpenFDs)
	}
	if !odd.RunDelayKnown || odd.RunDelay != 7_000_000 {
		t.Errorf("got run delay %v, %d", odd.RunDelayKnown, odd.RunDelay)
	}
	if want := []string{"/usr/bin/odd", "--flag", "", "two words"}; !odd.ArgsKnown || !slices.Equal(odd.Args, want) {
		t.Errorf("args: got %q, known %v, want %q", odd.Args, odd.ArgsKnown, want)
	}
	if want := map[string]string{"JOB_ID": "j-17"}; !maps.Equal(odd.Env, want) || odd.EnvUID != 1007 {
		t.Errorf("env: got %q of user %d, want %q of 1007", odd.Env, odd.EnvUID, want)
	}
	if odd.Cgroup != "/user.slice/a:b" || !odd.UIDKnown || odd.UID != os.Getuid() {
		t.Errorf("got cgroup %q, uid %v %d", odd.Cgroup, odd.UIDKnown, odd.UID)
	}

	zombie := processOf(t, got, 77)
	if zombie.State != 'Z' || zombie.ArgsKnown || zombie.RSSKiB != 0 || zombie.FDsKnown || zombie.IOKnown || zombie.Env != nil {
		t.Errorf("zombie: got %+v", zombie)
	}
}

func TestProcesses_KernelThreads(t *testing.T) {
	fs := newFS(t, "testdata/proc")
	for range 2 * fullEvery {
		got := scan(t, fs, Options{KernelThreads: true})
		k := processOf(t, got, 2)
		if !k.Kernel || k.Comm != "kthreadd" || !k.ArgsKnown || k.Args != nil || k.MemoryKnown || !k.UIDKnown {
			t.Fatalf("got %+v", k)
		}
		if got := scan(t, fs, Options{}); slices.Contains(pidsOf(got), 2) {
			t.Fatalf("got the kernel thread unasked")
		}
	}
}

func TestProcesses_ReusedPID(t *testing.T) {
	root := copyFixture(t)
	fs := newFS(t, root)
	opt := Options{EnvKeys: []string{"JOB_ID"}}
	scan(t, fs, opt)
	// All but the start stays as it was, so that nothing else tells.
	stat := readFixture(t, root, "42/stat")
	writeFile(t, root, "42/stat", strings.Replace(stat, " 700 8192000", " 900 8192000", 1))
	writeFile(t, root, "42/cmdline", "successor\x00")
	writeFile(t, root, "42/environ", "OTHER=1\x00")
	writeFile(t, root, "42/cgroup", "0::/new\n")

	got := processOf(t, scan(t, fs, opt), 42)
	if got.StartTicks != 900 || !slices.Equal(got.Args, []string{"successor"}) || len(got.Env) != 0 || got.Cgroup != "/new" {
		t.Errorf("got start %d, args %q, env %q, cgroup %q", got.StartTicks, got.Args, got.Env, got.Cgroup)
	}
}

func TestProcesses_IdleValuesAreReusedThenRefreshed(t *testing.T) {
	root := copyFixture(t)
	fs := newFS(t, root)
	page := uint64(os.Getpagesize() / 1024)
	scan(t, fs, Options{})
	writeFile(t, root, "42/statm", "2000 701 300 10 0 400 0\n")
	refreshed := 0
	for range fullEvery {
		if processOf(t, scan(t, fs, Options{}), 42).RSSKiB == 701*page {
			break
		}
		refreshed++
	}
	if refreshed == 0 || refreshed == fullEvery {
		t.Errorf("got the new memory after %d scans, want after some, but at most %d", refreshed, fullEvery)
	}

	stat := readFixture(t, root, "42/stat")
	writeFile(t, root, "42/statm", "2000 702 300 10 0 400 0\n")
	writeFile(t, root, "42/stat", strings.Replace(stat, " 7 5 0 0 20", " 8 5 0 0 20", 1))
	if got := processOf(t, scan(t, fs, Options{}), 42).RSSKiB; got != 702*page {
		t.Errorf("busy process: got %d KiB, want %d", got, 702*page)
	}
}

// What a process took just before it fell asleep, too soon behind the last reading of its status to be read at once, is read at its next turn.
func TestProcesses_StatusOfASleeperIsReadAtItsTurn(t *testing.T) {
	root := copyFixture(t)
	if err := os.MkdirAll(filepath.Join(root, "self"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, root, "self/schedstat", "100 200 10\n")
	writeFile(t, root, "42/stat", strings.Replace(statLine(42, "sleeper", 'S', 700), " 20 0 3 ", " 20 0 1 ", 1)) // one thread
	writeFile(t, root, "42/schedstat", "100 200 10\n")
	fs := newFS(t, root)
	for range 2 * fullEvery {
		scan(t, fs, Options{})
	}
	if e := fs.entries[42]; !fs.counts || !fs.hasSlept(e) {
		t.Fatalf("got an entry that does not sleep: %+v", e)
	}
	stat, status := readFixture(t, root, "42/stat"), readFixture(t, root, "42/status")
	writeFile(t, root, "42/stat", strings.Replace(stat, " 7 5 0 0 20", " 8 5 0 0 20", 1))
	writeFile(t, root, "42/status", strings.Replace(status, "HugetlbPages:\t    2048 kB", "HugetlbPages:\t    9048 kB", 1))
	writeFile(t, root, "42/schedstat", "100 200 11\n")
	if got := processOf(t, scan(t, fs, Options{}), 42); got.HugetlbKiB > 9000 {
		t.Fatalf("got %d KiB at once: this test shows nothing", got.HugetlbKiB)
	}
	for range fullEvery {
		scan(t, fs, Options{})
	}
	if got := processOf(t, scan(t, fs, Options{}), 42); got.HugetlbKiB < 9000 {
		t.Errorf("got %d KiB in huge pages after %d scans", got.HugetlbKiB, fullEvery)
	}
}

func TestProcesses_ZombieKeepsCommand(t *testing.T) {
	root := copyFixture(t)
	fs := newFS(t, root)
	before := processOf(t, scan(t, fs, Options{}), 42)
	writeFile(t, root, "42/stat", statLine(42, "a) S 1 (\nb", 'Z', 700))
	writeFile(t, root, "42/cmdline", "")
	writeFile(t, root, "42/statm", "0 0 0 0 0 0 0\n")
	for range 2 * fullEvery {
		got := processOf(t, scan(t, fs, Options{}), 42)
		if got.State != 'Z' || !slices.Equal(got.Args, before.Args) || got.Comm != before.Comm || got.RSSKiB != 0 {
			t.Fatalf("got %+v", got)
		}
	}
}

func TestProcesses_FailureOfOneIsCounted(t *testing.T) {
	root := copyFixture(t)
	writeFile(t, root, "42/stat", "42 (x) S garbled\n")
	writeFile(t, root, "1/statm", "many\n")
	got := scan(t, newFS(t, root), Options{})
	want := []Failure{
		{"PID/stat", 1, fmt.Errorf("read %s: field 22 (starttime) is missing", filepath.Join(root, "42/stat"))},
		{"PID/statm", 1, fmt.Errorf("read %s: field 1 (size) is \"many\"", filepath.Join(root, "1/statm"))},
	}
	if fmt.Sprint(got.Failures) != fmt.Sprint(want) || got.Lost != 1 || !got.Partial {
		t.Errorf("got %v, %d lost, partial %v, want %v", got.Failures, got.Lost, got.Partial, want)
	}
	if pids := pidsOf(got); !slices.Equal(pids, []int{1, 77}) || got.Processes[0].MemoryKnown {
		t.Errorf("got %v, memory known %v, want 1 and 77, false", pids, got.Processes[0].MemoryKnown)
	}
}

// Of a command line of any length both ends are kept, and nothing behind the cut whose name was cut away.
func TestProcesses_LongArgs(t *testing.T) {
	root := copyFixture(t)
	jars := strings.Repeat("/opt/app/lib/some-library-1.2.3.jar:", 1000)
	words := strings.Repeat("word\x00", 5000)
	for name, test := range map[string]struct {
		line, want string // want: with | for NUL
		cut        bool
	}{
		"what fits":              {strings.Repeat("x", maxArgsSize), strings.Repeat("x", maxArgsSize), false},
		"one byte more":          {strings.Repeat("x", maxArgsSize+1), strings.Repeat("x", argsHalf) + "…", true},
		"class path":             {"java\x00-cp\x00" + jars + "\x00com.example.Main\x00--shard\x007\x00", ".jar:|com.example.Main|--shard|7", true},
		"very long class path":   {"java\x00-cp\x00" + strings.Repeat(jars, 30) + "\x00com.example.Main\x00--shard\x007\x00", ".jar:|com.example.Main|--shard|7", true},
		"many words":             {words + "last", "|word|last", true},
		"padding":                {"title\x00" + strings.Repeat("\x00", 2*slowBufferSize), "title|…", true},
		"little padding":         {"title" + strings.Repeat("\x00", maxArgsSize), "title", false},
		"name before the cut":    {"x\x00" + strings.Repeat("a", argsHalf) + "\x00--password\x00hunter2\x00" + strings.Repeat("b", argsHalf-len("hunter2\x00")-5), "…|" + strings.Repeat("b", argsHalf-len("hunter2\x00")-5), true},
		"name and value in JSON": {strings.Repeat("a", argsHalf+10) + `{"password":"hunter2","x":1} ` + strings.Repeat("b ", argsHalf/2-10), " b b b ", true},
	} {
		t.Run(name, func(t *testing.T) {
			writeFile(t, root, "1/cmdline", test.line)
			got := processOf(t, scan(t, newFS(t, root), Options{}), 1)
			all := strings.Join(got.Args, "|")
			if got.ArgsTruncated != test.cut || !strings.HasSuffix(all, test.want) || len(all) > maxArgsSize+8 || strings.Contains(all, "hunter2") {
				t.Errorf("cut %v, %d bytes, %.40q … %q", got.ArgsTruncated, len(all), all, all[max(0, len(all)-60):])
			}
			if !test.cut {
				return
			}
			if short := ShortArgs(parseArgs([]byte(test.line))); name != "padding" && !slices.Equal(short, got.Args) {
				t.Errorf("shortened: %q", short)
			}
		})
	}
}

func TestProcesses_NoProc(t *testing.T) {
	fs := newFS(t, filepath.Join(t.TempDir(), "none"))
	if _, err := fs.Processes(nil, Options{}); !errors.Is(err, unix.ENOENT) {
		t.Errorf("got %v, want ENOENT", err)
	}
}

func TestProcess_Gone(t *testing.T) {
	if _, err := newFS(t, "testdata/proc").Process(99, Options{}); !errors.Is(err, ErrGone) {
		t.Errorf("got %v, want ErrGone", err)
	}
}

// newFS returns an FS that is closed when the test ends.
func newFS(t *testing.T, root string) *FS {
	t.Helper()
	fs := New(root)
	t.Cleanup(func() {
		if err := fs.Close(); err != nil {
			t.Error(err)
		}
	})
	return fs
}

func scan(t *testing.T, fs *FS, opt Options) Scan {
	t.Helper()
	got, err := fs.Processes(nil, opt)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func pidsOf(s Scan) []int {
	var pids []int
	for _, p := range s.Processes {
		pids = append(pids, p.PID)
	}
	return pids
}

func find(s Scan, pid int) (Process, bool) {
	i := slices.IndexFunc(s.Processes, func(p Process) bool { return p.PID == pid })
	if i < 0 {
		return Process{}, false
	}
	return s.Processes[i], true
}

func processOf(t *testing.T, s Scan, pid int) Process {
	t.Helper()
	p, ok := find(s, pid)
	if !ok {
		t.Fatalf("process %s is not in the scan: %v", strconv.Itoa(pid), pidsOf(s))
	}
	return p
}

// copyFixture returns a copy of testdata/proc that the test may change.
func copyFixture(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("testdata/proc")); err != nil {
		t.Fatal(err)
	}
	return root
}

func readFixture(t *testing.T, root, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func writeFile(t *testing.T, root, name, data string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, name), []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}
