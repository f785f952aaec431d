package projector

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/projector/fold"
	"github.com/proctape/proctape/schema"
)

// What cannot be folded is put aside with its bytes and its reason, its numbers are booked, and the good messages
// around it are stored.
func TestFold_Quarantine(t *testing.T) {
	tests := []struct {
		name     string
		spoil    func(subject string, header fold.Header, payload []byte) (string, fold.Header, []byte)
		reason   string
		host     string
		numbered bool // its id tells its numbers
	}{
		{"undecodable bytes", func(s string, h fold.Header, _ []byte) (string, fold.Header, []byte) {
			return s, h, []byte("\x00garbage\xff")
		},
			fold.ReasonUndecodable, "h", true},
		{"nothing", func(s string, h fold.Header, _ []byte) (string, fold.Header, []byte) { return s, h, nil }, fold.ReasonUndecodable, "h", true},
		{"cut", func(s string, h fold.Header, p []byte) (string, fold.Header, []byte) { return s, h, p[:len(p)/2] }, fold.ReasonUndecodable, "h", true},
		{"no headers", func(s string, _ fold.Header, _ []byte) (string, fold.Header, []byte) { return s, nil, []byte("hello") },
			fold.ReasonUndecodable, "h", false},
		{"unknown version", func(s string, h fold.Header, p []byte) (string, fold.Header, []byte) {
			p = bytes.Clone(p)
			p[1] = schema.Version + 1
			return s, h, p
		}, fold.ReasonVersion, "h", true},
		{"another host in the subject", func(_ string, h fold.Header, p []byte) (string, fold.Header, []byte) {
			return "proctape.v1.mallory.event.exit", h, p
		}, fold.ReasonForged, "mallory", false},
		{"another kind in the subject", func(_ string, h fold.Header, p []byte) (string, fold.Header, []byte) {
			return "proctape.v1.h.event.kill", h, p
		}, fold.ReasonForged, "h", false},
		{"a subject that is none", func(_ string, h fold.Header, p []byte) (string, fold.Header, []byte) {
			return "proctape.v1.a b.event.exit", h, p
		}, fold.ReasonSubject, "", false},
		{"large", func(s string, h fold.Header, _ []byte) (string, fold.Header, []byte) {
			return s, h, bytes.Repeat([]byte("x"), (64<<10)+1)
		}, fold.ReasonUndecodable, "h", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, h, p := newLog(), newHost("h"), newTape(t, 0)
			before, m, after := h.events(schema.KindExit, 1), h.events(schema.KindExit, 3), h.events(schema.KindExit, 1)
			p.fold(l.publish(before))
			good := l.publish(m)
			l.seq[good.Stream]--
			bad := l.deliver(good.Stream, good.Subject, good.Header, good.Payload)
			bad.Msg, bad.Numbers, bad.Host = nil, nil, ""
			bad.Subject, bad.Header, bad.Payload = test.spoil(good.Subject, good.Header, good.Payload)
			bad.Decode()
			p.fold(bad)
			p.fold(l.publish(after))

			p.wantRows(`SELECT seq FROM process_events ORDER BY seq`, "1", "5")
			sum := sha256.Sum256(bad.Payload)
			p.wantRows(`SELECT stream, epoch, seq, subject, host, message_id, reason, size, sha256 FROM quarantine`,
				cells(schema.StreamEvents, 1, 2, bad.Subject, test.host, bad.Header.Get(nats.MsgIdHdr), test.reason, len(bad.Payload),
					hex.EncodeToString(sum[:])))
			if p.rows(`SELECT error FROM quarantine`)[0] == "" {
				t.Error("no error is told")
			}
			var headers fold.Header
			if err := json.Unmarshal([]byte(p.rows(`SELECT headers FROM quarantine`)[0]), &headers); err != nil || headers == nil {
				t.Errorf("headers: got %v (%v), want an object", headers, err)
			}
			kept := len(bad.Payload)
			if kept > (64 << 10) {
				kept = 0
			}
			if got := p.value(`SELECT coalesce(length(payload), 0) FROM quarantine`); got != int64(kept) {
				t.Errorf("got %d bytes of the message, want %d", got, kept)
			}

			numbers := "6 2 0 3 0" // missing, for nobody knows what the message was
			if test.numbered {
				numbers = "6 2 3 0 0"
			}
			p.wantRows(`SELECT next_seq, stored, quarantined, missing, duplicates FROM producers WHERE kind = 'event.exit'`, numbers)
			checkShape(t, p)
		})
	}
}

