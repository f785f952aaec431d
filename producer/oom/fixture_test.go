package oom

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// machine is a machine without a readable log, made of files.
type machine struct {
	t      *testing.T
	proc   string
	cgroup string
}

// newMachine returns a machine whose vmstat counts no kill, with a version 2 hierarchy and the cgroup /job in it.
func newMachine(t *testing.T) *machine {
	m := &machine{t, t.TempDir(), t.TempDir()}
	m.count(0)
	m.write(filepath.Join(m.cgroup, "cgroup.controllers"), "cpu io memory pids\n")
	m.countIn("job", 0)
	return m
}

func (m *machine) write(path, text string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// count sets how many kills vmstat counts.
func (m *machine) count(n int) {
	m.write(filepath.Join(m.proc, "vmstat"), "nr_free_pages 5\noom_kill "+strconv.Itoa(n)+"\nunevictable_pgs_culled 0\n")
}

// countIn sets how many kills a cgroup of its own counts, of more below it.
func (m *machine) countIn(cgroup string, n int) {
	text := "low 0\nhigh 0\nmax 31\noom 2\noom_kill "
	m.write(filepath.Join(m.cgroup, cgroup, "memory.events.local"), text+strconv.Itoa(n)+"\noom_group_kill 0\n")
	m.write(filepath.Join(m.cgroup, cgroup, "memory.events"), text+strconv.Itoa(n+100)+"\noom_group_kill 0\n")
}

func (m *machine) open() *Watch {
	w := Open(Config{Root: m.proc, Kmsg: filepath.Join(m.proc, "kmsg"), Cgroup: m.cgroup})
	m.t.Cleanup(func() { w.Close() })
	return w
}

func poll(t *testing.T, w *Watch) {
	t.Helper()
	if err := w.Poll(); err != nil {
		t.Fatal(err)
	}
}

// judge judges deaths now, and says of each y, n or l, as it was an oom kill, was not, or likely was.
func judge(w *Watch, deaths ...Death) string {
	var out strings.Builder
	for _, d := range deaths {
		if d.Boot == 0 {
			d.Boot = bootTime()
		}
		switch k, ok := w.Judge(d); {
		case !ok:
			out.WriteByte('n')
		case k.Likely:
			out.WriteByte('l')
		default:
			out.WriteByte('y')
		}
	}
	return out.String()
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %s, want %s", what, got, want)
	}
}

func TestJudge_ByCgroup(t *testing.T) {
	m := newMachine(t)
	m.countIn("job", 3) // before anybody looked
	m.countIn("other", 0)
	w := m.open()
	w.Track("/job")
	w.Track("/other")
	w.Track("/never")
	job := Death{PID: 5, Cgroup: "/job"}
	expect(t, "nothing was counted", judge(w, job), "n")

	m.count(2)
	m.countIn("job", 5)
	expect(t, "the other cgroup counted nothing", judge(w, Death{PID: 5, Cgroup: "/other"}), "n")
	k, ok := w.Judge(Death{PID: 6, Cgroup: "/job", Boot: bootTime()})
	if !ok || k != (Kill{Cgroup: "/job", Source: SourceCgroup}) {
		t.Errorf("got %+v, %t", k, ok)
	}
	expect(t, "two kills were counted, one is claimed", judge(w, job, job), "yn")
	expect(t, "both are claimed of the machine's count too", judge(w, Death{PID: 7}), "n")

	m.count(3)
	m.countIn("job", 6)
	poll(t, w) // now it is known when that was
	late := job
	late.Boot = bootTime() + int64(2*time.Minute)
	expect(t, "long after", judge(w, late), "n")
	early := job
	early.Boot = bootTime() - int64(2*time.Minute)
	expect(t, "long before", judge(w, early), "n")
	expect(t, "then", judge(w, job), "y")
}

// A cgroup goes when its last process has died; what it counted by the last poll is known.
func TestJudge_CgroupIsGone(t *testing.T) {
	m := newMachine(t)
	w := m.open()
	w.Track("/job")
	m.count(1)
	m.countIn("job", 1)
	poll(t, w)
	if err := os.RemoveAll(filepath.Join(m.cgroup, "job")); err != nil {
		t.Fatal(err)
	}
	expect(t, "the count of a cgroup that is gone", judge(w, Death{PID: 5, Cgroup: "/job"}, Death{PID: 6, Cgroup: "/job"}), "yn")
}

// Cgroups are read when the machine has counted a kill, and not else.
func TestPoll_ReadsCgroupsWhenTheMachineCounted(t *testing.T) {
	m := newMachine(t)
	w := m.open()
	w.Track("/job")
	m.countIn("job", 1)
	poll(t, w)
	if n := w.groups.tracked["/job"].value; n != 0 {
		t.Errorf("read %d, though the machine counted nothing", n)
	}
	m.count(1)
	poll(t, w)
	if n := w.groups.tracked["/job"].value; n != 1 {
		t.Errorf("got %d, want 1", n)
	}
}

