package bpf

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/procfs"
)

// The kernel's table says of every process of a loaded machine what /proc does. The table is read between two readings of
// /proc, and what it says has to lie between theirs. What goes up and down, such as memory, may do so in between: it is
// wrong if it is so each time.
func TestTable_EqualsProc(t *testing.T) {
	table := openTable(t)
	load := loadMachine(t)
	wrong := compareRounds(t, table, load)
	for field, processes := range wrong {
		t.Errorf("%s is not what /proc says of %d processes: %v", field, len(processes), processes[:min(len(processes), 5)])
	}
}

// Control: without the parts that each CPU has, memory is wrong.
func TestTable_ACPULeftOutIsNoticed(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	table := openTable(t)
	if !table.ExactMemory() {
		t.Skip("SKIPPED: memory is read of /proc here")
	}
	load := loadMachine(t)
	table.passes = 1 // or it learns again
	if err := table.programs.objects.Cpus.Set(uint32(0)); err != nil {
		t.Fatal(err)
	}
	if wrong := compareRounds(t, table, load); len(wrong["RSSKiB"]) < 100 {
		t.Errorf("the memory of %d processes is wrong, want that of most", len(wrong["RSSKiB"]))
	}
}

// Control: each field is compared. A value that is wrong in one of them is noticed.
func TestTable_AWrongFieldIsNoticed(t *testing.T) {
	before, got, after := readProc(t, procfs.Options{})[os.Getpid()], procfs.Process{}, procfs.Process{}
	before.Cgroup = "/a"
	for _, field := range comparedFields() {
		got, after = before, before
		v := reflect.ValueOf(&got).Elem().FieldByName(field)
		switch v.Kind() {
		case reflect.Int:
			v.SetInt(v.Int() + 2)
		case reflect.Uint64:
			v.SetUint(v.Uint() + 2)
		case reflect.Uint8:
			v.SetUint('X')
		case reflect.String:
			v.SetString(v.String() + "x")
		case reflect.Bool:
			v.SetBool(!v.Bool())
		case reflect.Slice:
			v.Set(reflect.ValueOf([]string{"other"}))
		default:
			t.Fatalf("no wrong value of %s, a %s", field, v.Kind())
		}
		if wrong := differences(&before, &got, &after); !slices.Equal(wrong, []string{field}) {
			t.Errorf("%s is wrong, and %q was noticed", field, wrong)
		}
	}
}

