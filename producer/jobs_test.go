package producer

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// in is a process of an environment that names a job and, after a slash, a sheet; empty: it names none.
func in(pid, ppid int, start uint64, marker string) procfs.Process {
	p := procfs.Process{PID: pid, PPID: ppid, StartTicks: start}
	if job, sheet, _ := strings.Cut(marker, "/"); job != "" {
		p.Env = map[string]string{EnvJob: job}
		if sheet != "" {
			p.Env[EnvSheet] = sheet
		}
	}
	return p
}

func TestAttribution(t *testing.T) {
	type scan struct {
		procs []procfs.Process
		want  map[int]string // job and sheet of those that have one
	}
	tests := map[string][]scan{
		"nobody's": {
			{[]procfs.Process{in(1, 0, 1, ""), in(5, 1, 9, "")}, nil},
		},
		"the environment names it": {
			{[]procfs.Process{in(1, 0, 1, ""), in(5, 1, 9, "a/3"), in(6, 1, 9, "b")}, map[int]string{5: "a/3", 6: "b"}},
		},
		"a child has its parent's": {
			{[]procfs.Process{in(1, 0, 1, ""), in(5, 1, 9, "a/3"), in(6, 5, 9, ""), in(7, 6, 9, "")}, map[int]string{5: "a/3", 6: "a/3", 7: "a/3"}},
		},
		"a parent may have the higher pid": {
			{[]procfs.Process{in(1, 0, 1, ""), in(2, 9, 9, ""), in(3, 2, 9, ""), in(9, 1, 9, "a")}, map[int]string{2: "a", 3: "a", 9: "a"}},
		},
		"the environment goes before the parent": {
			{[]procfs.Process{in(5, 1, 9, "a/3"), in(6, 5, 9, "b/4"), in(7, 6, 9, "")}, map[int]string{5: "a/3", 6: "b/4", 7: "b/4"}},
		},
		"a job of its own does not have the parent's sheet": {
			{[]procfs.Process{in(5, 1, 9, "a/3"), in(6, 5, 9, "a")}, map[int]string{5: "a/3", 6: "a"}},
		},
		"an orphan keeps it": {
			{[]procfs.Process{in(1, 0, 1, ""), in(5, 1, 9, "a/3"), in(6, 5, 9, "")}, map[int]string{5: "a/3", 6: "a/3"}},
			{[]procfs.Process{in(1, 0, 1, ""), in(6, 1, 9, "")}, map[int]string{6: "a/3"}},
			{[]procfs.Process{in(1, 0, 1, ""), in(6, 1, 9, ""), in(7, 6, 20, "")}, map[int]string{6: "a/3", 7: "a/3"}},
		},
		"a reaper that is a job's does not take in orphans": {
			{[]procfs.Process{in(1, 0, 1, ""), in(5, 1, 2, "a"), in(6, 1, 9, "")}, map[int]string{5: "a"}},
			{[]procfs.Process{in(1, 0, 1, ""), in(5, 1, 2, "a"), in(6, 5, 9, "")}, map[int]string{5: "a"}},
		},
		"an orphan that was never seen before is nobody's": {
			{[]procfs.Process{in(1, 0, 1, ""), in(5, 1, 9, "a")}, map[int]string{5: "a"}},
			{[]procfs.Process{in(1, 0, 1, ""), in(6, 1, 9, "")}, nil},
		},
		"it stays when the program that is executed next has no marker": {
			{[]procfs.Process{in(5, 1, 9, "a/3")}, map[int]string{5: "a/3"}},
			{[]procfs.Process{in(5, 1, 9, "")}, map[int]string{5: "a/3"}},
		},
		"it changes with the marker": {
			{[]procfs.Process{in(5, 1, 9, "")}, nil},
			{[]procfs.Process{in(5, 1, 9, "a")}, map[int]string{5: "a"}},
			{[]procfs.Process{in(5, 1, 9, "b/1")}, map[int]string{5: "b/1"}},
		},
		"who has the pid next does not inherit": {
			{[]procfs.Process{in(1, 0, 1, ""), in(5, 1, 9, "a/3")}, map[int]string{5: "a/3"}},
			{[]procfs.Process{in(1, 0, 1, ""), in(5, 1, 12, "")}, nil},
		},
		"who has the pid next has its own parent's": {
			{[]procfs.Process{in(1, 0, 1, ""), in(5, 1, 9, "a/3"), in(6, 1, 9, "b")}, map[int]string{5: "a/3", 6: "b"}},
			{[]procfs.Process{in(1, 0, 1, ""), in(5, 6, 12, ""), in(6, 1, 9, "b")}, map[int]string{5: "b", 6: "b"}},
		},
		"it is not remembered over a scan without the process": {
			{[]procfs.Process{in(5, 1, 9, "a")}, map[int]string{5: "a"}},
			{nil, nil},
			{[]procfs.Process{in(5, 1, 9, "")}, nil},
		},
		"a ring of parents ends": {
			{[]procfs.Process{in(5, 6, 9, ""), in(6, 5, 9, ""), in(7, 7, 9, "")}, nil},
		},
		"a parent that is not listed": {
			{[]procfs.Process{in(5, 99, 9, "")}, nil},
		},
	}
	for name, scans := range tests {
		t.Run(name, func(t *testing.T) {
			var a attribution
			for i, s := range scans {
				a.assign(s.procs)
				if got := owners(a.members); !maps.Equal(got, s.want) {
					t.Errorf("scan %d: got %v, want %v", i, got, s.want)
				}
			}
		})
	}
}

