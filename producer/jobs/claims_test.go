package jobs

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// processWithMarker is a process of an environment that names a job and, after a slash, a sheet; empty: it names none.
func processWithMarker(pid, ppid int, start uint64, marker string) procfs.Process {
	p := procfs.Process{PID: pid, PPID: ppid, StartTicks: start}
	if job, sheet, _ := strings.Cut(marker, "/"); job != "" {
		p.Env = map[string]string{EnvJob: job}
		if sheet != "" {
			p.Env[EnvSheet] = sheet
		}
	}
	return p
}

func TestClaims(t *testing.T) {
	type scan struct {
		procs []procfs.Process
		want  map[int]string // job and sheet of those that have one
	}
	tests := map[string][]scan{
		"nobody's": {
			{[]procfs.Process{processWithMarker(1, 0, 1, ""), processWithMarker(5, 1, 9, "")}, nil},
		},
		"the environment names it": {
			{[]procfs.Process{processWithMarker(1, 0, 1, ""), processWithMarker(5, 1, 9, "a/3"), processWithMarker(6, 1, 9, "b")}, map[int]string{5: "a/3", 6: "b"}},
		},
		"a child has its parent's": {
			{[]procfs.Process{processWithMarker(1, 0, 1, ""), processWithMarker(5, 1, 9, "a/3"), processWithMarker(6, 5, 9, ""), processWithMarker(7, 6, 9, "")}, map[int]string{5: "a/3", 6: "a/3", 7: "a/3"}},
		},
		"a parent may have the higher pid": {
			{[]procfs.Process{processWithMarker(1, 0, 1, ""), processWithMarker(2, 9, 9, ""), processWithMarker(3, 2, 9, ""), processWithMarker(9, 1, 9, "a")}, map[int]string{2: "a", 3: "a", 9: "a"}},
		},
		"the environment goes before the parent": {
			{[]procfs.Process{processWithMarker(5, 1, 9, "a/3"), processWithMarker(6, 5, 9, "b/4"), processWithMarker(7, 6, 9, "")}, map[int]string{5: "a/3", 6: "b/4", 7: "b/4"}},
		},
		"a job of its own does not have the parent's sheet": {
			{[]procfs.Process{processWithMarker(5, 1, 9, "a/3"), processWithMarker(6, 5, 9, "a")}, map[int]string{5: "a/3", 6: "a"}},
		},
		"an orphan keeps it": {
			{[]procfs.Process{processWithMarker(1, 0, 1, ""), processWithMarker(5, 1, 9, "a/3"), processWithMarker(6, 5, 9, "")}, map[int]string{5: "a/3", 6: "a/3"}},
			{[]procfs.Process{processWithMarker(1, 0, 1, ""), processWithMarker(6, 1, 9, "")}, map[int]string{6: "a/3"}},
			{[]procfs.Process{processWithMarker(1, 0, 1, ""), processWithMarker(6, 1, 9, ""), processWithMarker(7, 6, 20, "")}, map[int]string{6: "a/3", 7: "a/3"}},
		},
		"a reaper that is a job's does not take in orphans": {
			{[]procfs.Process{processWithMarker(1, 0, 1, ""), processWithMarker(5, 1, 2, "a"), processWithMarker(6, 1, 9, "")}, map[int]string{5: "a"}},
			{[]procfs.Process{processWithMarker(1, 0, 1, ""), processWithMarker(5, 1, 2, "a"), processWithMarker(6, 5, 9, "")}, map[int]string{5: "a"}},
		},
		"an orphan that was never seen before is nobody's": {
			{[]procfs.Process{processWithMarker(1, 0, 1, ""), processWithMarker(5, 1, 9, "a")}, map[int]string{5: "a"}},
			{[]procfs.Process{processWithMarker(1, 0, 1, ""), processWithMarker(6, 1, 9, "")}, nil},
		},
		"it stays when the program that is executed next has no marker": {
			{[]procfs.Process{processWithMarker(5, 1, 9, "a/3")}, map[int]string{5: "a/3"}},
			{[]procfs.Process{processWithMarker(5, 1, 9, "")}, map[int]string{5: "a/3"}},
		},
		"it changes with the marker": {
			{[]procfs.Process{processWithMarker(5, 1, 9, "")}, nil},
			{[]procfs.Process{processWithMarker(5, 1, 9, "a")}, map[int]string{5: "a"}},
			{[]procfs.Process{processWithMarker(5, 1, 9, "b/1")}, map[int]string{5: "b/1"}},
		},
		"who has the pid next does not inherit": {
			{[]procfs.Process{processWithMarker(1, 0, 1, ""), processWithMarker(5, 1, 9, "a/3")}, map[int]string{5: "a/3"}},
			{[]procfs.Process{processWithMarker(1, 0, 1, ""), processWithMarker(5, 1, 12, "")}, nil},
		},
		"who has the pid next has its own parent's": {
			{[]procfs.Process{processWithMarker(1, 0, 1, ""), processWithMarker(5, 1, 9, "a/3"), processWithMarker(6, 1, 9, "b")}, map[int]string{5: "a/3", 6: "b"}},
			{[]procfs.Process{processWithMarker(1, 0, 1, ""), processWithMarker(5, 6, 12, ""), processWithMarker(6, 1, 9, "b")}, map[int]string{5: "b", 6: "b"}},
		},
		"it is not remembered over a scan without the process": {
			{[]procfs.Process{processWithMarker(5, 1, 9, "a")}, map[int]string{5: "a"}},
			{nil, nil},
			{[]procfs.Process{processWithMarker(5, 1, 9, "")}, nil},
		},
		"a ring of parents ends": {
			{[]procfs.Process{processWithMarker(5, 6, 9, ""), processWithMarker(6, 5, 9, ""), processWithMarker(7, 7, 9, "")}, nil},
		},
		"a parent that is not listed": {
			{[]procfs.Process{processWithMarker(5, 99, 9, "")}, nil},
		},
	}
	for name, scans := range tests {
		t.Run(name, func(t *testing.T) {
			var a Claims
			for i, s := range scans {
				a.Observe(s.procs)
				if got := owners(a.tree.members); !maps.Equal(got, s.want) {
					t.Errorf("scan %d: got %v, want %v", i, got, s.want)
				}
			}
		})
	}
}

