package fold

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// register folds snapshots into a roster and keeps every row there ever was.
type register struct {
	roster
	out  observed
	rows []*store.Process
	ids  int64
	asks int // how often cpuBefore was asked
}

// observe takes a snapshot in and returns how much CPU each of its processes is said to have used.
func (r *register) observe(m *schema.Message, id int64) []int64 {
	r.out.reset()
	r.out.seen = appendSightings(r.out.seen, &m.Snapshot.Processes)
	if err := r.roster.observe(m, id, r, &r.out); err != nil {
		panic(err) // a register does not fail
	}
	for _, row := range r.out.touched {
		row.Queued = false // as when they are written
		if !slices.Contains(r.rows, row) {
			r.rows = append(r.rows, row)
		}
	}
	return r.out.usedCPU
}

func (r *register) nextID() int64 { r.ids++; return r.ids }

func (r *register) newBoot(int64, string) {}

func (r *register) cpuBefore(key store.ProcessKey) (most int64, err error) {
	r.asks++
	for _, row := range slices.Concat(r.rows, r.out.touched) {
		if row.ProcessKey == key {
			most = max(most, row.CPUMillis)
		}
	}
	return most, nil
}

// String is one line for each row: id pid command first-last cpu.
func (r *register) String() string {
	var b strings.Builder
	for _, row := range r.rows {
		last := fmt.Sprint(row.Last)
		if row.Last == schema.OpenEnded {
			last = ""
		}
		fmt.Fprintf(&b, "%d %d %s %d-%s %d\n", row.ID, row.PID, row.Command, row.First, last, row.CPUMillis)
	}
	return b.String()
}

// seen is what a snapshot says of a process.
func seen(m *schema.Message, row int) *sighting {
	return &appendSightings(nil, &m.Snapshot.Processes)[row]
}

// snapshotAt is a snapshot of host h at a time in seconds since boot.
func snapshotAt(boot string, at int64, procs ...schema.Process) *schema.Message {
	for i := range procs {
		p := &procs[i]
		if p.StartTicks == 0 {
			p.StartTicks = 1
		}
		p.State = "S"
	}
	return &schema.Message{Envelope: schema.Envelope{Kind: schema.KindSnapshot, Host: "h", BootID: boot, Boot: at * second, Wall: at * second},
		Snapshot: &schema.Snapshot{Interval: second, Processes: schema.ProcessesOf(procs...)}}
}

