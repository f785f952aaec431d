package projector

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/schema"
)

// minuteSums are queries of the minutes, each with one that makes the same of the rows that the minutes are of.
var minuteSums = map[string]string{
	`SELECT timestamp, host_id, samples, cpu_samples, cpu_sum, coalesce(cpu_max, -1), memory_samples, memory_sum, memory_max, memory_total_kib FROM host_minutes WHERE samples > 0`: `
		SELECT wall_ns / 60000000000 * 60.0, host_id, count(*), count(busy), total(busy), coalesce(max(busy), -1), count(*), CAST(sum(system_memory_used_mb * 1024) AS INTEGER),
		CAST(max(system_memory_used_mb * 1024) AS INTEGER), CAST(max(system_memory_total_mb * 1024) AS INTEGER)
		FROM (SELECT s.*, (SELECT sum(cpu_permille) FROM samples m WHERE m.id >> 22 = s.id) AS busy FROM snapshots s) GROUP BY 1, 2`,
	`SELECT timestamp, host_id, starts, ends, deaths FROM host_minutes WHERE starts + ends > 0`: `
		SELECT CAST(timestamp / 60 AS INTEGER) * 60.0, host_id, sum(event_type = 'spawn'), sum(event_type = 'exit'), sum(event_type = 'exit' AND signal_num IS NOT NULL)
		FROM process_events WHERE event_type IN ('spawn', 'exit') GROUP BY 1, 2`,
	`SELECT timestamp, host_id, job_id, fleet, sheet_num, starts, ends, deaths, exit_cpu_ms, coalesce(largest_kib, -1), coalesce(longest_ms, -1) FROM step_minutes WHERE starts + ends > 0`: `
		SELECT CAST(timestamp / 60 AS INTEGER) * 60.0, host_id, coalesce(job_id, ''), fleet, coalesce(sheet_num, -1), sum(event_type = 'spawn'), sum(event_type = 'exit'),
		sum(event_type = 'exit' AND signal_num IS NOT NULL), coalesce(sum(CASE WHEN event_type = 'exit' THEN max(0, cpu_ms - sampled_cpu_ms) END), 0),
		coalesce(max(CASE WHEN event_type = 'exit' THEN peak_rss_kib END), -1), coalesce(max(CASE WHEN event_type = 'exit' THEN lifetime_ms END), -1)
		FROM process_events WHERE event_type IN ('spawn', 'exit') GROUP BY 1, 2, 3, 4, 5`,
	`SELECT host_id, program, sum(starts), sum(ends), sum(cpu_ms) FROM program_minutes GROUP BY 1, 2`: `
		SELECT host_id, substr(coalesce(command, ''), 1, instr(coalesce(command, '') || ' ', ' ') - 1), sum(event_type = 'spawn'), sum(event_type = 'exit'), coalesce(sum(CASE WHEN event_type = 'exit' THEN cpu_ms END), 0)
		FROM process_events WHERE event_type IN ('spawn', 'exit') GROUP BY 1, 2`,
}

// minuteDefects says where the minutes are not what the rows make.
func (p *tape) minuteDefects() (defects []string) {
	for minutes, rows := range minuteSums {
		got, want := p.rows(minutes), p.rows(rows)
		slices.Sort(got)
		slices.Sort(want)
		for i, row := range want {
			want[i] = strings.ReplaceAll(row, ".0 ", " ")
		}
		for i, row := range got {
			got[i] = strings.ReplaceAll(row, ".0 ", " ")
		}
		if !slices.Equal(got, want) {
			defects = append(defects, minutes+":\ngot  "+strings.Join(got, "\n     ")+"\nwant "+strings.Join(want, "\n     "))
		}
	}
	return defects
}

// The minutes are what the snapshots and events of them make, whatever comes late, twice or not at all.
func TestFold_Minutes(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	for seed := range uint64(3) {
		p := newTape(t, -1)
		p.fold(story{late: true, poison: true, full: true}.tell(seeded(seed), 400)...)
		if p.rows(`SELECT count(*) FROM host_minutes WHERE samples > 0 AND ends > 0`)[0] == "0" {
			t.Fatal("the story has no minute with samples and ends: this test catches nothing")
		}
		for _, d := range p.minuteDefects() {
			t.Errorf("story %d: %s", seed, d)
		}
	}
	// The control: a row that no minute knows.
	p := newTape(t, -1)
	p.fold(story{}.tell(seeded(1), 60)...)
	p.exec(`INSERT INTO process_events SELECT id + 1000000, timestamp, pid, 'exit', exit_code, signal_num, job_id, sheet_num, details, host_id,
		boot_id, boot_ns, start_ticks, ppid, uid, command, core, cpu_ms, peak_rss_kib, read_kib, write_kib, lifetime_ms, sampled_cpu_ms, source, instance, seq, fleet, within_ms, system_cpu_ms
		FROM process_events LIMIT 1`)
	if len(p.minuteDefects()) == 0 {
		t.Error("control: an exit that no minute counts is not noticed")
	}
}

