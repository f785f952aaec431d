package projector

import (
	"slices"
	"testing"
	"time"
)

func TestBreaks(t *testing.T) {
	s := int64(time.Second)
	before := sight{bootID: "b1", instance: "i1", seq: 7, tick: 70, wall: 1000 * s, boot: 500 * s, interval: 5 * s}
	after := func(change func(*sight)) sight {
		now := before
		now.seq, now.tick, now.wall, now.boot = 8, 71, before.wall+5*s, before.boot+5*s
		change(&now)
		return now
	}
	for _, test := range []struct {
		name        string
		now         sight
		newInstance bool
		want        []string
		count       int64
	}{
		{name: "the next one", now: after(func(*sight) {})},
		{name: "a little late", now: after(func(n *sight) { n.wall += 4 * s; n.boot += 4 * s })},
		{name: "three ticks missed", now: after(func(n *sight) { n.tick += 3; n.wall += 15 * s; n.boot += 15 * s }), want: []string{"missed ticks"}, count: 3},
		{name: "numbers missing, which are told elsewhere", now: after(func(n *sight) { n.seq += 3; n.tick += 3; n.wall += 15 * s; n.boot += 15 * s })},
		{name: "suspended: no tick, but time", now: after(func(n *sight) { n.wall += 3600 * s; n.boot += 3600 * s }), want: []string{"silence"}},
		{name: "another recorder", now: after(func(n *sight) { n.instance = "i2"; n.seq, n.tick = 1, 1 }), newInstance: true, want: []string{"restart"}},
		{name: "an older recorder of the two goes on", now: after(func(n *sight) { n.instance = "i2"; n.seq, n.tick = 40, 40 })},
		{name: "another boot", now: after(func(n *sight) { n.bootID, n.instance = "b2", "i2"; n.boot = 30 * s }), newInstance: true, want: []string{"reboot"}},
		{name: "clock set forward", now: after(func(n *sight) { n.wall += 3600 * s }), want: []string{"clock step"}},
		{name: "clock set back", now: after(func(n *sight) { n.wall -= 10 * 365 * 24 * 3600 * s }), want: []string{"clock step"}},
		{name: "clock slewed", now: after(func(n *sight) { n.wall += s / 10 })},
		{name: "missed ticks and a clock step", now: after(func(n *sight) { n.tick += 2; n.boot += 10 * s }), want: []string{"missed ticks", "clock step"}, count: 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, g := range breaks(before, test.now, test.newInstance) {
				got = append(got, g.reason)
				if g.from != before.wall || g.to != test.now.wall {
					t.Errorf("%s from %d to %d, want from %d to %d", g.reason, g.from, g.to, before.wall, test.now.wall)
				}
				if g.reason == "missed ticks" && g.count.V != test.count {
					t.Errorf("%d ticks, want %d", g.count.V, test.count)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
