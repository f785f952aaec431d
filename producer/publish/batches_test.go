package publish

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/schema"
)

// The events of a kind travel together, in messages of as many as a message may hold.
func TestPublisher_BatchesEvents(t *testing.T) {
	p := newPublisher(t, unreachable(t), Config{})
	var occurred []schema.KindedEvent
	for i := range 1200 {
		kind := schema.KindSpawn
		if i%4 == 0 {
			kind = schema.KindExit
		}
		occurred = append(occurred, schema.KindedEvent{Kind: kind, Event: schema.Event{Wall: 1, PID: i + 1}})
	}
	occurred = append(occurred, schema.KindedEvent{Kind: schema.KindOOM, Event: schema.Event{Wall: 1, PID: 1}})
	if err := p.OfferEvents(5, 6, occurred); err != nil {
		t.Fatal(err)
	}
	got := map[schema.Kind][]string{}
	pids := map[schema.Kind]int{}
	for _, q := range p.queue.messages {
		m := logtest.Decode(t, q.msg.Header, q.msg.Data)
		got[m.Kind] = append(got[m.Kind], fmt.Sprintf("%d+%d", m.Seq, m.Count()))
		if m.Wall != 5 || m.Boot != 6 {
			t.Errorf("%s %d: got times %d and %d, want 5 and 6", m.Kind, m.Seq, m.Wall, m.Boot)
		}
		for _, e := range m.Events {
			if e.PID <= pids[m.Kind] {
				t.Errorf("%s %d: pid %d after %d", m.Kind, m.Seq, e.PID, pids[m.Kind])
			}
			pids[m.Kind] = e.PID
		}
	}
	want := map[schema.Kind][]string{
		schema.KindSpawn: {"1+512", "513+388"}, schema.KindExit: {"1+300"}, schema.KindOOM: {"1+1"},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// One that cannot be stored does not take the others of the tick with it.
func TestPublisher_OneBadBatchDoesNotStopTheOthers(t *testing.T) {
	p := newPublisher(t, unreachable(t), Config{})
	err := p.OfferEvents(5, 6, []schema.KindedEvent{
		{Kind: schema.KindExit, Event: schema.Event{Wall: 1, PID: -1}},
		{Kind: schema.KindSpawn, Event: schema.Event{Wall: 1, PID: 1}},
	})
	if err == nil || !strings.Contains(err.Error(), "pid -1") {
		t.Errorf("got %v, want an error that names pid -1", err)
	}
	if got, want := p.Stats(), (Stats{Produced: 1, Waiting: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// No kind of event is lost on its way: each goes through a server and is decoded. A kind that does not exist, or is no
// kind of event, is an error, and takes nothing else with it.
func TestPublisher_EveryKindOfEvent(t *testing.T) {
	nc := logtest.Serve(t)
	p := newPublisher(t, nc, Config{})
	var events []schema.KindedEvent
	var want []schema.Kind
	for i, k := range schema.Kinds() {
		if k.Kind.IsEvent() {
			events = append(events, schema.KindedEvent{Kind: k.Kind, Event: schema.Event{Wall: 1, PID: i + 1, Command: string(k.Kind), Source: "test"}})
			want = append(want, k.Kind)
		}
	}
	slices.Reverse(events)
	unknown := []schema.Kind{"event.stop", "", schema.KindGap, schema.KindSnapshot}
	for _, kind := range unknown {
		events = append(events, schema.KindedEvent{Kind: kind, Event: schema.Event{Wall: 1, PID: 99}})
	}
	err := p.OfferEvents(5, 6, events)
	for _, kind := range unknown {
		if text := fmt.Sprintf("event of process 99: %q is no kind of event", kind); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want an error that says %s", err, text)
		}
	}
	runToEnd(t, p)
	var got []schema.Kind
	for _, raw := range logtest.Stored(t, nc, schema.StreamEvents) {
		m := logtest.Decode(t, raw.Header, raw.Data)
		got = append(got, m.Kind)
		command := ""
		for _, e := range m.Events {
			command += e.Command
		}
		for _, e := range m.Execs {
			command += e.Command
		}
		if command != string(m.Kind) || raw.Subject != schema.Subject("h", m.Kind) {
			t.Errorf("on %s: got %s of commands %q", raw.Subject, m.Kind, command)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A gap of a kind that nobody described is refused, and takes no number.
func TestPublisher_RefusesUnknownGapKind(t *testing.T) {
	p := newPublisher(t, unreachable(t), Config{})
	for _, kind := range []schema.GapKind{"", "flight", "events lost"} {
		err := p.OfferGaps(5, 6, []schema.Gap{{Kind: schema.GapEventsLost, ToWall: 1}, {Kind: kind, ToWall: 1}})
		if text := fmt.Sprintf("gap 1: %q is no kind of gap", kind); err == nil || err.Error() != text {
			t.Errorf("got %v, want %s", err, text)
		}
	}
	for _, k := range schema.GapKinds() {
		if err := p.OfferGaps(5, 6, []schema.Gap{{Kind: k.Kind, ToWall: 1}}); err != nil {
			t.Error(err)
		}
	}
	if got := len(p.queue.messages); got != len(schema.GapKinds()) {
		t.Errorf("%d messages wait, want %d", got, len(schema.GapKinds()))
	}
	if m := p.queue.messages[0].msg; logtest.Decode(t, m.Header, m.Data).Seq != 1 {
		t.Error("a message that was refused took a number")
	}
}