func owners(m map[int]*member) map[int]string {
	out := map[int]string{}
	for pid, o := range m {
		if o.owner.Job == "" {
			continue
		}
		out[pid] = o.owner.Job
		if o.owner.Sheet.Known {
			out[pid] += fmt.Sprintf("/%d", o.owner.Sheet.V)
		}
	}
	return out
}

// What is known of a process beside its parent, when a scan has it.
func TestClaims_Kinds(t *testing.T) {
	rules := []Rule{rule(t, "cgroup:/jobs/*=$1"), rule(t, "cgroup:/shared=pool"), rule(t, "command:/w/*=w-$1")}
	const group, args, env = "/jobs/g", "/w/c", "e/4"
	tests := map[string]struct {
		cgroup, args, env string
		parent            string // marker of the parent
		want              string
	}{
		"nothing":                              {"", "", "", "", ""},
		"a command":                            {"", args, "", "", "w-c"},
		"a parent goes before a command":       {"", args, "", "p/1", "p/1"},
		"an environment before a parent":       {"", args, env, "p/1", "e/4"},
		"a cgroup before an environment":       {group, args, env, "p/1", "g"},
		"a cgroup of no rule":                  {"/elsewhere/g", args, env, "p/1", "e/4"},
		"a cgroup of the parent's job":         {"/shared", "", "", "pool/2", "pool/2"},
		"a cgroup and an environment agree":    {"/shared", "", "pool/3", "", "pool/3"},
		"a cgroup and an environment disagree": {"/shared", "", "e/3", "", "pool"},
	}
	for name, tt := range tests {
		a := Claims{judge: judge{rules: rules}}
		p := processWithMarker(6, 5, 9, tt.env)
		p.Cgroup, p.Args = tt.cgroup, []string{"prog", tt.args}
		scan := []procfs.Process{processWithMarker(5, 1, 9, tt.parent), p}
		for i := range 2 { // a second scan changes nothing
			a.Observe(scan)
			if got := owners(a.tree.members)[6]; got != tt.want {
				t.Errorf("%s, scan %d: got %q, want %q", name, i, got, tt.want)
			}
		}
	}
}