// CPU of a step's minute is what its processes used between snapshots; what an old process had used before is not of the minute.
func TestFold_MinuteOfStep(t *testing.T) {
	some := schema.Some[int64]
	l, p := newLog(), newTape(t, 0)
	h := newHost("h", schema.Process{PID: 5, JobID: "j", Sheet: some(2), CPUMillis: 90_000})
	p.fold(l.publish(h.snapshot()))
	h.procs[5].CPUMillis, h.procs[5].CPUPermille = 90_300, some(300)
	p.fold(l.publish(h.snapshot()))
	p.wantRows(`SELECT job_id, sheet_num, cpu_ms FROM step_minutes`, "j 2 300")
	p.wantRows(`SELECT samples, cpu_samples, cpu_sum, cpu_max FROM host_minutes`, "2 1 300 300")
}

// Hours are made of minutes when they are over, made anew when something comes late, and keep what they have when their minutes go.
func TestRetention_Hours(t *testing.T) {
	w := newWorld(t)
	h := w.host("alpha")
	d := w.open("live", retention.Settings{Policy: schema.Policy{FullResolution: 10 * time.Minute, Downsampled: 3 * time.Hour, Events: 3 * time.Hour}})
	w.run(hour+20*minute, 20*second, steady, h)
	w.publish(h.events(schema.KindSpawn, 2))
	d.settle()
	d.retain()
	const hours = `SELECT h.samples = (SELECT sum(samples) FROM host_minutes m WHERE m.timestamp >= h.timestamp AND m.timestamp < h.timestamp + 3600), h.starts FROM host_hours h ORDER BY timestamp LIMIT 1`
	first := d.rows(hours)
	if len(first) != 1 || !strings.HasPrefix(first[0], "1 ") {
		t.Fatalf("got the hours %q, want one with the samples of its minutes", first)
	}
	d.exec(`UPDATE host_minutes SET starts = starts + 7 WHERE timestamp = (SELECT min(timestamp) FROM host_hours)`) // as if it came late
	d.exec(`INSERT OR IGNORE INTO host_minutes(timestamp, host_id, starts) SELECT timestamp, host_id, 7 FROM host_hours LIMIT 1`)
	d.retain()
	if again := d.rows(hours); slices.Equal(again, first) {
		t.Errorf("got the hours %q after something came late, want it in them", again)
	}
	samples := d.rows(`SELECT samples FROM host_hours ORDER BY timestamp LIMIT 1`)
	d.exec(`DELETE FROM host_minutes WHERE timestamp < (SELECT max(timestamp) FROM host_minutes) - 3600`)
	d.retain()
	if got := d.rows(`SELECT samples FROM host_hours ORDER BY timestamp LIMIT 1`); !slices.Equal(got, samples) {
		t.Errorf("got %q samples in the hour when its minutes had gone, want %q", got, samples)
	}
}

// Lives go with the events that tell of them; those that go on stay.
func TestRetention_Lives(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	w := newWorld(t)
	h := w.host("alpha")
	d := w.open("live", retention.Settings{Policy: schema.Policy{FullResolution: 10 * time.Minute, Downsampled: 3 * time.Hour, Events: time.Hour}})
	ended := func() *schema.Message {
		m := h.events(schema.KindExit, 2)
		m.Events[0].Lifetime, m.Events[1].Lifetime = schema.Some[int64](100), schema.Some[int64](60_000)
		return m
	}
	w.publish(ended())
	w.publish(h.events(schema.KindSpawn, 3))
	w.run(2*hour, 20*second, steady, h)
	w.publish(ended())
	d.settle()
	d.retain()
	if got := d.rows(`SELECT count(*), count(end_ms) FROM lives`); !slices.Equal(got, []string{"3 2"}) {
		t.Errorf("got %q lives and ends, want two that ended just now and one that goes on", got)
	}
}