func owners(m map[int]*member) map[int]string {
	out := map[int]string{}
	for pid, o := range m {
		if o.owner.job == "" {
			continue
		}
		out[pid] = o.owner.job
		if o.owner.sheet.Known {
			out[pid] += fmt.Sprintf("/%d", o.owner.sheet.V)
		}
	}
	return out
}

// A chain of parents is followed to its end, whichever end has the higher pids.
func TestAttribution_LongChains(t *testing.T) {
	const n = 400
	up, down := []procfs.Process{in(1, 0, 1, "a")}, []procfs.Process{}
	for pid := 2; pid <= n; pid++ {
		up = append(up, in(pid, pid-1, 1, ""))
		down = append(down, in(pid-1, pid, 1, ""))
	}
	down = append(down, in(n, 0, 1, "a"))
	for name, procs := range map[string][]procfs.Process{"rising": up, "falling": down} {
		var a attribution
		a.assign(procs)
		if got := len(owners(a.members)); got != n {
			t.Errorf("%s: got %d processes with a job, want %d", name, got, n)
		}
	}
}

func TestFromEnvironment(t *testing.T) {
	longest := strings.Repeat("é", schema.MaxName/2)
	some := func(job string, sheet int64) owner { return owner{job: job, sheet: schema.Some(sheet)} }
	tests := map[string]struct {
		job, sheet string
		want       owner
	}{
		"a job":                     {"a", "", owner{job: "a"}},
		"a job and a sheet":         {"a", "12", some("a", 12)},
		"sheet 0":                   {"a", "0", some("a", 0)},
		"the longest job":           {longest, "1", some(longest, 1)},
		"nothing":                   {"", "", owner{}},
		"a sheet alone":             {"", "3", owner{}},
		"a sheet that is a word":    {"a", "three", owner{job: "a"}},
		"a sheet that is a piece":   {"a", "1.5", owner{job: "a"}},
		"a sheet beyond all bounds": {"a", "99999999999999999999", owner{job: "a"}},
		"a sheet not in UTF-8":      {"a", "\xff", owner{job: "a"}},
		"a job of too many bytes":   {longest + "x", "1", owner{}},
		"a job not in UTF-8":        {"a\xff", "1", owner{}},
		"a job with a NUL":          {"a\x00b", "1", owner{}},
	}
	for name, tt := range tests {
		got, named := fromEnvironment(map[string]string{EnvJob: tt.job, EnvSheet: tt.sheet})
		if got != tt.want || named != (tt.want.job != "") {
			t.Errorf("%s: got %+v, %t, want %+v", name, got, named, tt.want)
		}
	}
	if got, named := fromEnvironment(nil); named || got != (owner{}) {
		t.Errorf("no environment: got %+v, %t, want nobody", got, named)
	}
}
