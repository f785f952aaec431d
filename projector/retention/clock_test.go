package retention

import (
	"testing"
	"time"

	"github.com/proctape/proctape/projector/store"
)

func TestClock_Advance(t *testing.T) {
	at := func(wall, boot int64, id string, synced bool) Reading { return Reading{wall, boot, id, synced} }
	before := clock{Now: 1000, Boot: 100, BootID: "a"}
	for _, tt := range []struct {
		name string
		from clock
		r    Reading
		want int64
	}{
		{"never set", clock{}, at(1000, 100, "a", false), 1000},
		{"goes on", before, at(1050, 150, "a", false), 1050},
		{"drifts ahead", before, at(1060, 150, "a", false), 1050},
		{"drifts behind", before, at(1040, 150, "a", false), 1040},
		{"jumps ahead", before, at(9000, 150, "a", false), 1050},
		{"jumps ahead, and the kernel vouches for it", before, at(9000, 150, "a", true), 9000},
		{"jumps back", before, at(10, 150, "a", false), 10},
		{"jumps back, and the kernel vouches for it", before, at(10, 150, "a", true), 10},
		{"another boot", before, at(9000, 5, "b", false), 9000},
		{"another boot, set back", before, at(10, 5, "b", false), 10},
		{"stands still", before, at(1000, 100, "a", false), 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := clock{tt.want, tt.r.Boot, tt.r.BootID}
			if got := tt.from.advance(tt.r); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestAges_Of(t *testing.T) {
	a := ages{now: 10_000, newest: map[int64]store.SnapshotMark{
		1: {BootID: "b", Boot: 500, Wall: 9_900},  // 100 ago
		2: {BootID: "b", Boot: 500, Wall: 99_000}, // its clock is ahead
	}}
	for _, tt := range []struct {
		name       string
		host       int64
		bootID     string
		boot, wall int64
		want       time.Duration
	}{
		{"in this boot", 1, "b", 200, 9_600, 400},
		{"in this boot, with a clock that was wrong", 1, "b", 200, 3, 400},
		{"the newest", 1, "b", 500, 9_900, 100},
		{"newer than the newest snapshot", 1, "b", 550, 9_950, 50},
		{"in another boot", 1, "a", 200, 9_600, 400},
		{"without a boot clock", 1, "b", 0, 9_000, 1000},
		{"a host whose clock is ahead", 2, "b", 200, 98_700, 300},
		{"a host that sent no snapshot", 3, "b", 200, 9_000, 1000},
		{"no host", 0, "", 0, 9_000, 1000},
		{"ahead of time", 3, "b", 200, 11_000, -1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := a.of(tt.host, tt.bootID, tt.boot, tt.wall); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestGoesOn(t *testing.T) {
	for _, tt := range []struct {
		moved, went time.Duration
		want        bool
	}{
		{10 * time.Minute, 10 * time.Minute, true},
		{10*time.Minute + 5*time.Second, 10 * time.Minute, true},
		{time.Second, time.Second, true},
		{time.Minute, time.Second, true}, // too short a time to tell
		{4 * time.Minute, 10 * time.Minute, false},
		{6 * time.Minute, 10 * time.Minute, true},
		{3 * time.Hour, 10 * time.Minute, false}, // what waited came all at once
		{0, 10 * time.Minute, false},
		{-time.Minute, 10 * time.Minute, false},
	} {
		if got := goesOn(tt.moved, tt.went); got != tt.want {
			t.Errorf("a clock that moved by %s in %s: got %t, want %t", tt.moved, tt.went, got, tt.want)
		}
	}
}