func TestFold_QuarantineOverlap(t *testing.T) {
	l, h, p := newLog(), newHost("h"), newTape(t, 0)
	message := func(first uint64, n int) *schema.Message {
		h.seq[schema.KindExit] = first
		return h.events(schema.KindExit, n)
	}
	p.fold(l.publishAll(message(1, 3), message(3, 2), message(6, 2), message(4, 3), message(4, 2), message(2, 7), message(8, 1))...)
	p.wantRows(`SELECT seq, reason, error FROM quarantine`,
		"2 overlap numbers 3 to 4 were partly taken, the next is 4",
		"4 overlap numbers 4 to 6 were partly taken, the next is 8",
		"6 overlap numbers 2 to 8 were partly taken, the next is 8")
	p.wantRows(`SELECT seq FROM process_events ORDER BY seq`, "1", "2", "3", "4", "5", "6", "7", "8")
	p.wantRows(`SELECT next_seq, stored, quarantined, missing, duplicates FROM producers`, "9 8 0 0 0")
	p.wantRows(holes)
	checkShape(t, p)
}

// The numbers of a quarantined message are a hole of their own kind, which closes when the message comes readable.
func TestFold_QuarantinedComesAfterAll(t *testing.T) {
	for _, reopen := range []bool{false, true} {
		t.Run(fmt.Sprint("reopened ", reopen), func(t *testing.T) {
			l, h, p := newLog(), newHost("h"), newTape(t, 0)
			first, m, last := h.events(schema.KindExit, 1), h.events(schema.KindExit, 3), h.events(schema.KindExit, 1)
			spoilt := func() *received {
				good := l.publish(m)
				l.seq[good.Stream]--
				return l.deliver(good.Stream, good.Subject, good.Header, []byte("spoilt"))
			}
			p.fold(l.publish(first), spoilt(), l.publish(last))
			p.wantRows(holes, "quarantined event.exit 2 4 3 2 0")
			p.wantRows(`SELECT next_seq, stored, quarantined, missing, duplicates FROM producers`, "6 2 3 0 0")
			if reopen {
				p.reopen()
			}
			p.fold(spoilt()) // once more, and no better
			p.wantRows(`SELECT seq FROM quarantine`, "2")
			p.wantRows(`SELECT next_seq, stored, quarantined, missing, duplicates FROM producers`, "6 2 3 0 3")
			if reopen {
				p.reopen()
			}
			p.fold(l.publish(m))
			p.wantRows(holes)
			p.wantRows(`SELECT next_seq, stored, quarantined, missing, duplicates FROM producers`, "6 5 0 0 3")
			p.wantRows(`SELECT seq FROM process_events ORDER BY seq`, "1", "2", "3", "4", "5")
			checkShape(t, p)
		})
	}
}

// A message that makes the projector panic is put aside when it comes again, and the line goes on.
func TestFold_QuarantinePanic(t *testing.T) {
	l, h, p := newLog(), newHost("h"), newTape(t, 0)
	list := l.publishAll(h.events(schema.KindExit, 1), h.events(schema.KindExit, 1), h.events(schema.KindExit, 1))
	list[1].Msg = nil // where there is none, and no reason why
	poisoned := p.s.poisoned
	if err := p.s.commit(list); err == nil || !strings.Contains(err.Error(), "panic") {
		t.Fatalf("got %v, want an error that tells of the panic", err)
	}
	p.reopen()
	p.s.poisoned = poisoned
	p.fold(list...)
	p.wantRows(`SELECT seq, reason FROM quarantine`, "2 panic")
	p.wantRows(`SELECT seq FROM process_events ORDER BY seq`, "1", "3")
	p.wantRows(`SELECT next_seq, stored, quarantined, missing FROM producers`, "4 2 1 0")
	checkShape(t, p)
}