// comparedFields are the fields of a process, but for the time of the reading, the environment, which is compared apart, and the network, of which /proc says nothing.
func comparedFields() (names []string) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[procfs.Process]()) {
		if !f.Anonymous && !slices.Contains([]string{"ReadAt", "Env", "EnvUID", "SentBytes", "ReceivedBytes", "NetworkKnown"}, f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

// differences are the fields of got that do not lie between those of before and after. A tick more of CPU is allowed: /proc
// rounds two times.
func differences(before, got, after *procfs.Process) (fields []string) {
	b, g, a := reflect.ValueOf(before).Elem(), reflect.ValueOf(got).Elem(), reflect.ValueOf(after).Elem()
	for _, name := range comparedFields() {
		b, g, a := b.FieldByName(name), g.FieldByName(name), a.FieldByName(name)
		same := false
		switch g.Kind() {
		case reflect.Int:
			same = g.Int() >= min(b.Int(), a.Int()) && g.Int() <= max(b.Int(), a.Int())
		case reflect.Uint64:
			more := uint64(0)
			if name == "CPUTicks" {
				more = 1
			}
			same = g.Uint() >= min(b.Uint(), a.Uint()) && g.Uint() <= max(b.Uint(), a.Uint())+more
		default:
			same = reflect.DeepEqual(g.Interface(), b.Interface()) || reflect.DeepEqual(g.Interface(), a.Interface())
		}
		if !same {
			fields = append(fields, name)
		}
	}
	return fields
}

// rounds is how often a process may be wrong in a field before it is: at most, for the rounds end when none is wrong each time.
const rounds = 10

// compareRounds compares the table with /proc some times, and returns which fields of which processes were wrong each time.
func compareRounds(t *testing.T, table *Table, load map[string]int) map[string][]string {
	t.Helper()
	opt := procfs.Options{EnvKeys: []string{roleKey}}
	counts := map[string]map[int]int{}
	last := map[string]map[int]string{}
	wrong, seen := map[string][]string{}, 0
	for round := 1; round == 1 || round <= rounds && len(wrong) > 0; round++ {
		before := readProc(t, opt)
		scan, err := table.Processes(nil, opt)
		if err != nil {
			t.Fatal(err)
		}
		if scan.Partial || scan.Hidden+scan.Lost > 0 || len(scan.Failures) > 0 {
			t.Errorf("got partial %v, %d hidden, %d lost, failures %v", scan.Partial, scan.Hidden, scan.Lost, scan.Failures)
		}
		after := readProc(t, opt)
		if !slices.IsSortedFunc(scan.Processes, func(a, b procfs.Process) int { return a.PID - b.PID }) {
			t.Error("the processes are not in the order of their pids")
		}
		got := byPID(scan.Processes)
		seen = 0
		for pid, b := range before {
			a, lives := after[pid]
			g, ok := got[pid]
			if !lives || a.StartTicks != b.StartTicks || pid == os.Getpid() { // what reads has descriptors open meanwhile
				continue
			}
			seen++
			wrong := []string{"presence"}
			if ok {
				wrong = differences(&b, &g, &a)
				if !maps.Equal(b.Env, g.Env) && !maps.Equal(a.Env, g.Env) {
					wrong = append(wrong, "Env")
				}
			}
			for _, field := range wrong {
				if counts[field] == nil {
					counts[field], last[field] = map[int]int{}, map[int]string{}
				}
				counts[field][pid]++
				last[field][pid] = fmt.Sprintf("%d (%s): %v, want between %v and %v", pid, b.Comm, valueOf(&g, field), valueOf(&b, field), valueOf(&a, field))
			}
		}
		wrong = alwaysWrong(counts, last, round)
	}
	if seen < usual() {
		t.Errorf("compared %d processes, want at least %d", seen, usual())
	}
	t.Logf("compared %d processes, %d of them of kinds that are hard: %v", seen, len(load), load)
	return wrong
}

// alwaysWrong are, by field, the processes of which it was wrong in each of so many rounds.
func alwaysWrong(counts map[string]map[int]int, last map[string]map[int]string, times int) map[string][]string {
	wrong := map[string][]string{}
	for field, processes := range counts {
		for pid, n := range processes {
			if n == times {
				wrong[field] = append(wrong[field], last[field][pid])
			}
		}
	}
	return wrong
}

func valueOf(p *procfs.Process, field string) any {
	if v := reflect.ValueOf(p).Elem().FieldByName(field); v.IsValid() {
		return v.Interface()
	}
	return nil
}

// readProc reads every file of every process.
func readProc(t *testing.T, opt procfs.Options) map[int]procfs.Process {
	t.Helper()
	fs := procfs.New("")
	defer fs.Close()
	scan, err := fs.Processes(nil, opt)
	if err != nil {
		t.Fatal(err)
	}
	return byPID(scan.Processes)
}

func byPID(processes []procfs.Process) map[int]procfs.Process {
	m := make(map[int]procfs.Process, len(processes))
	for _, p := range processes {
		m[p.PID] = p
	}
	return m
}

// usual is how many processes of loadMachine do nothing.
func usual() int {
	if testing.Short() {
		return 100
	}
	return 700
}

// loadMachine starts processes of every kind until the test ends: those that are hard to read are returned by kind.
func loadMachine(t *testing.T) map[string]int {
	t.Helper()
	load := map[string]int{}
	for _, role := range []string{"threads", "headless", "files", "memory", "writes"} {
		load[role] = startRole(t, role)
	}
	for range usual() / 35 {
		startRole(t, "headless")
		startRole(t, "threads")
	}
	for range usual() {
		startSleep(t, nil)
	}
	load["stopped"] = startSleep(t, nil)
	if err := unix.Kill(load["stopped"], unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		load["zombie"] = startSleep(t, nil)
		if err := unix.Kill(load["zombie"], unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 {
		load["other user"] = startSleep(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}})
		load["pid namespace"] = startSleep(t, &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID})
	}
	return load
}

// The table opens also where /proc was read of many processes before: the descriptors that this took are not of what is compared.
func TestTable_AfterProcWasRead(t *testing.T) {
	openTable(t) // or skip
	for range 150 {
		startSleep(t, nil)
	}
	fs := procfs.New("")
	defer fs.Close()
	if scan, err := fs.Processes(nil, procfs.Options{}); err != nil || len(scan.Processes) < 150 {
		t.Fatalf("%d processes, %v", len(scan.Processes), err)
	}
	table, err := OpenTable(fs)
	if err != nil {
		t.Fatal(err)
	}
	table.Close()
}
