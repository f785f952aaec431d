package lifecycle

import (
	"slices"
	"testing"
	"time"

	"github.com/proctape/proctape/schema"
)

// expect polls, takes and compares.
func (s *sim) expect(t *testing.T, what string, want ...string) {
	t.Helper()
	if got := s.take(); !slices.Equal(got, want) {
		t.Fatalf("%s: got %q, want %q", what, got, want)
	}
}

func TestTracker_FirstScanHasNoEvents(t *testing.T) {
	eachKind(t, func(t *testing.T, s *sim) {
		s.fork(1, 10)
		s.events, s.records = nil, nil // before the tracker was
		s.observe()
		s.expect(t, "first scan")
		s.exitGroup(10, code(3))
		s.poll()
		s.expect(t, "end", "-10:0x300:init")
	})
}

// Of a process that is older than the tracker the threads are not counted.
func TestTracker_UncountedThreads(t *testing.T) {
	eachKind(t, func(t *testing.T, s *sim) {
		s.fork(1, 10)
		s.thread(10, 11)
		s.thread(10, 12)
		s.events = nil
		s.observe()
		s.exit(10, 10, 0)
		s.exit(10, 11, 0)
		s.poll()
		s.expect(t, "a thread lives")
		s.exit(10, 12, code(5))
		s.poll()
		s.expect(t, "end", "-10:0x500:init")
		s.sleep(EventDelay)
		s.poll()
		if len(s.tracker.live) > 1 {
			t.Error("still remembers the dead")
		}
	})
}

func TestTracker_EndBeforeTheFirstScan(t *testing.T) {
	eachKind(t, func(t *testing.T, s *sim) {
		s.fork(1, 10)
		s.events, s.records = nil, nil
		l := s.scan()
		s.exitGroup(10, code(3))
		s.poll()
		s.tracker.observe(l) // shows it alive
		s.expect(t, "end", "-10:0x300:init")
		s.observe()
		s.observe()
		s.expect(t, "later scans")
	})
}

func TestTracker_ScanIsOlderThanThePoll(t *testing.T) {
	eachKind(t, func(t *testing.T, s *sim) {
		s.observe()
		s.fork(1, 10)
		s.poll()
		l := s.scan()
		s.exitGroup(10, code(3))
		s.sleep(2 * time.Second)
		s.fork(1, 10) // the pid again
		s.poll()
		s.tracker.observe(l)
		s.expect(t, "once each", "+10", "-10:0x300:init", "+10")
	})
}

func TestTracker_LossIsRepaired(t *testing.T) {
	eachKind(t, func(t *testing.T, s *sim) {
		s.observe()
		s.fork(1, 10)
		s.fork(1, 11)
		s.poll()
		s.take()

		s.exitGroup(10, code(3)) // lost
		s.fork(1, 12)            // lost
		s.fork(1, 13)            // lost
		s.exitGroup(13, 0)       // lost
		s.lose(0, true)
		if s.poll(); !s.tracker.mayHaveUnknown {
			t.Fatal("does not know that it lost events")
		}
		s.observe()
		s.expect(t, "first scan after", "+12")
		s.observe()
		s.expect(t, "second scan", "-10:?:init")
		s.observe()
		s.expect(t, "third scan")
		s.exitGroup(11, code(4)) // older than the loss
		s.exitGroup(12, code(5)) // found by a scan
		s.poll()
		s.expect(t, "ends", "-11:0x400:init", "-12:0x500:init")
	})
}

// When the exit event is lost and the record is not, the record tells.
func TestTracker_RecordWithoutEvent(t *testing.T) {
	s := newSim(true)
	s.observe()
	s.fork(1, 10)
	s.poll()
	s.exitGroup(10, code(3))
	s.events = nil
	s.poll()
	s.tracker.noteLostEvents(s.now, 1)
	s.sleep(EventDelay)
	s.poll()
	s.expect(t, "end", "+10", "-10:0x300:init")
	s.observe()
	s.observe()
	s.expect(t, "later scans")
}

// Of a process of which nothing but its record is left, the record ends nobody who has its pid by then: neither who was found by a scan, nor who was told
// of behind the loss.
func TestTracker_RecordOfAPidsFormerProcess(t *testing.T) {
	for name, second := range map[string]func(s *sim){
		"by a scan": func(s *sim) { s.lose(0, false); s.poll(); s.sleep(time.Millisecond); s.observe() },
		"by a fork": func(s *sim) { s.events, s.overrun = s.events[len(s.events)-1:], true; s.poll() },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(true)
			s.observe()
			s.fork(1, 10)
			s.exitGroup(10, code(3))
			s.sleep(2 * time.Second)
			s.fork(1, 10)
			second(s)
			s.sleep(EventDelay)
			s.poll()
			s.expect(t, "the second lives", "+10")
			s.exitGroup(10, code(4))
			s.poll()
			s.expect(t, "and ends", "-10:0x400:init")
		})
	}
}

