package projector

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/proctape/proctape/schema"
)

// twin is another sampler of a host: of the same machine and moment, and another life.
func twin(h *simHost, life int) *simHost {
	t := &simHost{name: h.name, bootID: h.bootID, wall: h.wall, boot: h.boot, procs: h.procs, lives: life - 1}
	t.restart()
	return t
}

// ofWorker tells of the start, an exec or the end of one process of a job.
func ofWorker(h *simHost, kind schema.Kind, start uint64, cpu, sampled schema.Opt[int64]) *schema.Message {
	if kind == schema.KindExec {
		m := h.execs(1, "j")
		m.Execs[0].PID, m.Execs[0].StartTicks = 50, start
		return m
	}
	m := h.events(kind, 1, "j")
	e := &m.Events[0]
	e.PID, e.StartTicks, e.Sheet, e.CPUMillis, e.SampledCPU = 50, start, schema.Some[int64](1), cpu, sampled
	if cpu.Known {
		e.ExitCode, e.PeakRSS = schema.Some[int64](3), schema.Some[int64](4096)
	}
	return m
}

// twice records a machine with one sampler for three seconds and with a second one beside it for eight more; a worker of a job lives in
// them and uses 900 ms. The second sampler puts the worker's start later by shift. The first has told of no event before the second began,
// as on a machine where nothing happens; in their exits they tell when they began, unless untold.
func twice(shift uint64, untold bool) []*received {
	some := schema.Some[int64]
	l, a := newLog(), newHost("h")
	var told []*received
	tell := func(ms ...*schema.Message) { told = append(told, l.publishAll(ms...)...) }
	for range 3 {
		tell(a.snapshot())
	}
	b := twin(a, 2)
	var worker *schema.Process
	for i := range 8 {
		if worker != nil {
			worker.CPUMillis += 100
		}
		a.pass(second / 3)
		b.boot, b.wall = a.boot-second/2, a.wall-second/2
		tell(b.snapshot(), a.snapshot())
		switch i {
		case 1:
			worker = b.start(schema.Process{PID: 50, JobID: "j", Sheet: some(1), StartTicks: 12_345})
			tell(ofWorker(a, schema.KindSpawn, 12_345, schema.Opt[int64]{}, schema.Opt[int64]{}), ofWorker(b, schema.KindSpawn, 12_345+shift, schema.Opt[int64]{}, schema.Opt[int64]{}),
				ofWorker(b, schema.KindExec, 12_345+shift, schema.Opt[int64]{}, schema.Opt[int64]{}), ofWorker(a, schema.KindExec, 12_345, schema.Opt[int64]{}, schema.Opt[int64]{}))
		case 6:
			delete(b.procs, 50)
			// The first to tell does not know what it used, as without the kernel's accounting, and has newer samples of it.
			ends := []*schema.Message{ofWorker(a, schema.KindExit, 12_345, schema.Opt[int64]{}, some(800)), ofWorker(b, schema.KindExit, 12_345+shift, some(900), some(500))}
			if !untold {
				ends[0].Began, ends[1].Began = second, 60*second
			}
			tell(ends...)
		}
	}
	return told
}

// doubles says what counts twice in a database that was folded of twice.
func (p *tape) doubles() (defects []string) {
	for query, want := range map[string]string{
		`SELECT count(*) FROM snapshots`:                                                                                           "11",
		`SELECT count(DISTINCT instance) FROM snapshots WHERE id > 4`:                                                              "1",
		`SELECT spawns, exits, samples, cpu_ms, exit_cpu_ms, exit_peak_rss_kib FROM jobs`:                                          "1 1 5 500 400 4096",
		`SELECT cpu_ms, exit_cpu_ms FROM job_sheets`:                                                                               "500 400",
		`SELECT group_concat(event_type || ' ' || coalesce(exit_code, '-')) FROM process_events`:                                   "spawn -,exit 3",
		`SELECT cpu_ms, sampled_cpu_ms, peak_rss_kib FROM process_events WHERE event_type='exit'`:                                  "900 500 4096",
		`SELECT count(*) FROM process_execs`:                                                                                       "1",
		`SELECT count(*), sum(count), sum(to_time - from_time > 6) FROM gaps WHERE kind = '` + string(schema.GapTwoSamplers) + `'`: "1 0 1",
		`SELECT count(*), sum(count) FROM gaps WHERE kind = '` + string(schema.GapRestart) + `'`:                                   "1 0",
	} {
		if got := strings.Join(p.rows(query), "|"); got != want {
			defects = append(defects, fmt.Sprintf("%s: got %s, want %s", query, got, want))
		}
	}
	slices.Sort(defects)
	return defects
}

// Two samplers of one machine: nothing counts twice, what either knows of an end is known, and a gap says since when and until when.
// The controls are a second sampler that tells of another process under the worker's pid, and two that do not tell which began later.
func TestFold_TwoSamplers(t *testing.T) {
	for _, n := range []int{1, 7, 1000} {
		p := newTape(t, 0)
		for told := range slices.Chunk(twice(0, false), n) {
			p.fold(told...)
			p.reopen()
		}
		for _, d := range p.doubles() {
			t.Errorf("in batches of %d: %s", n, d)
		}
		checkShape(t, p)
		if lines := strings.Count(p.files()["events.jsonl"], string(schema.GapTwoSamplers)); lines != 1 {
			t.Errorf("in batches of %d: %d lines tell of it, want 1", n, lines)
		}
	}
	for fault, told := range map[string][]*received{
		"a process that counts twice": twice(100, false), "CPU that counts twice": twice(0, true),
	} {
		p := newTape(t, -1)
		p.fold(told...)
		if len(p.doubles()) == 0 {
			t.Errorf("control: %s is not noticed", fault)
		}
	}
}