func TestRoster_Observe(t *testing.T) {
	type process = schema.Process
	tests := []struct {
		name      string
		snapshots []*schema.Message // with the ids 10, 20, …
		want      string
		cpu       [][]int64
	}{
		{"nobody", []*schema.Message{snapshotAt("b", 1)}, "", [][]int64{{}}},
		{"one stays", []*schema.Message{snapshotAt("b", 1, process{PID: 5, Command: "a", CPUMillis: 7}), snapshotAt("b", 2, process{PID: 5, Command: "a", CPUMillis: 9})},
			"1 5 a 10- 9\n", [][]int64{{7}, {2}}},
		{"one comes", []*schema.Message{snapshotAt("b", 1), snapshotAt("b", 2, process{PID: 5, Command: "a", CPUMillis: 3})},
			"1 5 a 20- 3\n", [][]int64{{}, {3}}},
		{"one goes", []*schema.Message{snapshotAt("b", 1, process{PID: 5, Command: "a"}, process{PID: 6, Command: "b"}), snapshotAt("b", 2, process{PID: 6, Command: "b"}), snapshotAt("b", 3)},
			"1 5 a 10-10 0\n2 6 b 10-20 0\n", [][]int64{{0, 0}, {0}, {}}},
		{"one goes as another comes", []*schema.Message{snapshotAt("b", 1, process{PID: 5, Command: "a"}), snapshotAt("b", 2, process{PID: 6, Command: "b"})},
			"1 5 a 10-10 0\n2 6 b 20- 0\n", [][]int64{{0}, {0}}},
		{"comes back under its pid", []*schema.Message{snapshotAt("b", 1, process{PID: 5, Command: "a", CPUMillis: 4}), snapshotAt("b", 2), snapshotAt("b", 3, process{PID: 5, Command: "a", StartTicks: 9, CPUMillis: 1})},
			"1 5 a 10-10 4\n2 5 a 30- 1\n", [][]int64{{4}, {}, {1}}},
		{"pid reused between two snapshots", []*schema.Message{snapshotAt("b", 1, process{PID: 5, Command: "a", CPUMillis: 40}), snapshotAt("b", 2, process{PID: 5, Command: "a", StartTicks: 9, CPUMillis: 3})},
			"1 5 a 10-10 40\n2 5 a 20- 3\n", [][]int64{{40}, {3}}},
		{"execs", []*schema.Message{snapshotAt("b", 1, process{PID: 5, Command: "sh", CPUMillis: 4}), snapshotAt("b", 2, process{PID: 5, Command: "make", CPUMillis: 9})},
			"1 5 sh 10-10 4\n2 5 make 20- 9\n", [][]int64{{4}, {5}}},
		{"parent ends", []*schema.Message{snapshotAt("b", 1, process{PID: 5, Command: "a", PPID: 3}), snapshotAt("b", 2, process{PID: 5, Command: "a", PPID: 1})},
			"1 5 a 10-10 0\n2 5 a 20- 0\n", nil},
		{"joins a job", []*schema.Message{snapshotAt("b", 1, process{PID: 5, Command: "a", CPUMillis: 8}), snapshotAt("b", 2, process{PID: 5, Command: "a", JobID: "j", CPUMillis: 10})},
			"1 5 a 10-10 8\n2 5 a 20- 10\n", [][]int64{{8}, {2}}},
		{"next step", []*schema.Message{snapshotAt("b", 1, process{PID: 5, Command: "a", JobID: "j", Sheet: schema.Some[int64](1)}), snapshotAt("b", 2, process{PID: 5, Command: "a", JobID: "j", Sheet: schema.Some[int64](2)})},
			"1 5 a 10-10 0\n2 5 a 20- 0\n", nil},
		{"step nought is not no step", []*schema.Message{snapshotAt("b", 1, process{PID: 5, Command: "a", JobID: "j"}), snapshotAt("b", 2, process{PID: 5, Command: "a", JobID: "j", Sheet: schema.Some[int64](0)})},
			"1 5 a 10-10 0\n2 5 a 20- 0\n", nil},
		{"another user and cgroup", []*schema.Message{snapshotAt("b", 1, process{PID: 5, Command: "a"}), snapshotAt("b", 2, process{PID: 5, Command: "a", UID: schema.Some[int64](0)}), snapshotAt("b", 3, process{PID: 5, Command: "a", UID: schema.Some[int64](0), Cgroup: "/x"})},
			"1 5 a 10-10 0\n2 5 a 20-20 0\n3 5 a 30- 0\n", nil},
		{"CPU goes back", []*schema.Message{snapshotAt("b", 1, process{PID: 5, Command: "a", CPUMillis: 9}), snapshotAt("b", 2, process{PID: 5, Command: "a", CPUMillis: 7}), snapshotAt("b", 3, process{PID: 5, Command: "a", CPUMillis: 12})},
			"1 5 a 10- 12\n", [][]int64{{9}, {0}, {3}}},
		{"reboot", []*schema.Message{snapshotAt("b", 100, process{PID: 5, Command: "a", CPUMillis: 9}), snapshotAt("c", 1, process{PID: 5, Command: "a", CPUMillis: 2})},
			"1 5 a 10-10 9\n2 5 a 20- 2\n", [][]int64{{9}, {2}}},
		{"reboot into nothing", []*schema.Message{snapshotAt("b", 100, process{PID: 5, Command: "a"}), snapshotAt("c", 1)},
			"1 5 a 10-10 0\n", nil},
		{"two snapshots at one time", []*schema.Message{snapshotAt("b", 1, process{PID: 5, Command: "a"}), snapshotAt("b", 1)},
			"1 5 a 10-10 0\n", nil},
		{"late, and it lives still", []*schema.Message{snapshotAt("b", 1, process{PID: 5, Command: "a", CPUMillis: 1}), snapshotAt("b", 3, process{PID: 5, Command: "a", CPUMillis: 9}), snapshotAt("b", 2, process{PID: 5, Command: "a", CPUMillis: 4})},
			"1 5 a 10- 9\n", [][]int64{{1}, {9 - 1}, {0}}},
		{"late, and it is not there yet", []*schema.Message{snapshotAt("b", 3, process{PID: 5, Command: "a", StartTicks: 250}), snapshotAt("b", 2)},
			"1 5 a 10- 0\n", nil},
		{"late, and it is gone", []*schema.Message{snapshotAt("b", 1), snapshotAt("b", 3), snapshotAt("b", 2, process{PID: 5, Command: "a", CPUMillis: 4})},
			"1 5 a 30-30 4\n", [][]int64{{}, {}, {4}}},
		{"late, and another has its pid", []*schema.Message{snapshotAt("b", 3, process{PID: 5, Command: "new", StartTicks: 250}), snapshotAt("b", 2, process{PID: 5, Command: "old"})},
			"1 5 new 10- 0\n2 5 old 20-20 0\n", nil},
		{"late, and it was called something else", []*schema.Message{snapshotAt("b", 3, process{PID: 5, Command: "make"}), snapshotAt("b", 2, process{PID: 5, Command: "sh"})},
			"1 5 make 10- 0\n2 5 sh 20-20 0\n", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var r register
			for i, m := range test.snapshots {
				cpu := r.observe(m, int64(i+1)*10)
				if test.cpu != nil && !slices.Equal(cpu, test.cpu[i]) {
					t.Errorf("CPU of look %d: got %v, want %v", i, cpu, test.cpu[i])
				}
			}
			if got := r.String(); got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
}

func TestRoster_Peaks(t *testing.T) {
	some := schema.Some[int64]
	var r register
	r.observe(snapshotAt("b", 1, schema.Process{PID: 5}), 1)
	unknown := schema.Opt[int64]{}
	row := r.rows[0]
	if row.MaxCPU != unknown || row.PeakRSS != unknown || row.ReadKiB != unknown || row.WriteKiB != unknown {
		t.Errorf("peaks of what nobody knows: got %+v", row)
	}
	r.observe(snapshotAt("b", 2, schema.Process{PID: 5, CPUPermille: some(0), RSS: some(0), ReadKiB: some(0), WriteKiB: some(0)}), 2)
	if row.MaxCPU != some(0) || row.PeakRSS != some(0) || row.ReadKiB != some(0) || row.WriteKiB != some(0) {
		t.Errorf("peaks of nought: got %+v", row)
	}
	r.observe(snapshotAt("b", 3, schema.Process{PID: 5, CPUPermille: some(900), RSS: some(300), ReadKiB: some(10), WriteKiB: some(20)}), 3)
	r.observe(snapshotAt("b", 4, schema.Process{PID: 5, CPUPermille: some(100), RSS: some(500)}), 4)
	r.observe(snapshotAt("b", 5, schema.Process{PID: 5}), 5)
	r.observe(snapshotAt("b", 6, schema.Process{PID: 5, RSS: some(500)}), 6)
	if row.MaxCPU != some(900) || row.PeakRSS != some(500) || row.ReadKiB != some(10) || row.WriteKiB != some(20) {
		t.Errorf("peaks: got %+v", row)
	}
	if row.PeakAt != some(4) || row.FirstRSS != unknown {
		t.Errorf("the peak was first in snapshot %v, and the first sample knew %v, want 4 and nothing", row.PeakAt, row.FirstRSS)
	}
	r.observe(snapshotAt("b", 7, schema.Process{PID: 5, Command: "other", RSS: some(70)}), 7)
	r.observe(snapshotAt("b", 8, schema.Process{PID: 5, Command: "other", RSS: some(60)}), 8)
	if row := r.rows[1]; row.PeakAt != some(7) || row.FirstRSS != some(70) {
		t.Errorf("of its next description: got %v and %v, want 7 and 70", row.PeakAt, row.FirstRSS)
	}
}

// What is unchanged is not written again.
func TestRoster_TouchesWhatChanged(t *testing.T) {
	var r register
	busy := schema.Process{PID: 5, Command: "busy", CPUMillis: 5}
	idle := schema.Process{PID: 6, Command: "idle", CPUMillis: 1, RSS: schema.Some[int64](10)}
	r.observe(snapshotAt("b", 1, busy, idle), 1)
	busy.CPUMillis, idle.RSS = 6, schema.Some[int64](9)
	r.observe(snapshotAt("b", 2, busy, idle), 2)
	if got := r.out.touched; len(got) != 1 || got[0].Command != "busy" {
		t.Errorf("got %v, want the busy one alone", got)
	}
}

// Each process that is new to a roster may have rows that ended, but not in the first snapshot of a boot: a look-up of
// each process of each host would be most of the work of a fleet that starts.
func TestRoster_AsksForWhatEnded(t *testing.T) {
	var r register
	a, b := schema.Process{PID: 5, Command: "a"}, schema.Process{PID: 6, Command: "b"}
	for i, test := range []struct {
		look *schema.Message
		want int
	}{
		{snapshotAt("b", 1, a), 0},
		{snapshotAt("b", 2, a, b), 1},
		{snapshotAt("b", 3, b), 0},
		{snapshotAt("b", 4, a, b), 1},
		{snapshotAt("c", 1, a, b), 0},
	} {
		r.asks = 0
		if r.observe(test.look, int64(i)); r.asks != test.want {
			t.Errorf("look %d: asked for %d processes, want %d", i, r.asks, test.want)
		}
	}
}

// A row outlives the message it was made from, and must not keep the message's buffer.
func TestRoster_CopiesStrings(t *testing.T) {
	var r register
	command, job, boot := strings.Repeat("c", 30), strings.Repeat("j", 30), strings.Repeat("b", 30)
	r.observe(snapshotAt(boot, 1, schema.Process{PID: 5, Command: command, JobID: job, Cgroup: command}), 1)
	row := r.rows[0]
	for what, pair := range map[string][2]string{"command": {row.Command, command}, "job": {row.Job.ID, job}, "cgroup": {row.Cgroup, command},
		"boot id": {row.BootID, boot}} {
		if pair[0] != pair[1] {
			t.Errorf("%s: got %q, want %q", what, pair[0], pair[1])
		}
		if stringData(pair[0]) == stringData(pair[1]) {
			t.Errorf("%s is part of the message", what)
		}
	}
}

func stringData(s string) *byte { return unsafe.StringData(s) }

// A life is what the boot, the pid and the start time name.
type life struct {
	boot  string
	pid   int
	start uint64
}

// drawSnapshots draws the snapshots of one host: processes come, go, change, and use CPU; the host reboots.
func drawSnapshots(t *rapid.T) []*schema.Message {
	roll := func(what string, n int) int { return rapid.IntRange(0, n-1).Draw(t, what) }
	procs := map[int]*schema.Process{}
	boot, at := 1, int64(1)
	var snapshots []*schema.Message
	for range 1 + roll("snapshots", 25) {
		at++
		if roll("reboot", 20) == 0 {
			boot, at = boot+1, 1
			clear(procs)
		}
		for pid := 1; pid <= 5; pid++ {
			p := procs[pid]
			switch what := roll("what", 8); {
			case p == nil && what < 3, p != nil && what == 0: // comes, or another comes under its pid
				procs[pid] = &schema.Process{PID: pid, Command: "a", StartTicks: uint64(at*100 + int64(pid)), CPUMillis: uint64(roll("cpu", 9))}
			case p == nil:
			case what == 1:
				delete(procs, pid)
			case what == 2:
				p.Command = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "command")
			case what == 3:
				p.PPID = roll("ppid", 3)
			case what == 4:
				p.JobID = rapid.SampledFrom([]string{"", "j", "k"}).Draw(t, "job")
			default:
				p.CPUMillis += uint64(roll("more cpu", 50))
				p.RSS = optional(t, 1000)
				p.CPUPermille = optional(t, 1000)
			}
		}
		var list []schema.Process
		for _, pid := range slices.Sorted(maps.Keys(procs)) {
			list = append(list, *procs[pid])
		}
		snapshots = append(snapshots, snapshotAt(fmt.Sprint("boot-", boot), at, list...))
	}
	return snapshots
}

func optional(t *rapid.T, limit int64) schema.Opt[int64] {
	if rapid.IntRange(0, 3).Draw(t, "known") == 0 {
		return schema.Opt[int64]{}
	}
	return schema.Some(rapid.Int64Range(0, limit).Draw(t, "value"))
}

// delay makes some snapshots come after later ones of the same boot.
func delay(t *rapid.T, snapshots []*schema.Message) []*schema.Message {
	var out, waiting []*schema.Message
	for i, m := range snapshots {
		if i > 0 && m.BootID != snapshots[i-1].BootID {
			out, waiting = append(out, waiting...), nil
		}
		if rapid.IntRange(0, 3).Draw(t, "delayed") == 0 {
			waiting = append(waiting, m)
			continue
		}
		out = append(out, m)
		if len(waiting) > 0 && rapid.Bool().Draw(t, "comes") {
			out, waiting = append(out, waiting[0]), waiting[1:]
		}
	}
	return append(out, waiting...)
}

func checkRoster(t *rapid.T, snapshots []*schema.Message, checkCPU bool) {
	var r register
	id := int64(0)
	held := map[*store.Process][]int64{} // the snapshots that held each row
	onTime := map[int64]bool{}
	used, total := map[life]int64{}, map[life]int64{}
	for _, m := range snapshots {
		id += 1 + rapid.Int64Range(0, 2).Draw(t, "ids of other hosts")
		late := m.BootID == r.Newest.BootID && m.Boot < r.Newest.Boot
		onTime[id] = !late
		before := maps.Clone(r.byPID)
		cpu := r.observe(m, id)
		if late && !maps.Equal(before, r.byPID) {
			t.Fatalf("late snapshot %d changed who is there from %v to %v", id, before, r.byPID)
		}
		if late {
			for _, row := range r.out.touched {
				if row.Last != schema.OpenEnded && (row.First != id || row.Last != id) {
					t.Fatalf("late snapshot %d closed the row %+v", id, row)
				}
			}
		}
		if len(r.out.rows) != m.Snapshot.Processes.Len() || len(cpu) != len(r.out.rows) {
			t.Fatalf("got %d rows and %d figures for %d processes", len(r.out.rows), len(cpu), m.Snapshot.Processes.Len())
		}
		for i, p := range m.Snapshot.Processes.Rows() {
			row := r.out.rows[i]
			if row.PID != p.PID || row.StartTicks != p.StartTicks || row.BootID != m.BootID {
				t.Fatalf("snapshot %d: process %+v has the row %+v", id, p, row)
			}
			if !late && !describes(row, seen(m, i)) {
				t.Fatalf("snapshot %d: %+v is described by %+v", id, p, row)
			}
			held[row] = append(held[row], id)
			who := life{m.BootID, p.PID, p.StartTicks}
			used[who] += cpu[i]
			total[who] = max(total[who], int64(p.CPUMillis))
			if cpu[i] < 0 {
				t.Fatalf("process %d used %d ms", p.PID, cpu[i])
			}
		}
	}
	ids := map[int64]bool{}
	for row, in := range held {
		if ids[row.ID] {
			t.Fatalf("id %d was given twice", row.ID)
		}
		ids[row.ID] = true
		if row.First != in[0] {
			t.Fatalf("row %+v was first held by %d", row, in[0])
		}
		if there := r.byPID[row.PID] == row; there != (row.Last == schema.OpenEnded) {
			t.Fatalf("row %+v: there at the end: %t", row, there)
		}
		for id, onTime := range onTime {
			inside := id >= row.First && id <= row.Last
			holds := slices.Contains(in, id)
			if holds && !inside {
				t.Fatalf("snapshot %d holds a process, whose row is of %d to %d", id, row.First, row.Last)
			}
			if inside && !holds && onTime {
				t.Fatalf("the row of %d to %d covers snapshot %d, which does not hold the process", row.First, row.Last, id)
			}
		}
	}
	if checkCPU && !maps.Equal(used, total) {
		t.Fatalf("CPU by process: got %v, want %v", used, total)
	}
}

// Whatever processes do: their rows cover the snapshots that held them and no others, and their CPU adds up.
func TestRoster_Model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkRoster(t, drawSnapshots(t), true) })
}

// The same with snapshots that come late, but for the CPU (TestBug_LateSnapshotsCountCPUAgain).
func TestRoster_ModelLate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkRoster(t, delay(t, drawSnapshots(t)), false) })
}
