package oom

import (
	"reflect"
	"strings"
	"testing"

	"github.com/proctape/proctape/schema"
)

func kib(n int64) schema.Opt[int64] { return schema.Some(n) }

func TestParseRecord(t *testing.T) {
	const header = "6,1234,5678900,-;"
	const memcg = "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a/b,task=eat,pid=1300,uid=0"
	const killed = "Memory cgroup out of memory: Killed process 1300 (eat) total-vm:70404kB, anon-rss:65024kB, file-rss:1024kB, shmem-rss:8kB, UID:0 pgtables:176kB oom_score_adj:0"
	const machine = "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0-1,3,global_oom,"
	reason := func(pid int, scope Scope, cgroup string) *record {
		return &record{pid, false, Kill{Scope: scope, Cgroup: cgroup, Source: "kmsg"}}
	}
	victim := func(pid int, scope Scope, rss schema.Opt[int64]) *record {
		return &record{pid, true, Kill{Scope: scope, VictimRSSKiB: rss, Source: "kmsg"}}
	}
	tests := map[string]struct {
		data string
		want *record
	}{
		"the reason: a cgroup":                    {header + memcg, reason(1300, ScopeMemcg, "/a")},
		"the reason, with keys and values":        {header + memcg + "\n SUBSYSTEM=memory\n", reason(1300, ScopeMemcg, "/a")},
		"the reason, by a thread that is named":   {"6,1234,5678900,-,caller=T77;" + memcg, reason(1300, ScopeMemcg, "/a")},
		"the reason: the machine":                 {header + machine + "task_memcg=/u/x,task=eat,pid=7,uid=1000", reason(7, ScopeGlobal, "/u/x")},
		"the reason: a cpuset":                    {header + "oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=0,cpuset=c,mems_allowed=0,global_oom,task_memcg=/,task=eat,pid=7,uid=0", reason(7, ScopeCpuset, "/")},
		"the reason: a policy, without cgroups":   {header + "oom-kill:constraint=CONSTRAINT_MEMORY_POLICY,nodemask=0,cpuset=/,mems_allowed=0,task=eat,pid=7,uid=0", reason(7, ScopeMempolicy, "")},
		"a task that is named like a field":       {header + machine + "task_memcg=/x,task=x,pid=1,uid=0,pid=7,uid=0", reason(7, ScopeGlobal, "/x")},
		"a cgroup that is named like a field":     {header + "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=0,oom_memcg=/x,pid=1,uid=2,task_memcg=/y,pid=3,task=x,pid=7,uid=0", reason(7, ScopeMemcg, "/x,pid=1,uid=2")},
		"the victim of a cgroup":                  {header + killed, victim(1300, ScopeMemcg, kib(66056))},
		"the victim of the machine, Linux 5.1":    {header + "Out of memory: Killed process 7 (eat) total-vm:9kB, anon-rss:7kB, file-rss:0kB, shmem-rss:0kB", victim(7, "", kib(7))},
		"the victim of the machine, Linux 5.4":    {header + "Out of memory: Killed process 7 (eat) total-vm:9kB, anon-rss:7kB, file-rss:0kB, shmem-rss:0kB, UID:0", victim(7, "", kib(7))},
		"the victim, who wanted the memory":       {header + "Out of memory (oom_kill_allocating_task): Killed process 7 (eat) total-vm:9kB, anon-rss:7kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:-997", victim(7, "", kib(7))},
		"a victim without sizes":                  {header + "Out of memory: Killed process 7 (eat) total-vm:9kB", victim(7, "", schema.Opt[int64]{})},
		"a victim that is named like the rest":    {header + "Out of memory: Killed process 7 () total-vm:9kB,) total-vm:9kB, anon-rss:7kB", victim(7, "", kib(7))},
		"a victim without a name":                 {header + "Out of memory: Killed process 7 () total-vm:9kB, anon-rss:7kB", victim(7, "", kib(7))},
		"a victim whose name has a newline":       {header + `Out of memory: Killed process 7 (a\x0ab: c) total-vm:9kB, anon-rss:7kB`, victim(7, "", kib(7))},
		"a victim of fifteen escaped bytes":       {header + "Out of memory: Killed process 7 (" + strings.Repeat(`\x1b`, 15) + ") total-vm:9kB", victim(7, "", schema.Opt[int64]{})},
		"an absurd size":                          {header + "Out of memory: Killed process 7 (eat) total-vm:9kB, anon-rss:99999999999999999999kB", victim(7, "", schema.Opt[int64]{})},
		"a constraint that is not known":          {header + "oom-kill:constraint=CONSTRAINT_MOON,nodemask=0,task=eat,pid=7,uid=0", nil},
		"what a program wrote, facility user":     {"12,1,1,-;" + memcg, nil},
		"what a program wrote, facility daemon":   {"30,1,1,-;" + killed, nil},
		"a priority that is no number":            {"+6,1,1,-;" + killed, nil},
		"the rest of a broken line":               {"6,1,1,c;" + killed, nil},
		"a short header":                          {"6,1;" + killed, nil},
		"no header":                               {memcg, nil},
		"an empty record":                         {"", nil},
		"another record":                          {header + "EXT4-fs (loop0): recovery complete", nil},
		"the reaper":                              {header + "oom_reaper: reaped process 1300 (eat), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB", nil},
		"a victim that ends by itself":            {header + "Out of memory: OOM victim 7 (eat) is already exiting. Skip killing the task", nil},
		"a line of the task table":                {header + "[   1300]     0  1300    17601    16384      176        0             0 eat", nil},
		"somebody else's killed process":          {header + "lowmem: Killed process 7 (eat) total-vm:9kB", nil},
		"the reason, cut short":                   {header + memcg[:len(memcg)-10], nil},
		"no pid":                                  {header + machine + "task=eat,uid=0", nil},
		"pid 0":                                   {header + machine + "task=eat,pid=0,uid=0", nil},
		"a pid too large":                         {header + machine + "task=eat,pid=4294967296,uid=0", nil},
		"a second line that looks like one":       {header + "usb 1-1: new device\n " + memcg, nil},
		"a sentence that goes on":                 {header + killed + " and so on", nil},
		"a sentence that begins earlier":          {header + "x: " + killed, nil},
		"two sentences, one of a name in between": {header + "Out of memory: [9]: Killed process 7 (eat) total-vm:9kB", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := parseRecord([]byte(tt.data))
			want := record{}
			if tt.want != nil {
				want = *tt.want
			}
			if ok != (tt.want != nil) || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %t, want %+v", got, ok, want)
			}
		})
	}
}