// The command of a process that was gone before anybody looked counts too.
func TestClaims_CommandOfAnEndedProcess(t *testing.T) {
	a := Claims{judge: judge{rules: []Rule{rule(t, "command:/w/a=j")}}}
	a.AddChild(5, 1, 9)
	a.AddChild(6, 1, 9)
	a.ClaimByCommand(5, 9, "cc -o /w/a/x.o")
	a.ClaimByCommand(6, 9, "cc -o /w/ab/x.o")
	a.ClaimByCommand(7, 9, "cc -o /w/a/x.o") // not known
	if got, want := owners(a.tree.members), (map[int]string{5: "j"}); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func rule(t testing.TB, s string) Rule {
	t.Helper()
	r, err := ParseRule(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A process that a scan did not have is forgotten, but not before its exit can have been taken.
func TestClaims_RemovesGoneProcesses(t *testing.T) {
	a := Claims{tree: processTree{keepScans: 2}}
	a.Observe([]procfs.Process{processWithMarker(5, 1, 9, "a")})
	a.AddChild(6, 5, 10) // and is never seen
	for scan, want := range []map[int]string{{5: "a", 6: "a"}, {5: "a", 6: "a"}, {6: "a"}, {}} {
		a.Observe(nil)
		if got := owners(a.tree.members); !maps.Equal(got, want) {
			t.Errorf("scan %d without them: got %v, want %v", scan+1, got, want)
		}
	}
	if len(a.tree.members) != 0 {
		t.Errorf("remembers %d processes", len(a.tree.members))
	}
}

// A chain of parents is followed to its end, whichever end has the higher pids.
func TestClaims_LongChains(t *testing.T) {
	const n = 400
	up, down := []procfs.Process{processWithMarker(1, 0, 1, "a")}, []procfs.Process{}
	for pid := 2; pid <= n; pid++ {
		up = append(up, processWithMarker(pid, pid-1, 1, ""))
		down = append(down, processWithMarker(pid-1, pid, 1, ""))
	}
	down = append(down, processWithMarker(n, 0, 1, "a"))
	for name, procs := range map[string][]procfs.Process{"rising": up, "falling": down} {
		var a Claims
		a.Observe(procs)
		if got := len(owners(a.tree.members)); got != n {
			t.Errorf("%s: got %d processes with a job, want %d", name, got, n)
		}
	}
}

func TestFromEnvironment(t *testing.T) {
	longest := strings.Repeat("é", schema.MaxName/2)
	some := func(job string, sheet int64) Owner { return Owner{Job: job, Sheet: schema.Some(sheet)} }
	tests := map[string]struct {
		job, sheet string
		want       Owner
	}{
		"a job":                     {"a", "", Owner{Job: "a"}},
		"a job and a sheet":         {"a", "12", some("a", 12)},
		"sheet 0":                   {"a", "0", some("a", 0)},
		"the longest job":           {longest, "1", some(longest, 1)},
		"nothing":                   {"", "", Owner{}},
		"a sheet alone":             {"", "3", Owner{}},
		"a sheet that is a word":    {"a", "three", Owner{Job: "a"}},
		"a sheet that is a piece":   {"a", "1.5", Owner{Job: "a"}},
		"a sheet beyond all bounds": {"a", "99999999999999999999", Owner{Job: "a"}},
		"a sheet not in UTF-8":      {"a", "\xff", Owner{Job: "a"}},
		"a job of too many bytes":   {longest + "x", "1", Owner{}},
		"a job not in UTF-8":        {"a\xff", "1", Owner{}},
		"a job with a NUL":          {"a\x00b", "1", Owner{}},
	}
	for name, tt := range tests {
		got, named := ownerFromEnvironment(map[string]string{EnvJob: tt.job, EnvSheet: tt.sheet}, Presets{})
		if got != tt.want || named != (tt.want.Job != "") {
			t.Errorf("%s: got %+v, %t, want %+v", name, got, named, tt.want)
		}
	}
	if got, named := ownerFromEnvironment(nil, Presets{}); named || got != (Owner{}) {
		t.Errorf("no environment: got %+v, %t, want nobody", got, named)
	}
}
