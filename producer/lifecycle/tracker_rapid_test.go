package lifecycle

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/proctape/proctape/schema"
)

// actAtRandom does something that a kernel may do, drawn at random: processes 1 to 9, so that pids are used again, though not
// within a second, and threads.
func (s *sim) actAtRandom(t *rapid.T, tid *int) {
	pids := slices.Sorted(maps.Keys(s.procs))
	pid := rapid.SampledFrom(pids).Draw(t, "pid")
	p := s.procs[pid]
	*tid++
	switch rapid.SampledFrom([]string{"fork", "fork", "thread", "exec", "end", "end thread", "sleep"}).Draw(t, "act") {
	case "fork":
		for child := 2; child < 10; child++ {
			if given, used := s.free[child]; s.procs[child] == nil && child != kthreadd && (!used || s.now-given > int64(time.Second)) {
				s.fork(pid, child)
				return
			}
		}
	case "thread":
		s.thread(pid, *tid)
	case "exec":
		if pid != 1 {
			s.exec(pid, rapid.SampledFrom(p.threads).Draw(t, "thread"), fmt.Sprint("program", *tid))
		}
	case "end":
		if pid != 1 {
			s.exitGroup(pid, rapid.SampledFrom([]uint32{0, code(1), code(255), killed}).Draw(t, "status"))
		}
	case "end thread":
		if pid != 1 {
			s.exit(pid, rapid.SampledFrom(p.threads).Draw(t, "thread"), code(*tid%256))
		}
	case "sleep":
		s.sleep(rapid.SampledFrom([]time.Duration{time.Millisecond, EventDelay, 2 * time.Second}).Draw(t, "time"))
	}
}

// withoutCommands cuts the commands off: which of them is known depends on when /proc was read.
func withoutCommands(words []string) []string {
	var out []string
	for _, w := range words {
		for i, n := 0, 0; i < len(w); i++ {
			if w[i] == ':' {
				if n++; n == 2 {
					w = w[:i]
				}
			}
		}
		out = append(out, w)
	}
	return out
}

// Without a loss the tracker tells the truth, in order, once, however it is read: whatever processes and threads do,
// whenever it polls, scans and takes.
func TestTracker_EventsAreTrueWithoutLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSim(rapid.Bool().Draw(t, "records"))
		s.observe()
		var got []string
		tid := 100
		for range rapid.IntRange(1, 80).Draw(t, "acts") {
			s.actAtRandom(t, &tid)
			switch rapid.IntRange(0, 6).Draw(t, "then") {
			case 0:
				s.poll()
			case 1:
				s.observe()
			case 2:
				s.poll()
				occurred, gaps := s.tracker.take(s.now - int64(EventDelay))
				if gaps != nil {
					t.Fatalf("got gaps %v", gaps)
				}
				got = append(got, words(occurred)...)
			}
		}
		s.poll()
		got = append(got, s.take()...)
		if got, want := withoutCommands(got), withoutCommands(s.truth); !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
		s.sleep(EventDelay)
		s.poll()
		s.checkMemory(t)
	})
}

// checkMemory checks that the tracker remembers those who live and nothing else.
func (s *sim) checkMemory(t *rapid.T) {
	live := slices.Sorted(maps.Keys(s.tracker.live))
	if want := slices.Sorted(maps.Keys(s.procs)); !slices.Equal(live, want) {
		t.Fatalf("remembers %v, want those who live, %v", live, want)
	}
	tr := s.tracker
	if len(tr.waiting)+len(tr.held)+len(tr.pending)+len(tr.toDescribe) != 0 {
		t.Fatalf("remembers of the dead: waiting %v, records %v, pending %v, fresh %v", tr.waiting, tr.held, tr.pending, tr.toDescribe)
	}
}

// Whatever is lost: nobody starts or ends twice, nobody ends who lives, and two scans later the tracker knows exactly
// who lives and has told so.
func TestTracker_LossesAreRepaired(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSim(rapid.Bool().Draw(t, "records"))
		s.observe()
		var book accounts
		take := func() {
			occurred, _ := s.tracker.take(s.now)
			for _, o := range occurred {
				book.check(t, s, o)
			}
		}
		tid := 100
		for range rapid.IntRange(1, 80).Draw(t, "acts") {
			s.actAtRandom(t, &tid)
			switch rapid.IntRange(0, 8).Draw(t, "then") {
			case 0:
				s.poll()
			case 1:
				s.observe()
			case 2:
				s.lose(rapid.IntRange(0, 6).Draw(t, "kept"), rapid.Bool().Draw(t, "records too"))
				s.poll()
			case 3:
				s.poll()
				take()
			}
		}
		for range 3 {
			s.sleep(time.Second)
			s.observe()
		}
		take()
		s.checkMemory(t)
		for _, a := range book {
			if lives := s.lives(a.pid, a.start); lives == a.ended {
				t.Fatalf("pid %d started at %d lives: %t, told to have ended: %t", a.pid, a.start, lives, a.ended)
			}
		}
	})
}

// accounts are what was told of each process.
type accounts []*told

type told struct {
	pid            int
	start          uint64
	spawned, ended bool
}

// check checks an occurrence against what was told before.
func (book *accounts) check(t *rapid.T, s *sim, o schema.KindedEvent) {
	pid, start := o.Event.PID, o.Event.StartTicks
	if (o.Kind == schema.KindExit || o.Kind == schema.KindExec) && start == 0 {
		return // of a process that nothing was known of, not even which
	}
	i := slices.IndexFunc(*book, func(a *told) bool { return a.pid == pid && same(a.start, start) })
	if i < 0 {
		i = len(*book)
		*book = append(*book, &told{pid: pid, start: start})
	}
	a := (*book)[i]
	switch {
	case a.ended, o.Kind == schema.KindSpawn && a.spawned:
		t.Fatalf("told twice: %v %+v", o.Kind, o.Event)
	case o.Kind == schema.KindSpawn:
		a.spawned = true
	case o.Kind == schema.KindExec: // of who has not ended
	case s.lives(pid, start):
		t.Fatalf("it lives: %v %+v", o.Kind, o.Event)
	default:
		a.ended = true
	}
}

// same reports whether two starts, either of which may have been derived, are one: pids are not used again within a
// second.
func same(a, b uint64) bool { return a-b+50 <= 100 }

func (s *sim) lives(pid int, start uint64) bool {
	p := s.procs[pid]
	return p != nil && same(ticksAt(p.started), start)
}
