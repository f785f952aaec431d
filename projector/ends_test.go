package projector

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/proctape/proctape/schema"
)

// ofLives are the gaps of lives, without those between snapshots.
const ofLives = `SELECT kind, coalesce(message_kind, '-'), coalesce(first_seq, 0), coalesce(last_seq, 0), coalesce(count, 'unknown'), details
	FROM gaps WHERE instance IS NOT NULL ORDER BY stream, at_seq, n`

// lives is a host whose first life made five snapshots and seven exits, and its second one of each, which tell of it.
func lives(cut bool) (h *simHost, first, second []*schema.Message) {
	h = newHost("h")
	h.tells = true
	if !cut {
		h.lives++
	}
	for range 5 {
		first = append(first, h.snapshot())
	}
	for range 7 {
		first = append(first, h.events(schema.KindExit, 1))
	}
	h.restart()
	return h, first, []*schema.Message{h.snapshot(), h.events(schema.KindSpawn, 1), h.snapshot(), h.events(schema.KindSpawn, 1)}
}

// What a life made and did not come is a gap as soon as the next life tells of it, in each stream. What comes after all
// fills it.
func TestFold_EndOfALife(t *testing.T) {
	const snapshots = "end_lost snapshot 4 5 2 snapshot 4 to 5 did not come, and the producer has ended; of 12 items that it made, the log had acknowledged 0"
	const exits = "end_lost event.exit 6 7 2 event.exit 6 to 7 did not come, and the producer has ended; of 12 items that it made, the log had acknowledged 0"
	const unknown = "end_unknown - 0 0 unknown a producer was cut off; what it made after it last wrote that down is not known"
	for _, cut := range []bool{false, true} {
		l, p := newLog(), newTape(t, 0)
		_, first, second := lives(cut)
		p.fold(l.publishAll(append(first[:3:3], first[5:10]...)...)...)
		p.reopen()
		p.fold(l.publishAll(second...)...)
		if cut {
			p.wantRows(ofLives, exits, unknown, snapshots, unknown)
		} else {
			p.wantRows(ofLives, exits, snapshots)
		}
		checkShape(t, p)
		p.reopen()
		p.fold(l.publishAll(first[3], first[4], first[10], first[11])...)
		p.wantRows(`SELECT count(*) FROM gaps WHERE kind = 'end_lost'`, "0")
		checkShape(t, p)
	}
}

// The control: numbers alone show nothing of it.
func TestFold_EndOfALifeControl(t *testing.T) {
	l, p := newLog(), newTape(t, 0)
	_, first, second := lives(false)
	for _, m := range second {
		m.Ended = nil
	}
	p.fold(l.publishAll(append(first[:3:3], first[5:10]...)...)...)
	p.fold(l.publishAll(second...)...)
	p.wantRows(ofLives)
}

// A life that dropped items at its end says so itself.
func TestFold_EndThatWasDropped(t *testing.T) {
	l, p := newLog(), newTape(t, 0)
	_, first, second := lives(false)
	for _, m := range second {
		for i := range m.Ended {
			m.Ended[i].Dropped = []schema.Drop{{Reason: "not taken before the stop", Count: 4}}
		}
	}
	p.fold(l.publishAll(append(first[:3:3], first[5:10]...)...)...)
	p.fold(l.publishAll(second...)...)
	p.wantRows(ofLives, "dropped event.exit 6 7 2 event.exit 6 to 7 did not come: not taken before the stop 4 so far",
		"dropped snapshot 4 5 2 snapshot 4 to 5 did not come: not taken before the stop 4 so far")
}

// A life that says less than has come was written down too early: its end is not known.
func TestFold_EndOfAnOldCopy(t *testing.T) {
	l, p := newLog(), newTape(t, 0)
	_, first, second := lives(false)
	for _, m := range second {
		for i := range m.Ended {
			m.Ended[i].Reached = []schema.Reached{{Kind: schema.KindSnapshot, Seq: 3}}
		}
	}
	p.fold(l.publishAll(first...)...)
	p.fold(l.publishAll(second...)...)
	p.wantRows(`SELECT stream, kind, coalesce(count, 'unknown') FROM gaps WHERE instance IS NOT NULL`, "PROCTAPE_SNAPSHOTS end_unknown unknown")
	p.wantRows(`SELECT sum(missing) FROM producers`, "0")
}

// Of a life of which nothing came all is lost, unless the log was trimmed: then it was before the log.
func TestFold_EndOfALifeThatNeverCame(t *testing.T) {
	for kind, trimmed := range map[schema.GapKind]uint64{schema.GapEndLost: 0, schema.GapBeforeLog: 3} {
		l, p := newLog(), newTape(t, 0)
		l.lose(schema.StreamEvents, trimmed)
		_, _, second := lives(false)
		p.fold(l.publishAll(second[1])...)
		p.wantRows(`SELECT kind, message_kind, first_seq, last_seq, count FROM gaps WHERE instance IS NOT NULL`, string(kind)+" event.exit 1 7 7")
		checkShape(t, p)
	}
}

// Two databases that get the streams interleaved in other ways hold the same rows.
func TestFold_EndsInAnyInterleaving(t *testing.T) {
	checkSome(t, func(r *rapid.T) {
		roll := seeded(rapid.Uint64().Draw(r, "story"))
		told := story{late: true}.tell(roll, rapid.IntRange(1, 60).Draw(r, "messages"))
		byStream := map[string][]*received{}
		for _, d := range told {
			byStream[d.Stream] = append(byStream[d.Stream], d)
		}
		one, other := newTape(t, 0), newTape(t, 0)
		defer one.close()
		defer other.close()
		one.fold(told...)
		for len(byStream) > 0 {
			stream := rapid.SampledFrom(schema.DataStreams).Draw(r, "stream")
			if len(byStream[stream]) == 0 {
				delete(byStream, stream)
				continue
			}
			n := rapid.IntRange(1, len(byStream[stream])).Draw(r, "messages")
			other.fold(byStream[stream][:n]...)
			byStream[stream] = byStream[stream][n:]
		}
		for table, query := range map[string]string{
			"gaps":      `SELECT * FROM gaps ORDER BY stream, epoch, at_seq, n`,
			"producers": `SELECT * FROM producers ORDER BY host_id, instance, kind`,
		} {
			if d := diff(map[string][]string{table: other.rows(query)}, map[string][]string{table: one.rows(query)}); d != "" {
				r.Error(d)
			}
		}
	})
}
