package bpf

import (
	"os"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema/metric"
)

// typesWithout are the types of the kernel that runs, as if a structure had no member of a name.
func typesWithout(t *testing.T, structure, member string) *btf.Spec {
	t.Helper()
	types, err := btf.LoadKernelSpec()
	if err != nil {
		t.Skip("SKIPPED: the kernel does not tell its types: ", err)
	}
	var s *btf.Struct
	if err := types.TypeByName(structure, &s); err != nil {
		t.Fatal(err)
	}
	had := len(s.Members)
	s.Members = slices.DeleteFunc(s.Members, func(m btf.Member) bool { return m.Name == member })
	if len(s.Members) != had-1 {
		t.Skipf("SKIPPED: %s of this kernel has no %s", structure, member)
	}
	return types
}

// loadAll loads every collection of programs for a kernel of other types.
func loadAll(types *btf.Spec) error {
	opts := func() *ebpf.CollectionOptions {
		return &ebpf.CollectionOptions{Programs: ebpf.ProgramOptions{KernelTypes: types}}
	}
	var p processesObjects
	if err := loadProcessesObjects(&p, opts()); err != nil {
		return err
	}
	p.Close()
	var l lifecycleObjects
	if err := loadLifecycleObjects(&l, opts()); err != nil {
		return err
	}
	l.Close()
	var c syscallsObjects
	if err := loadSyscallsObjects(&c, opts()); err != nil {
		return err
	}
	return c.Close()
}

// Programs load for a kernel that lacks a member that not every kernel has, and what it would have told is unknown, not zero. The control: without one that every
// kernel has they do not load.
func TestFields_Optional(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	openTable(t)               // or skip
	for range metric.ManyFDs { // or their limit is not told
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	for _, c := range []struct {
		structure, member string
		unknown           func(p *procfs.Process) bool
	}{
		{"mm_struct", "hugetlb_usage", nil}, // of a kernel without huge pages: there are none
		{"sched_info", "last_arrival", nil}, // whoever ran is found by other means
		{"sched_info", "run_delay", func(p *procfs.Process) bool { return !p.RunDelayKnown }},
		{"task_io_accounting", "read_bytes", func(p *procfs.Process) bool { return !p.IOKnown }},
		{"signal_struct", "rlim", func(p *procfs.Process) bool { return p.FDsKnown && p.OpenFDs >= metric.ManyFDs && !p.FDLimitKnown }},
		{"thread_info", "status", nil},                                                         // of x86 alone
		{"sock_common", "skc_family", func(p *procfs.Process) bool { return !p.NetworkKnown }}, // without it the programs of the network do not load
	} {
		t.Run(c.structure+"."+c.member, func(t *testing.T) {
			if err := loadAll(typesWithout(t, c.structure, c.member)); err != nil {
				t.Fatal(err)
			}
			programs, err := loadIterators(btf.NewCache(), typesWithout(t, c.structure, c.member))
			if err != nil {
				t.Fatal(err)
			}
			table := &Table{fs: procfs.New(""), programs: programs, scale: newScale()}
			defer table.Close()
			defer table.fs.Close()
			scan, err := table.Processes(nil, procfs.Options{})
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(scan.Processes, func(p procfs.Process) bool { return p.PID == os.Getpid() })
			if i < 0 || scan.Processes[i].Threads < 1 || scan.Processes[i].RSSKiB == 0 {
				t.Fatalf("of this process: place %d of %d", i, len(scan.Processes))
			}
			if c.unknown != nil && !c.unknown(&scan.Processes[i]) {
				t.Errorf("it is known: %+v", scan.Processes[i])
			}
			if p := &scan.Processes[i]; p.NetworkKnown == (c.member == "skc_family") || p.NetworkKnown != (table.NetworkRefused() == nil) {
				t.Errorf("what it sent is known: %t; the network says %v", p.NetworkKnown, table.NetworkRefused())
			}
			if p := &scan.Processes[i]; p.FDLimitKnown == (c.member == "rlim") || !p.FDsKnown {
				t.Errorf("of %d descriptors the limit %d is known: %t", p.OpenFDs, p.FDLimit, p.FDLimitKnown)
			}
		})
	}
	if err := loadAll(typesWithout(t, "task_struct", "tgid")); err == nil {
		t.Error("control: programs load for a kernel whose processes have no pid")
	}
}
