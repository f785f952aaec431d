package fold

import (
	"slices"
	"testing"
	"time"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

func TestGapsBetween(t *testing.T) {
	s := int64(time.Second)
	before := store.SnapshotMark{BootID: "b1", Instance: "i1", Seq: 7, Tick: 70, Wall: 1000 * s, Boot: 500 * s, Interval: 5 * s}
	after := func(change func(*store.SnapshotMark)) store.SnapshotMark {
		now := before
		now.Seq, now.Tick, now.Wall, now.Boot = 8, 71, before.Wall+5*s, before.Boot+5*s
		change(&now)
		return now
	}
	for _, test := range []struct {
		name        string
		now         store.SnapshotMark
		newInstance bool
		want        []schema.GapKind
		count       int64
	}{
		{name: "the next one", now: after(func(*store.SnapshotMark) {})},
		{name: "a little late", now: after(func(n *store.SnapshotMark) { n.Wall += 4 * s; n.Boot += 4 * s })},
		{name: "three ticks missed", now: after(func(n *store.SnapshotMark) { n.Tick += 3; n.Wall += 15 * s; n.Boot += 15 * s }), want: []schema.GapKind{schema.GapMissedTicks}, count: 3},
		{name: "numbers missing, which are told elsewhere", now: after(func(n *store.SnapshotMark) { n.Seq += 3; n.Tick += 3; n.Wall += 15 * s; n.Boot += 15 * s })},
		{name: "suspended: no tick, but time", now: after(func(n *store.SnapshotMark) { n.Wall += 3600 * s; n.Boot += 3600 * s }), want: []schema.GapKind{schema.GapSilence}},
		{name: "another recorder", now: after(func(n *store.SnapshotMark) { n.Instance = "i2"; n.Seq, n.Tick = 1, 1 }), newInstance: true, want: []schema.GapKind{schema.GapRestart}},
		{name: "an older recorder of the two goes on", now: after(func(n *store.SnapshotMark) { n.Instance = "i2"; n.Seq, n.Tick = 40, 40 })},
		{name: "another boot", now: after(func(n *store.SnapshotMark) { n.BootID, n.Instance = "b2", "i2"; n.Boot = 30 * s }), newInstance: true, want: []schema.GapKind{schema.GapReboot}},
		{name: "clock set forward", now: after(func(n *store.SnapshotMark) { n.Wall += 3600 * s }), want: []schema.GapKind{schema.GapClockStep}},
		{name: "clock set back", now: after(func(n *store.SnapshotMark) { n.Wall -= 10 * 365 * 24 * 3600 * s }), want: []schema.GapKind{schema.GapClockStep}},
		{name: "clock slewed", now: after(func(n *store.SnapshotMark) { n.Wall += s / 10 })},
		{name: "missed ticks and a clock step", now: after(func(n *store.SnapshotMark) { n.Tick += 2; n.Boot += 10 * s }), want: []schema.GapKind{schema.GapMissedTicks, schema.GapClockStep}, count: 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []schema.GapKind
			for _, g := range gapsBetween(before, test.now, test.newInstance) {
				got = append(got, g.Kind)
				if g.From != before.Wall || g.To != test.now.Wall {
					t.Errorf("%s from %d to %d, want from %d to %d", g.Kind, g.From, g.To, before.Wall, test.now.Wall)
				}
				if g.Kind == schema.GapMissedTicks && g.Count.V != test.count {
					t.Errorf("%d ticks, want %d", g.Count.V, test.count)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// A snapshot goes on from the one before it when nothing but time went by between them.
func TestGoesOn(t *testing.T) {
	s := int64(time.Second)
	before := store.SnapshotMark{BootID: "b1", Instance: "i1", Seq: 7, Tick: 70, Wall: 1000 * s, Boot: 500 * s, Interval: 5 * s, Capabilities: `"io"`}
	for _, test := range []struct {
		name   string
		change func(*store.SnapshotMark)
		want   bool
	}{
		{"the next one", func(*store.SnapshotMark) {}, true},
		{"a little late", func(n *store.SnapshotMark) { n.Wall += 2 * s }, true},
		{"too late to tell of all the time", func(n *store.SnapshotMark) { n.Wall += 3 * s }, false},
		{"another sampler", func(n *store.SnapshotMark) { n.Instance = "i2" }, false},
		{"a number is missing", func(n *store.SnapshotMark) { n.Seq++ }, false},
		{"another interval", func(n *store.SnapshotMark) { n.Interval = 6 * s }, false},
		{"the clock was set back", func(n *store.SnapshotMark) { n.Wall -= 5 * s }, false},
		{"it sees more", func(n *store.SnapshotMark) { n.Capabilities = `"io""events-bpf"` }, false},
		{"it sees fewer processes", func(n *store.SnapshotMark) { n.Partial = true }, false},
	} {
		now := before
		now.Seq, now.Tick, now.Wall, now.Boot = 8, 71, before.Wall+5*s, before.Boot+5*s
		test.change(&now)
		if got := goesOn(&before, &now); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
	if goesOn(&store.SnapshotMark{}, &before) {
		t.Error("the first of all goes on from none")
	}
}

// What a sampler sees is told apart, whatever the names of capabilities hold.
func TestJoined(t *testing.T) {
	seen := map[string]bool{}
	for _, capabilities := range [][]schema.Capability{nil, {""}, {"a"}, {"a", "b"}, {"b", "a"}, {"ab"}, {`a""b`}, {`a"`, `"b`}, {"a\nb"}} {
		text := joined(capabilities)
		if seen[text] {
			t.Errorf("%q: %s came before", capabilities, text)
		}
		seen[text] = true
	}
}