func TestJudge_ByMachine(t *testing.T) {
	m := newMachine(t)
	m.count(40)
	w := m.open()
	expect(t, "nothing was counted", judge(w, Death{PID: 5}), "n")
	m.count(42)
	expect(t, "two of three", judge(w, Death{PID: 5}, Death{PID: 6, Cgroup: "/never"}, Death{PID: 7}), "lln")
	m.count(43)
	poll(t, w)
	expect(t, "ten seconds after", judge(w, Death{PID: 5, Boot: bootTime() + 10e9}), "n")
	m.count(3)
	poll(t, w)
	expect(t, "another counter", judge(w, Death{PID: 5, Boot: bootTime() + 10e9}), "n")
	expect(t, "its first rise is claimable still", judge(w, Death{PID: 5}), "n")
}

// In version 1 a process has a cgroup for each controller, so that a counter that has not risen proves nothing.
func TestJudge_Version1(t *testing.T) {
	m := newMachine(t)
	if err := os.Remove(filepath.Join(m.cgroup, "cgroup.controllers")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(m.cgroup, "memory/job/memory.oom_control")
	m.write(filepath.Join(m.cgroup, "memory/memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n")
	m.write(file, "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n")
	w := m.open()
	w.Track("/job")
	m.count(1)
	expect(t, "the machine counted", judge(w, Death{PID: 5, Cgroup: "/job"}), "l")
	m.count(2)
	m.write(file, "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
	expect(t, "the cgroup counted", judge(w, Death{PID: 5, Cgroup: "/job"}), "y")
}

func TestOpenGroups(t *testing.T) {
	hybrid := newMachine(t)
	hybrid.write(filepath.Join(hybrid.cgroup, "cgroup.controllers"), "")
	hybrid.write(filepath.Join(hybrid.cgroup, "unified/cgroup.controllers"), "cpu memory\n")
	got, err := openGroups(hybrid.cgroup)
	if err != nil || got.mount != filepath.Join(hybrid.cgroup, "unified") || !got.unified {
		t.Errorf("hybrid: got %+v, %v", got, err)
	}
	hybrid.write(filepath.Join(hybrid.cgroup, "unified/cgroup.controllers"), "hugetlb\n")
	if got, err := openGroups(hybrid.cgroup); err == nil {
		t.Errorf("without a memory controller: got %+v", got)
	}
}

// No cgroup leads out of the mount, and older kernels have memory.events alone.
func TestGroups_Read(t *testing.T) {
	m := newMachine(t)
	m.countIn("../outside", 9)
	m.countIn("a/b", 4)
	g, err := openGroups(m.cgroup)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := g.read("/a/b"); n != 4 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	for _, bad := range []string{"/../outside", "../outside", "/", "", "/none", "/job (deleted)"} {
		if n, err := g.read(bad); err == nil {
			t.Errorf("%q: got %d", bad, n)
		}
	}
	if err := os.Remove(filepath.Join(m.cgroup, "a/b/memory.events.local")); err != nil {
		t.Fatal(err)
	}
	if n, err := g.read("/a/b"); n != 104 || err != nil {
		t.Errorf("memory.events: got %d, %v", n, err)
	}
}

func TestTrack_IsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	m := newMachine(t)
	w := m.open()
	for i := range maxGroups + 10 {
		name := "g" + strconv.Itoa(i)
		m.countIn(name, 0)
		w.Track("/" + name)
		w.Track("/g0") // the one that is named again and again stays
	}
	if n := len(w.groups.tracked); n != maxGroups || w.groups.tracked["/g0"] == nil || w.groups.tracked["/g1"] != nil {
		t.Errorf("got %d tracked, want %d, with /g0 and without /g1", n, maxGroups)
	}
}

func TestSources(t *testing.T) {
	m := newMachine(t)
	got := m.open().Sources()
	if len(got) != 3 || !strings.HasPrefix(got[0], "no kmsg: find out the pid namespace: ") ||
		!strings.HasPrefix(got[1], "cgroup: ") || !strings.HasPrefix(got[2], "vmstat: ") {
		t.Errorf("got %q", got)
	}

	m.write(filepath.Join(m.proc, "vmstat"), "nr_free_pages 5\n")
	m.write(filepath.Join(m.cgroup, "cgroup.controllers"), "cpu\n")
	if err := os.MkdirAll(filepath.Join(m.proc, "self/ns"), 0o700); err != nil {
		t.Fatal(err)
	}
	namespace := filepath.Join(m.proc, "self/ns/pid")
	if err := os.Symlink("pid:[4026532000]", namespace); err != nil {
		t.Fatal(err)
	}
	bare := m.open()
	got = bare.Sources()
	want := []string{
		"no kmsg: its pids are not those of this pid namespace",
		"no cgroup: no memory controller below " + m.cgroup,
		"no vmstat: " + m.proc + "/vmstat has no oom_kill, which takes Linux 4.13",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	poll(t, bare)
	bare.Track("/job")
	expect(t, "with nothing to go by", judge(bare, Death{PID: 5, Cgroup: "/job"}), "n")

	os.Remove(namespace)
	if err := os.Symlink("pid:[4026531836]", namespace); err != nil {
		t.Fatal(err)
	}
	if got := m.open().Sources()[0]; !strings.HasPrefix(got, "no kmsg: open ") {
		t.Errorf("got %q", got)
	}
}

// A log of records in memory. What is overwritten is counted and passed over; a log that fails makes way for the
// counters.
func TestPoll_Log(t *testing.T) {
	m := newMachine(t)
	w := m.open()
	type reading struct {
		text string
		err  error
	}
	var next []reading
	closed := 0
	w.kmsg = &kmsg{buf: make([]byte, recordSize), at: bootTime(), close: func() error { closed++; return nil },
		read: func(buf []byte) (int, error) {
			if len(next) == 0 {
				return 0, unix.EAGAIN
			}
			r := next[0]
			next = next[1:]
			return copy(buf, r.text), r.err
		}}
	reason := func(pid string) string {
		return "6,1,1,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=0,oom_memcg=/a,task_memcg=/a,task=x,pid=" + pid + ",uid=0"
	}
	victim := func(pid string) string {
		return "3,1,1,-;Memory cgroup out of memory: Killed process " + pid + " (x) total-vm:9kB, anon-rss:7kB, file-rss:0kB"
	}
	next = []reading{
		{"6,1,1,-;boot", nil}, {"", unix.EINTR}, {"", unix.EPIPE}, {reason("5"), nil},
		{victim("5"), nil},
		{"", unix.EPIPE},
		{"3,1,1,-;Memory cgroup out of memory: Killed process 6 (x) total-vm:9kB, anon-rss:8kB, file-rss:0kB", nil},
	}
	poll(t, w)
	if w.Lost() != 2 {
		t.Errorf("got %d losses, want 2", w.Lost())
	}
	if k, ok := w.Judge(Death{PID: 5, Boot: bootTime()}); !ok ||
		k != (Kill{Scope: ScopeMemcg, Cgroup: "/a", VictimRSSKiB: kib(7), Source: SourceKmsg}) {
		t.Errorf("got %+v, %t", k, ok)
	}
	if k, ok := w.Judge(Death{PID: 6, Boot: bootTime()}); !ok || k != (Kill{Scope: ScopeMemcg, VictimRSSKiB: kib(8), Source: SourceKmsg}) {
		t.Errorf("got %+v, %t", k, ok)
	}
	m.count(9) // the log decides alone
	expect(t, "each is explained once, and nobody else", judge(w, Death{PID: 5}, Death{PID: 6}, Death{PID: 7}, Death{}), "nnnn")

	next = []reading{{reason("9"), nil}, {victim("8"), nil}}
	poll(t, w)
	expect(t, "a reason of which no kill came", judge(w, Death{PID: 9}), "n")
	expect(t, "more than a minute after", judge(w, Death{PID: 8, Boot: bootTime() + 62e9}), "n")
	expect(t, "before", judge(w, Death{PID: 8, Boot: bootTime() - 5e9}), "n")
	expect(t, "half a minute after", judge(w, Death{PID: 8, Boot: bootTime() + 30e9}), "y")

	for range 3 * maxKills {
		next = append(next, reading{victim(strconv.Itoa(1000 + len(next))), nil})
	}
	poll(t, w)
	if len(w.kills) != maxKills || w.kills[maxKills-1].pid != 1000+3*maxKills-1 {
		t.Errorf("%d kills are remembered, want the last %d", len(w.kills), maxKills)
	}

	next = []reading{{"", unix.EINVAL}}
	if err := w.Poll(); err == nil || closed != 1 || !strings.HasPrefix(w.Sources()[0], "no kmsg: ") {
		t.Errorf("a log that fails: got %v, closed %d times, %q", err, closed, w.Sources()[0])
	}
	if w.Lost() != 2 {
		t.Errorf("got %d losses, want 2 still", w.Lost())
	}
	poll(t, w)
	expect(t, "what was counted while the log told", judge(w, Death{PID: 5}), "n")
	m.count(10)
	expect(t, "by the counters", judge(w, Death{PID: 5}), "l")
}