// Whatever the log says, a victim has a pid that can be, a size that can be and words for it.
func FuzzParseRecord(f *testing.F) {
	f.Add([]byte("6,1,1,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=0,oom_memcg=/a,task_memcg=/a/b,task=eat,pid=1300,uid=0\n A=b\n"))
	f.Add([]byte("3,1,1,-;Memory cgroup out of memory: Killed process 1300 (eat) total-vm:4kB, anon-rss:6kB, file-rss:1kB, shmem-rss:8kB"))
	f.Add([]byte("3,1,1,-;Out of memory: Killed process 1 () total-vm:) total-vm:,anon-rss:kB"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, ok := parseRecord(data)
		if !ok && !reflect.DeepEqual(r, record{}) {
			t.Errorf("not a kill, but %+v", r)
		}
		if ok && (r.pid <= 0 || r.kill.VictimRSSKiB.V < 0 || r.kill.Source != SourceKmsg || len(r.kill.Details()) > 1024) {
			t.Errorf("got %+v", r)
		}
	})
}

func TestField(t *testing.T) {
	const data = "oom_kill_disable 0\nunder_oom 0\noom_kill 17\nlast 3"
	for name, want := range map[string]uint64{"oom_kill": 17, "last": 3, "under_oom": 0} {
		if got, ok := field([]byte(data), name); got != want || !ok {
			t.Errorf("%s: got %d, %t, want %d", name, got, ok, want)
		}
	}
	for _, bad := range []string{"", "oom_kill", "oom_kill x", "oom_kill -1", "xoom_kill 1"} {
		if got, ok := field([]byte(bad), "oom_kill"); ok {
			t.Errorf("%q: got %d", bad, got)
		}
	}
}

func TestKill_Details(t *testing.T) {
	for want, k := range map[string]Kill{
		"out of memory: cgroup /a was at its limit; the process held 64 MiB": {Scope: ScopeMemcg, Cgroup: "/a", VictimRSSKiB: kib(64 << 10)},
		"out of memory: its cgroup was at its limit; the process held 5 KiB": {Scope: ScopeMemcg, VictimRSSKiB: kib(5)},
		"out of memory: the machine had none left":                           {Scope: ScopeGlobal, Cgroup: "/a"},
		"out of memory: the memory nodes of its cpuset had none left":        {Scope: ScopeCpuset},
		"out of memory: the memory nodes that its policy allows had none left": {
			Scope: ScopeMempolicy,
		},
		"out of memory: the kernel killed a process of cgroup /a": {Cgroup: "/a", Source: SourceCgroup},
		"out of memory: the kernel killed it":                     {Source: SourceKmsg},
		"probably out of memory: the kernel killed a process of this machine for want of memory at that time": {
			Likely: true, Source: SourceVmstat,
		},
	} {
		if got := k.Details(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
