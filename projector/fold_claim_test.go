package projector

import (
	"bytes"
	"testing"

	"github.com/proctape/proctape/projector/fold"
	"github.com/proctape/proctape/schema"
)

// A message that cannot be folded and has no headers is booked by its envelope: as quarantined, once, and not as missing
// beside that.
func TestFold_QuarantinedWithoutHeaders(t *testing.T) {
	for _, test := range []struct {
		name, old, with string
		codec           schema.Codec
		numbers         string // next, stored, quarantined, missing, duplicates
		holes           []string
	}{
		{"JSON", `"source":"proc-diff"`, `"source":7`, schema.JSON, "6 2 3 0 0", []string{"quarantined event.exit 2 4 3 2 0"}},
		{"JSON of a later version", `"v":2`, `"v":3`, schema.JSON, "6 2 3 0 0", []string{"quarantined event.exit 2 4 3 2 0"}},
		{"MessagePack", "proc-diff", "proc-\xff\xff\xff\xff", schema.Msgpack, "6 2 3 0 0", []string{"quarantined event.exit 2 4 3 2 0"}},
		// The control: of another host's envelope nothing is believed, so that the numbers are only missed.
		{"of another host", `"host":"h"`, `"host":"i"`, schema.JSON, "6 2 0 3 0", []string{"missing event.exit 2 4 3 3 0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, h, p := newLog(), newHost("h"), newTape(t, 0)
			publish := func(m *schema.Message, old, with string) {
				payload, err := test.codec.Append(nil, m)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Contains(payload, []byte(old)) {
					t.Fatalf("no %q in %q", old, payload)
				}
				payload = bytes.Replace(payload, []byte(old), []byte(with), 1)
				p.fold(l.deliver(schema.StreamFor(m.Kind), schema.Subject(m.Host, m.Kind), nil, payload))
			}
			publish(h.events(schema.KindExit, 1), "", "")
			publish(h.events(schema.KindExit, 3), test.old, test.with)
			publish(h.events(schema.KindExit, 1), "", "")
			p.wantRows(`SELECT seq FROM process_events ORDER BY seq`, "1", "5")
			p.wantRows(`SELECT count(*) FROM quarantine`, "1")
			p.wantRows(`SELECT next_seq, stored, quarantined, missing, duplicates FROM producers WHERE kind = 'event.exit'`, test.numbers)
			p.wantRows(holes, test.holes...)
		})
	}
}

// The same, once it is readable, fills its hole.
func TestFold_QuarantinedWithoutHeadersComesAfterAll(t *testing.T) {
	l, h, p := newLog(), newHost("h"), newTape(t, 0)
	m := h.events(schema.KindExit, 3)
	good := l.publish(m)
	good.Header = nil
	l.seq[good.Stream]--
	payload, err := schema.JSON.Append(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	p.fold(l.deliver(good.Stream, good.Subject, fold.Header{}, bytes.Replace(payload, []byte(`"core":false`), []byte(`"core":0`), 1)))
	p.wantRows(`SELECT next_seq, stored, quarantined, missing FROM producers`, "4 0 3 0")
	p.fold(l.deliver(good.Stream, good.Subject, fold.Header{}, payload))
	p.wantRows(`SELECT next_seq, stored, quarantined, missing FROM producers`, "4 3 0 0")
	p.wantRows(holes)
}