// When the sampler that began last has ended, the other has the say again, once that has been silent for three periods.
func TestFold_SamplerTakesOver(t *testing.T) {
	l, a, p := newLog(), newHost("h"), newTape(t, 0)
	p.fold(l.publishAll(a.snapshot(), a.snapshot())...)
	b := twin(a, 2)
	p.fold(l.publishAll(b.snapshot(), b.snapshot())...)
	for range 8 {
		p.fold(l.publish(a.snapshot()))
		p.reopen()
	}
	p.wantRows(`SELECT count(*) FROM snapshots WHERE instance LIKE (SELECT instance FROM snapshots ORDER BY id LIMIT 1)`, "5") // two before, three after
	p.wantRows(`SELECT count(*) FROM gaps WHERE kind = 'restart'`, "2")
	b.boot, b.wall = a.boot, a.wall
	for range 3 { // it was only stopped for a while
		p.fold(l.publishAll(b.snapshot(), a.snapshot())...)
		p.reopen()
	}
	p.wantRows(`SELECT instance = (SELECT instance FROM snapshots ORDER BY id LIMIT 1) FROM snapshots ORDER BY id DESC LIMIT 4`, "0", "0", "0", "1")
}

// Two machines under one name: one's snapshots count, and those of the other are counted as lost. The boots do not alternate.
func TestFold_TwoMachines(t *testing.T) {
	l, a, b, p := newLog(), newHost("h"), newHost("h"), newTape(t, 0)
	b.restart()
	b.bootID = "boot-b"
	for range 10 {
		a.pass(second / 4)
		b.wall = a.wall + second/10
		p.fold(l.publishAll(a.snapshot(), b.snapshot())...)
		p.reopen()
	}
	p.wantRows(`SELECT boot_id, count(*) FROM snapshots GROUP BY 1`, "boot-1 10", "boot-b 1")
	p.wantRows(`SELECT count(*), sum(count) FROM gaps WHERE kind = 'two_samplers'`, "1 9")
	p.wantRows(`SELECT count(*) FROM gaps WHERE kind = 'reboot'`, "2")
}

// What two samplers tell gives the same rows in any batches, whatever the order in which they come.
func TestFold_TwoSamplersAnyBatches(t *testing.T) {
	checkSome(t, func(r *rapid.T) {
		roll := seeded(rapid.Uint64().Draw(r, "story"))
		l, a := newLog(), newHost("h", schema.Process{PID: 7, JobID: "j"})
		both := []*simHost{a, twin(a, 2)}
		var told []*received
		for range 40 {
			h := both[roll(2)]
			h.boot, h.wall = max(both[0].boot, both[1].boot), max(both[0].wall, both[1].wall)
			switch roll(4) {
			case 0, 1:
				a.procs[7].CPUMillis += 10
				told = append(told, l.publish(h.snapshot()))
			case 2:
				start := uint64(1000 + 10*roll(6))
				if roll(4) == 0 {
					start = 0 // unknown
				}
				m := ofWorker(h, schema.KindExit, start, schema.Opt[int64]{Known: roll(2) == 0, V: 80}, schema.Some(int64(10*roll(3))))
				e := &m.Events[0]
				e.Within, e.UID, e.Details = schema.Opt[int64]{Known: roll(2) == 0, V: 7}, schema.Some(int64(roll(3))), h.instance.String()
				if roll(2) == 0 {
					e.JobID = "other"
				}
				told = append(told, l.publish(m))
			case 3:
				told = append(told, l.publish(ofWorker(h, schema.KindExec, uint64(1000+10*roll(6)), schema.Opt[int64]{}, schema.Opt[int64]{})))
			}
		}
		whole, split := wholeAndSplit(t, r, told)
		defer whole.close()
		defer split.close()
		if d := diff(split.dump(), whole.dump()); d != "" {
			r.Errorf("tables:\n%s", d)
		}
	})
}

// One sampler finds an end by comparing scans, the other sees it: the row is as that one says, whoever comes first.
func TestFold_SeenEndReplacesUnseen(t *testing.T) {
	some := schema.Some[int64]
	for _, unseenFirst := range []bool{true, false} {
		l, a, p := newLog(), newHost("h"), newTape(t, 0)
		b := twin(a, 2)
		b.pass(second)
		unseen, seen := ofWorker(a, schema.KindExit, 77, some(0), some(0)), ofWorker(b, schema.KindExit, 77, some(900), some(0))
		unseen.Events[0].ExitCode, unseen.Events[0].Within, unseen.Events[0].Lifetime = schema.Opt[int64]{}, some(5000), some(33_400)
		seen.Events[0].Lifetime = some(20_700)
		both := []*schema.Message{unseen, seen}
		if !unseenFirst {
			both = []*schema.Message{seen, unseen}
		}
		for _, m := range both {
			p.fold(l.publish(m))
			p.reopen()
		}
		p.wantRows(`SELECT exit_code, cpu_ms, lifetime_ms, coalesce(within_ms, '-'), CAST(timestamp AS INTEGER) FROM process_events`,
			fmt.Sprint("3 900 20700 - ", b.wall/second))
		p.wantRows(`SELECT exits, exit_cpu_ms FROM jobs`, "1 900")
	}
	l, a, p := newLog(), newHost("h"), newTape(t, 0)
	unseen := ofWorker(a, schema.KindExit, 77, some(0), some(0))
	unseen.Events[0].Within = some(5000)
	p.fold(l.publish(unseen))
	p.wantRows(`SELECT within_ms FROM process_events`, "5000") // the control: alone it is kept
}
