package fold

import (
	"fmt"
	"strings"

	"github.com/proctape/proctape/projector/anomaly"
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// anomalies are what rules find.
type anomalies interface {
	// observe has the rules look at a snapshot, or at the record of a run.
	observe(to place, m *schema.Message) error
	// event has the rules look at an event.
	event(to place, m *schema.Message, e *schema.Event) error
	// told adds what a message tells of an episode.
	told(to place, m *schema.Message)
	// save adds what the rules remember of the hosts whose messages they looked at.
	save(batch *store.Batch)
}

// found implements [anomalies]. What the rules find becomes a row of found_anomalies, from where it goes to the log; what the log tells becomes a row of
// anomalies (docs/adr/0030-rules.md).
type found struct {
	tables Tables
	engine *anomaly.Engine // nil without rules
	looked map[store.RuleMemoryKey]string
}

func newFound(tables Tables, rules *anomaly.Rules) *found {
	f := &found{tables: tables, looked: map[store.RuleMemoryKey]string{}}
	if rules != nil {
		f.engine = anomaly.NewEngine(rules)
	}
	return f
}

// observe implements [anomalies].
func (f *found) observe(to place, m *schema.Message) error {
	return f.ask(to, m, func() []*schema.Message { return f.engine.Observe(m) })
}

// event implements [anomalies].
func (f *found) event(to place, m *schema.Message, e *schema.Event) error {
	return f.ask(to, m, func() []*schema.Message { return f.engine.Event(m, e) })
}

func (f *found) ask(to place, m *schema.Message, find func() []*schema.Message) error {
	if f.engine == nil {
		return nil
	}
	key := store.RuleMemoryKey{Stream: to.at.Stream, HostID: to.hostID}
	if !f.engine.Knows(key.Stream, m.Host) {
		saved, err := f.tables.RuleMemory(key)
		if err != nil {
			return err
		}
		ended, err := f.engine.Load(key.Stream, m.Host, saved)
		if err == nil {
			err = f.add(to, ended)
		}
		if err != nil {
			return err
		}
	}
	if _, ok := f.looked[key]; !ok {
		f.looked[key] = strings.Clone(m.Host)
	}
	return f.add(to, find())
}

// add adds what is to be told of episodes.
func (f *found) add(to place, messages []*schema.Message) error {
	for _, m := range messages {
		b, err := schema.Msgpack.Append(nil, m)
		if err != nil {
			return fmt.Errorf("encode an episode of rule %s: %w", m.Anomaly.Rule, err)
		}
		to.batch.Found = append(to.batch.Found, store.FoundAnomaly{Episode: m.Instance.String(), HostID: to.hostID, Revision: m.Seq, Message: b})
	}
	return nil
}

// told implements [anomalies].
func (f *found) told(to place, m *schema.Message) {
	to.batch.Anomalies = append(to.batch.Anomalies, store.Anomaly{ID: to.rowID, HostID: to.hostID, Message: m})
}

// save implements [anomalies].
func (f *found) save(batch *store.Batch) {
	for key, host := range f.looked {
		batch.Memories[key] = f.engine.Save(key.Stream, host)
	}
	clear(f.looked)
}
