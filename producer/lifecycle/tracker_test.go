package lifecycle

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/lifecycle/netlink"
	"github.com/proctape/proctape/schema"
)

// eachKind runs a test with exit records and without.
func eachKind(t *testing.T, test func(t *testing.T, s *sim)) {
	for _, records := range []bool{true, false} {
		name := map[bool]string{true: "taskstats", false: "connector"}[records]
		t.Run(name, func(t *testing.T) { test(t, newSim(records)) })
	}
}

func TestTracker_LifeCycles(t *testing.T) {
	tests := map[string]struct {
		happen func(s *sim)
		want   []string
	}{
		"a process": {
			func(s *sim) { s.fork(1, 10); s.exitGroup(10, code(3)) },
			[]string{"+10", "-10:0x300:init"},
		},
		"killed": {
			func(s *sim) { s.fork(1, 10); s.exitGroup(10, killed) },
			[]string{"+10", "-10:0x9:init"},
		},
		"threads come and go": {
			func(s *sim) {
				s.fork(1, 10)
				s.thread(10, 11)
				s.exit(10, 11, 0)
				s.thread(10, 12)
				s.exitGroup(10, code(4))
			},
			[]string{"+10", "-10:0x400:init"},
		},
		"the first thread ends first": {
			func(s *sim) { s.fork(1, 10); s.thread(10, 11); s.exit(10, 10, 0); s.poll(); s.exit(10, 11, code(5)) },
			[]string{"+10", "-10:0x500:init"},
		},
		"another thread executes": {
			func(s *sim) {
				s.fork(1, 10)
				s.thread(10, 11)
				s.exec(10, 11, "new")
				s.poll()
				s.exitGroup(10, code(6))
			},
			[]string{"+10", "-10:0x600:new"},
		},
		"a double fork": {
			func(s *sim) { s.fork(1, 10); s.fork(10, 11); s.exitGroup(10, 0); s.poll(); s.exitGroup(11, code(7)) },
			[]string{"+10", "+11", "-10:0x0:init", "-11:0x700:init"},
		},
		"a pid in two lives, read at once": {
			func(s *sim) {
				s.fork(1, 10)
				s.exitGroup(10, code(1))
				s.sleep(2 * time.Second)
				s.fork(1, 10)
				s.exitGroup(10, code(2))
			},
			[]string{"+10", "-10:0x100:init", "+10", "-10:0x200:init"},
		},
		"kernel threads": {
			func(s *sim) {
				s.procs[2] = &simProcess{pid: 2, command: "kthreadd", threads: []int{2}}
				s.fork(2, 10)
				s.poll()
				s.exitGroup(10, 0)
			},
			nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, s *sim) {
				s.observe()
				tt.happen(s)
				s.poll()
				if got := s.take(); !slices.Equal(got, tt.want) {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// Control: with the end of the first thread taken for that of the process, the cases that need more fail.
func TestTracker_NaiveDecisionIsWrong(t *testing.T) {
	eachKind(t, func(t *testing.T, s *sim) {
		s.tracker.ended = func(p *process) bool { return p.leaderGone }
		s.observe()
		s.fork(1, 10)
		s.thread(10, 11)
		s.exit(10, 10, 0)
		s.poll()
		if got, wrong := s.take(), "-10:0x0:init"; !slices.Contains(got, wrong) {
			t.Errorf("got %q, want %q among it", got, wrong)
		}
	})
}

func TestTracker_EventFields(t *testing.T) {
	s := newSim(true)
	s.observe()
	s.fork(1, 10)
	s.exec(10, 10, "make all")
	born, forked := s.procs[10].started, s.events[0].Time+simSuspended
	s.poll()
	s.thread(10, 11)
	s.exit(10, 11, 0)
	s.sleep(time.Second)
	s.exitGroup(10, uint32(unix.SIGSEGV))
	ended := s.now
	s.sleep(reorderTime)
	s.poll()
	got, gaps := s.tracker.take(0)
	same := schema.Event{
		PID: 10, PPID: schema.Some(int64(1)), StartTicks: ticksAt(born), UID: schema.Some(int64(1000)), Command: "make all",
	}
	spawn, exit := same, same
	spawn.Boot, spawn.Wall, spawn.Source = forked, forked+simEpoch, "connector"
	exit.Boot, exit.Wall, exit.Source = ended, ended+simEpoch, "taskstats"
	exit.Signal, exit.Core = schema.Some(int64(11)), true
	exit.CPUMillis, exit.PeakRSS = schema.Some(int64(6)), schema.Some(int64(100))
	exit.System = schema.Some(int64(2))
	exit.ReadKiB, exit.WriteKiB = schema.Some(int64(4)), schema.Some(int64(2))
	exit.Lifetime = schema.Some((ended - born) / 1e6)
	want := []schema.KindedEvent{{Kind: schema.KindSpawn, Event: spawn}, {Kind: schema.KindExit, Event: exit}}
	if !reflect.DeepEqual(got, want) || gaps != nil {
		t.Errorf("got %+v, %v\nwant %+v", got, gaps, want)
	}
}

func TestTracker_EndedProcessIsNotDescribed(t *testing.T) {
	eachKind(t, func(t *testing.T, s *sim) {
		s.observe()
		s.fork(1, 10)
		s.exec(10, 10, "tool")
		s.exitGroup(10, 0)
		s.fork(1, 11)
		s.exec(11, 11, "editor")
		s.poll()
		if want := []int{11}; !slices.Equal(s.asked, want) {
			t.Errorf("described %v, want %v", s.asked, want)
		}
		occurred, _ := s.tracker.take(s.now)
		short := occurred[0].Event
		if s.tracker.records && (short.Command != "tool" || !strings.Contains(short.Details, "short name")) {
			t.Errorf("got %q, %q, want the record's name, and to be told so", short.Command, short.Details)
		}
		if !s.tracker.records && (short.Command != "" || !strings.Contains(short.Details, "unknown")) {
			t.Errorf("got %q, %q, want it unknown, and to be told so", short.Command, short.Details)
		}
		if e := occurred[len(occurred)-1].Event; e.Command != "editor" || e.Details != "" {
			t.Errorf("got %q, %q, want editor", e.Command, e.Details)
		}
	})
}

// A child that ends before it can be described has the command of its parent, though that was read only later.
func TestTracker_ImageIsShared(t *testing.T) {
	s := newSim(false)
	s.observe()
	s.fork(1, 10)
	s.exec(10, 10, "sh -c true")
	s.fork(10, 11)
	s.exitGroup(11, 0)
	s.poll()
	if got, want := s.take(), []string{"+10", "+11", "-11:0x0:sh -c true"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTracker_TakeInPieces(t *testing.T) {
	s := newSim(true)
	s.observe()
	s.fork(1, 10)
	s.exitGroup(10, 0)
	s.fork(1, 11)
	s.fork(1, 12)
	s.exitGroup(12, 0)
	s.sleep(reorderTime)
	s.poll()
	take := func(until int64) []string {
		occurred, _ := s.tracker.take(until)
		return words(occurred)
	}
	if got, want := take(0), []string{"+10", "-10:0x0:init"}; !slices.Equal(got, want) {
		t.Errorf("nothing more can come: got %q, want %q", got, want)
	}
	if got := take(0); got != nil {
		t.Errorf("it may execute a program yet: got %q", got)
	}
	if got, want := take(s.now), []string{"+11", "+12", "-12:0x0:init"}; !slices.Equal(got, want) {
		t.Errorf("time is up: got %q, want %q", got, want)
	}
}

// A record that is late is waited for, and one that never comes is not waited for for ever.
func TestTracker_RecordWaits(t *testing.T) {
	for name, comes := range map[string]bool{"comes": true, "is lost": false} {
		t.Run(name, func(t *testing.T) {
			s := newSim(true)
			s.observe()
			s.fork(1, 10)
			s.exitGroup(10, code(3))
			late := s.records
			s.records = nil
			s.sleep(reorderTime)
			s.poll()
			if got, _ := s.tracker.take(0); got != nil {
				t.Fatalf("before the record: got %q", words(got))
			}
			s.sleep(EventDelay)
			if comes {
				s.records = late
			}
			s.poll()
			got, gaps := s.tracker.take(math.MaxInt64)
			if want := []string{"+10", "-10:0x300:init"}; !slices.Equal(words(got), want) {
				t.Fatalf("got %q, want %q", words(got), want)
			}
			if e := got[1].Event; e.CPUMillis.Known != comes || (e.Source == SourceTaskstats) != comes {
				t.Errorf("got %+v, want the record in it: %t", e, comes)
			}
			if lost := len(gaps) == 1 && gaps[0].Kind == schema.GapExitRecordsLost && gaps[0].Count == schema.Some(int64(1)); lost == comes {
				t.Errorf("got gaps %+v, want one: %t", gaps, !comes)
			}
			if len(s.tracker.live) > 1 || len(s.tracker.waiting) > 0 || len(s.tracker.held) > 0 {
				t.Errorf("still remembers the dead: %d live, %d waiting, %d records",
					len(s.tracker.live), len(s.tracker.waiting), len(s.tracker.held))
			}
		})
	}
}

// The kernel may need long to tear a process down: its record is there, its exit is to come.
func TestTracker_ExitIsNotBeforeItsEvent(t *testing.T) {
	s := newSim(true)
	s.observe()
	s.fork(1, 10)
	s.exitGroup(10, killed)
	exit := s.events[1]
	s.events = s.events[:1]
	s.poll()
	s.sleep(10 * time.Second)
	s.poll()
	if got, want := s.take(), []string{"+10"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	exit.Time = s.now - simSuspended
	s.events = []netlink.Event{exit}
	s.poll()
	if got, want := s.take(), []string{"-10:0x9:init"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTracker_ManyPendingAreCounted(t *testing.T) {
	s := newSim(true)
	s.observe()
	s.tracker.limit = 3
	for pid := 10; pid < 15; pid++ {
		s.fork(1, pid)
	}
	s.poll()
	got, gaps := s.tracker.take(s.now)
	if len(got) != 3 || len(gaps) != 1 || gaps[0].Kind != schema.GapEventsDropped || gaps[0].Count != schema.Some(int64(2)) {
		t.Errorf("got %q and gaps %+v, want 3 and a gap of 2", words(got), gaps)
	}
}

// Threads of one process that end at the same time may be told of in any order.
func TestTracker_LastRecordFirst(t *testing.T) {
	s := newSim(true)
	s.observe()
	s.fork(1, 10)
	s.thread(10, 11)
	s.poll()
	s.exitGroup(10, code(8))
	slices.Reverse(s.records)
	slices.Reverse(s.events)
	s.sleep(reorderTime)
	s.poll()
	got, _ := s.tracker.take(0)
	if want := []string{"+10", "-10:0x800:init"}; !slices.Equal(words(got), want) {
		t.Fatalf("got %q, want %q", words(got), want)
	}
	if e := got[1].Event; e.CPUMillis != schema.Some(int64(6)) {
		t.Errorf("got %v ms, want the sum over both threads, 6", e.CPUMillis)
	}
}
