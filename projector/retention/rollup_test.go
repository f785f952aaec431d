package retention

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// drawnSnapshot is a snapshot from which a rollup is made without a database.
type drawnSnapshot struct {
	head  head
	sys   system
	procs []schema.ProcessRollup // each with the samples of this snapshot
}

// drawMinute draws the snapshots of a minute, of two recorders, oldest first.
func drawMinute(t *rapid.T) []drawnSnapshot {
	const every = 5 * second
	n := rapid.IntRange(1, 12).Draw(t, "snapshots")
	seqs := map[byte]uint64{}
	var snapshots []drawnSnapshot
	for i := range n {
		who := byte(rapid.IntRange(1, 2).Draw(t, "recorder"))
		seqs[who] += uint64(rapid.IntRange(1, 2).Draw(t, "step")) // some are lost
		at := int64(i+1) * every
		l := drawnSnapshot{
			head: head{id: int64(i), host: "h", bootID: "b", boot: at, wall: 28_333_333*minute + at - every, instance: schema.Instance{who}, seq: seqs[who]},
			sys: system{interval: every, daemonPID: 7, cpus: 2, total: 1000, available: draw(t, "available"), load1: draw(t, "load"), load5: draw(t, "load5"),
				daemonRSS: draw(t, "rss"), processes: draw(t, "processes"), zombies: draw(t, "zombies"), jobs: draw(t, "jobs"), sheets: draw(t, "sheets"),
				pressure: rapid.SampledFrom(schema.PressureLevels[:]).Draw(t, "pressure"), partial: draw(t, "partial")%7 == 0},
		}
		if draw(t, "gpus")%2 == 0 {
			l.sys.gpus = []schema.GPU{{Index: int(draw(t, "gpu")) % 2, Utilization: schema.Some(draw(t, "gpu use"))}}
		}
		for pid := range 4 {
			if draw(t, "there")%4 == 0 {
				continue
			}
			p := schema.ProcessRollup{PID: pid + 1, StartTicks: 5, BootID: "b", Command: fmt.Sprint("name-", draw(t, "name")%2), Samples: 1, LastBoot: at,
				State: "S", Threads: int(draw(t, "threads")), CPUMillis: uint64(draw(t, "cpu"))}
			p.RSS = schema.SpreadOf([]int64{draw(t, "rss")}, expectedSamples(every))
			if draw(t, "known")%3 > 0 {
				p.CPUPermille = schema.SpreadOf([]int64{draw(t, "cpu")}, expectedSamples(every))
			}
			l.procs = append(l.procs, p)
		}
		snapshots = append(snapshots, l)
	}
	return snapshots
}

func draw(t *rapid.T, what string) int64 { return rapid.Int64Range(0, 100).Draw(t, what) }

// rollupOf is the rollup of some snapshots at once.
func rollupOf(snapshots []drawnSnapshot) *schema.Rollup {
	u := &schema.Rollup{Minute: 28_333_333 * minute, Samples: int64(len(snapshots)), Processes: []schema.ProcessRollup{}}
	var heads []head
	var used, load, cpu []int64
	type values struct{ cpu, rss []int64 }
	known, last := map[description]*values{}, map[description]schema.ProcessRollup{}
	for _, l := range snapshots {
		heads = append(heads, l.head)
		l.sys.addTo(u)
		used, load = append(used, l.sys.total-l.sys.available), append(load, l.sys.load1)
		busy := int64(0)
		for _, p := range l.procs {
			who := describedBy(&p)
			if known[who] == nil {
				known[who] = new(values)
			}
			p.Samples += last[who].Samples
			last[who] = p
			if p.CPUPermille.Samples > 0 {
				known[who].cpu = append(known[who].cpu, p.CPUPermille.Max)
				busy += p.CPUPermille.Max
			}
			known[who].rss = append(known[who].rss, p.RSS.Max)
		}
		cpu = append(cpu, busy)
	}
	expected := expectedSamples(u.Interval)
	u.Covers = coversOf(heads)
	u.MemoryUsed, u.Load1, u.CPU = schema.SpreadOf(used, expected), schema.SpreadOf(load, expected), schema.SpreadOf(cpu, expected)
	for who, p := range last {
		p.CPUPermille, p.RSS = schema.SpreadOf(known[who].cpu, expected), schema.SpreadOf(known[who].rss, expected)
		u.Processes = append(u.Processes, p)
	}
	sortProcesses(u.Processes)
	return u
}

