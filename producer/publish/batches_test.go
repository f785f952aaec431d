package publish

import (
	"fmt"
	"strings"
	"testing"

	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/schema"
)

// The events of a kind travel together, in messages of as many as a message may hold.
func TestPublisher_BatchesEvents(t *testing.T) {
	p := newPublisher(t, unreachable(t), Config{})
	var occurred []lifecycle.KindedEvent
	for i := range 1200 {
		kind := schema.KindSpawn
		if i%4 == 0 {
			kind = schema.KindExit
		}
		occurred = append(occurred, lifecycle.KindedEvent{Kind: kind, Event: schema.Event{Wall: 1, PID: i + 1}})
	}
	occurred = append(occurred, lifecycle.KindedEvent{Kind: schema.KindOOM, Event: schema.Event{Wall: 1, PID: 1}})
	if err := p.OfferEvents(5, 6, occurred); err != nil {
		t.Fatal(err)
	}
	got := map[schema.Kind][]string{}
	pids := map[schema.Kind]int{}
	for _, q := range p.queue.messages {
		m := decode(t, q.msg.Header, q.msg.Data)
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
	err := p.OfferEvents(5, 6, []lifecycle.KindedEvent{
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
