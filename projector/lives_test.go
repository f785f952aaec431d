package projector

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/proctape/proctape/schema"
)

// lifeDefects are queries that count what may not be in the lives of a database of which every start and end was told.
var lifeDefects = map[string]string{
	"lives at one time in one lane": `SELECT count(*) FROM lives a JOIN lives b USING (host_id, job_id, fleet, sheet_num, lane)
		WHERE a.first_event < b.first_event AND lane >= 0 AND a.start_ms < coalesce(b.end_ms, 9e18) AND b.start_ms < coalesce(a.end_ms, 9e18)
		AND (a.start_ms < a.end_ms OR a.end_ms IS NULL) AND (b.start_ms < b.end_ms OR b.end_ms IS NULL)`,
	"ends of no life":                  `SELECT count(*) FROM process_events WHERE event_type = 'exit' AND id NOT IN (SELECT event_id FROM lives)`,
	"starts of no life":                `SELECT count(*) FROM process_events e WHERE event_type = 'spawn' AND id NOT IN (SELECT first_event FROM lives)`,
	"lives that end before they begin": `SELECT count(*) FROM lives WHERE end_ms < start_ms`,
	"lives in the wrong class":         `SELECT count(*) FROM lives WHERE class <> CASE WHEN end_ms IS NULL THEN 31 ELSE CAST(log2(max(1, end_ms - start_ms)) / 2 AS INTEGER) END`,
}

// storm tells of 300 processes of a step that each live up to 3 s, a few at a time, in messages of starts and of ends every quarter of a second; one
// in forty goes on. Some belong to no job, and of some the start is not told.
func storm(l *simLog, seed uint64) (told []*received) {
	roll, h := seeded(seed), newHost("h")
	type life struct{ from, to int64 }
	var lives []life
	for at := int64(0); len(lives) < 300; at += int64(roll(60)) * second / 1000 {
		lives = append(lives, life{at, at + int64(roll(3)*roll(1000))*second/1000})
	}
	tell := func(kind schema.Kind, from, to int64) {
		m := h.events(kind, 0)
		for i, p := range lives {
			at := p.from
			if kind == schema.KindExit {
				at = p.to
			}
			if at < from || at >= to || kind == schema.KindExit && i%40 == 0 || kind == schema.KindSpawn && i%30 == 1 {
				continue
			}
			e := schema.Event{Wall: h.wall - (to - at), Boot: h.boot - (to - at), PID: 100 + i, Command: "cc", StartTicks: uint64((h.boot - to + p.from) / (second / 100)), Source: "bpf"}
			if i%7 > 0 {
				e.JobID, e.Sheet = "j", schema.Some[int64](3)
			}
			if kind == schema.KindExit {
				e.Lifetime = schema.Some((p.to - p.from) * 1000 / second)
			}
			m.Events = append(m.Events, e)
		}
		if n := uint64(len(m.Events)); n > 0 {
			m.Envelope = h.envelope(kind, n)
			told = append(told, l.publish(m))
		}
	}
	end := lives[len(lives)-1].from + 4*second
	for at := int64(0); at < end; at += second / 4 {
		h.pass(second / 4)
		tell(schema.KindSpawn, at, at+second/4)
		tell(schema.KindExit, at, at+second/4)
	}
	return told
}

// Each process has a life, and no two that are there at one time have the same lane; there are no more lanes than there were processes at
// one time, and those that wait for one. It is the same in any batches.
func TestFold_Lives(t *testing.T) {
	checkSome(t, func(r *rapid.T) {
		whole, split := wholeAndSplit(t, r, storm(newLog(), rapid.Uint64().Draw(r, "storm")))
		defer whole.close()
		defer split.close()
		if d := diff(split.dump(), whole.dump()); d != "" {
			r.Errorf("tables:\n%s", d)
		}
		for what, query := range lifeDefects {
			if n := whole.value(query); n != 0 && what != "starts of no life" {
				r.Errorf("%d %s", n, what)
			}
		}
		const most = `SELECT max((SELECT count(*) FROM lives b WHERE b.job_id = 'j' AND b.start_ms < a.start_ms + 1000 AND coalesce(b.end_ms, 9e18) > a.start_ms - 1000)) FROM lives a WHERE a.job_id = 'j'`
		if lanes, lived := whole.value(`SELECT count(*) FROM lanes WHERE job_id = 'j'`), whole.value(most); lanes > lived {
			r.Errorf("%d lanes for at most %d lives at a time", lanes, lived)
		}
		if n := whole.value(`SELECT count(*) FROM lives WHERE end_ms IS NULL AND lane >= 0`); n < 5 {
			r.Errorf("%d lives go on, want those that no end was told of", n)
		}
	})
	// The control: lives of which two are in one lane, and a life that is gone.
	p := newTape(t, -1)
	p.fold(storm(newLog(), 1)...)
	p.exec(`UPDATE lives SET lane = 0`)
	p.exec(`DELETE FROM lives WHERE event_id = (SELECT max(id) FROM process_events WHERE event_type = 'exit')`)
	for _, what := range []string{"lives at one time in one lane", "ends of no life"} {
		if p.value(lifeDefects[what]) == 0 {
			t.Errorf("control: %s are not noticed", what)
		}
	}
}

// A life whose end was not told ends when its process id is another's, or when the machine starts anew; its lane is free then.
func TestFold_LifeWithoutEnd(t *testing.T) {
	l, h, p := newLog(), newHost("h"), newTape(t, 0)
	spawn := func(start int64) *received {
		m := h.events(schema.KindSpawn, 1, "j")
		m.Events[0].StartTicks = uint64(start)
		return l.publish(m)
	}
	p.fold(spawn(h.boot / (second / 100)))
	h.pass(5 * second)
	p.reopen()
	p.fold(spawn(h.boot / (second / 100)))
	h.pass(5 * second)
	p.reopen()
	h.reboot()
	p.fold(spawn(h.boot / (second / 100)))
	p.wantRows(`SELECT class = 31, end_ms IS NULL, end_ms - start_ms > 4000 FROM lives ORDER BY start_ms`, "0 0 1", "0 0 1", "1 1 <nil>")
	p.wantRows(`SELECT class FROM lives ORDER BY start_ms LIMIT 1`, "6") // 5 s: from 4^6 ms on
	p.wantRows(`SELECT count(DISTINCT lane) FROM lives WHERE lane >= 0`, "1")
}