// messageOf is a rollup as it goes to the log.
func messageOf(t *rapid.T, u *schema.Rollup) []byte {
	b, _, err := schema.Encode(nil, &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindRollup, Host: "h", BootID: "b",
		Instance: schema.RollupInstance("h", u.Minute, u.Covers), Seq: uint64(u.Samples), Wall: u.Minute}, Rollup: u})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Rollups of parts of a minute, merged in whatever order, are the rollup of the minute: the same message, byte for byte.
func TestMergeRollups_PartsMakeTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		snapshots := drawMinute(t)
		want := messageOf(t, rollupOf(snapshots))

		// Deal the snapshots into parts, and merge them two by two.
		type part struct {
			u      *schema.Rollup
			newest int64
		}
		dealt := make([][]drawnSnapshot, rapid.IntRange(1, 4).Draw(t, "parts"))
		for _, l := range snapshots {
			i := rapid.IntRange(0, len(dealt)-1).Draw(t, "part")
			dealt[i] = append(dealt[i], l)
		}
		var parts []part
		for _, some := range dealt {
			if len(some) > 0 {
				parts = append(parts, part{rollupOf(some), some[len(some)-1].head.wall})
			}
		}
		for len(parts) > 1 {
			i := rapid.IntRange(1, len(parts)-1).Draw(t, "other")
			a, b := parts[0], parts[i]
			if rapid.Bool().Draw(t, "swap") {
				a, b = b, a
			}
			parts = slices.Delete(parts, i, i+1)
			parts[0] = part{mergeRollups(a.u, b.u, a.newest > b.newest), max(a.newest, b.newest)}
		}
		if got := messageOf(t, parts[0].u); !bytes.Equal(got, want) {
			t.Fatalf("merged: %+v\nat once: %+v", parts[0].u, rollupOf(snapshots))
		}
	})
}

func TestCoversOf(t *testing.T) {
	a, b := schema.Instance{1}, schema.Instance{2}
	of := func(seqs ...uint64) (heads []head) {
		for _, n := range seqs {
			h := head{instance: a, seq: n}
			if n >= 1000 {
				h = head{instance: b, seq: n - 1000}
			}
			heads = append(heads, h)
		}
		return heads
	}
	for _, tt := range []struct {
		name  string
		heads []head
		want  []schema.Cover
	}{
		{"nothing", nil, nil},
		{"one", of(7), []schema.Cover{{Instance: a, First: 7, Last: 7}}},
		{"a row", of(7, 8, 9), []schema.Cover{{Instance: a, First: 7, Last: 9}}},
		{"a row in no order", of(9, 7, 8), []schema.Cover{{Instance: a, First: 7, Last: 9}}},
		{"a hole", of(7, 9), []schema.Cover{{Instance: a, First: 7, Last: 7}, {Instance: a, First: 9, Last: 9}}},
		{"two lives", of(1008, 7, 1009, 8), []schema.Cover{{Instance: a, First: 7, Last: 8}, {Instance: b, First: 8, Last: 9}}},
		{"two lives whose numbers follow", of(7, 1008), []schema.Cover{{Instance: a, First: 7, Last: 7}, {Instance: b, First: 8, Last: 8}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := coversOf(tt.heads); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			for _, h := range of(6, 7, 8, 9, 10, 1006, 1007, 1008, 1009, 1010) {
				there := slices.ContainsFunc(tt.heads, func(o head) bool { return o.instance == h.instance && o.seq == h.seq })
				if covered(tt.want, h) != there {
					t.Errorf("snapshot %d of %x: covered is %t", h.seq, h.instance[0], !there)
				}
			}
		})
	}
}

// What a database keeps of the covers is what the message said.
func TestCoversText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []schema.Cover
		for _, l := range drawMinute(t) {
			want = append(want, schema.Cover{Instance: l.head.instance, First: l.head.seq, Last: l.head.seq + uint64(draw(t, "more"))})
		}
		got, err := store.ParseCovers(store.CoversText(want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v, %v, want %v", got, err, want)
		}
	})
}