// A process that scans do not show, as kernel threads and other users' may be, is not ended by that.
func TestTracker_ScansThatShowNobody(t *testing.T) {
	eachKind(t, func(t *testing.T, s *sim) {
		s.observe()
		s.fork(1, 10)
		s.poll()
		for range 4 {
			s.sleep(time.Second)
			s.tracker.observe(Scan{Boot: s.now, Wall: s.now + simEpoch})
		}
		s.expect(t, "it lives", "+10")
		delete(s.procs, 10)
		s.tracker.noteLostEvents(s.now, 0)
		for range 2 {
			s.sleep(time.Second)
			s.tracker.observe(Scan{Boot: s.now, Wall: s.now + simEpoch})
		}
		s.expect(t, "it has ended unseen", "-10:?:init")
	})
}

func TestTracker_PidReusedUnseen(t *testing.T) {
	eachKind(t, func(t *testing.T, s *sim) {
		s.observe()
		s.fork(1, 10)
		s.poll()
		s.take()
		s.exitGroup(10, 0)
		s.sleep(2 * time.Second)
		s.fork(1, 10)
		s.lose(0, true)
		s.observe()
		s.expect(t, "an end, then a start", "-10:?:init", "+10")
	})
}

// A zombie is nobody who lives, and a process whose first thread has ended is no zombie.
func TestTracker_Zombies(t *testing.T) {
	eachKind(t, func(t *testing.T, s *sim) {
		s.observe()
		zombie := schema.Process{PID: 10, PPID: 1, StartTicks: ticksAt(s.now), State: "Z", Threads: 1}
		headless := zombie
		headless.PID, headless.Threads = 11, 2
		s.procs[10] = &simProcess{pid: 10, threads: []int{10}}
		s.procs[11] = &simProcess{pid: 11, threads: []int{12}}
		s.tracker.observe(Scan{Boot: s.now, Processes: []schema.Process{zombie, headless}})
		s.expect(t, "one starts", "+11")
	})
}

func TestTracker_GapsSayWhenAndHowMany(t *testing.T) {
	s := newSim(true)
	s.observe()
	before := s.now
	s.sleep(time.Second)
	s.fork(1, 10)
	s.events[0].Lost = 7
	if !s.poll() {
		t.Error("a loss was not reported")
	}
	if _, gaps := s.tracker.take(s.now - 1); gaps != nil {
		t.Errorf("too young: got %+v", gaps)
	}
	_, gaps := s.tracker.take(s.now)
	lost, _ := schema.GapEventsLost.Info()
	want := schema.Gap{
		Kind: schema.GapEventsLost, Count: schema.Some(int64(7)), FromWall: before + simEpoch, ToWall: s.now + simEpoch,
		Details: lost.Doc,
	}
	if !slices.Equal(gaps, []schema.Gap{want}) {
		t.Errorf("got %+v, want %+v", gaps, want)
	}
	if _, gaps := s.tracker.take(s.now); gaps != nil {
		t.Errorf("told twice: %+v", gaps)
	}
	if s.poll() {
		t.Error("reported a loss that was not")
	}
}

// An end that nobody saw has bounds: it came after the last scan that showed the process and before the event's time. The control is an
// end that was seen, which has none.
func TestTracker_UnseenEndHasBounds(t *testing.T) {
	eachKind(t, func(t *testing.T, s *sim) {
		s.observe()
		s.fork(1, 10)
		s.fork(1, 11)
		s.poll()
		s.observe()
		shown := s.now
		s.sleep(3 * time.Second)
		s.exitGroup(10, 0)
		ended := s.now
		s.lose(0, true)
		s.exitGroup(11, 0)
		s.sleep(time.Second)
		s.poll()
		s.observe()
		s.sleep(time.Second)
		s.observe()
		events, _ := s.tracker.take(s.now)
		exits := map[int]schema.Event{}
		for _, e := range events {
			if e.Kind == schema.KindExit {
				exits[e.Event.PID] = e.Event
			}
		}
		e := exits[10]
		if after := e.Boot - e.Within.V*int64(time.Millisecond); !e.Within.Known || ended <= after || ended > e.Boot || shown-after > int64(time.Millisecond) {
			t.Errorf("got an end in the last %v before %d, want it after %d, and %d in it", e.Within, e.Boot, shown, ended)
		}
		if e := exits[11]; e.PID != 11 || e.Within.Known {
			t.Errorf("control: an end that was seen: got %+v", e)
		}
	})
}

// A thread's end is known and its record is lost; within the time that a record is waited for the process is gone from a scan. What comes behind its exit
// is taken all the same.
func TestTracker_RecordLostOfAnUnseenEnd(t *testing.T) {
	s := newSim(true)
	s.observe()
	s.fork(1, 10)
	s.thread(10, 11)
	s.exit(10, 11, 0)
	s.records = nil
	s.poll()
	s.exit(10, 10, 0)
	s.lose(0, true)
	s.observe()
	for range 3 {
		s.sleep(10 * time.Millisecond)
		s.observe()
	}
	s.fork(1, 12)
	for range 3 {
		s.sleep(time.Second)
		s.observe()
	}
	if events, _ := s.tracker.take(s.now); !slices.ContainsFunc(events, func(e schema.KindedEvent) bool { return e.Event.PID == 12 }) {
		t.Errorf("what is behind an exit without its record is not taken: %v", words(events))
	}
}
