package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/proctape/proctape/schema"
)

// commands puts spawns and execs into words: "+10 make", "=10 cc1" for an exec. Exits are left out.
func commands(told []schema.KindedEvent) (words []string) {
	for _, o := range told {
		switch o.Kind {
		case schema.KindSpawn:
			words = append(words, fmt.Sprintf("+%d %s", o.Event.PID, o.Event.Command))
		case schema.KindExec:
			words = append(words, fmt.Sprintf("=%d %s", o.Event.PID, o.Event.Command))
		}
	}
	return words
}

func TestTracker_Execs(t *testing.T) {
	taken := func(s *sim) { s.poll(); s.sleep(EventDelay); s.told = append(s.told, s.takeAll()...) }
	tests := map[string]struct {
		happen func(s *sim)
		want   string
	}{
		"a fork alone":             {func(s *sim) { s.fork(1, 10) }, "+10 init"},
		"what a fork was for":      {func(s *sim) { s.fork(1, 10); s.exec(10, 10, "make") }, "+10 make"},
		"the same, polled between": {func(s *sim) { s.fork(1, 10); s.poll(); s.exec(10, 10, "make") }, "+10 make"},
		"the same, taken between":  {func(s *sim) { s.fork(1, 10); taken(s); s.exec(10, 10, "make") }, "+10 init, =10 make"},
		"another while the spawn waits": {
			func(s *sim) { s.fork(1, 10); s.exec(10, 10, "sh -c cc1"); s.poll(); s.exec(10, 10, "cc1") },
			"+10 sh -c cc1, =10 cc1",
		},
		"another before anybody could read the first": {
			func(s *sim) { s.fork(1, 10); s.exec(10, 10, "sh -c cc1"); s.exec(10, 10, "cc1") }, "+10 cc1",
		},
		"later": {
			func(s *sim) { s.fork(1, 10); s.exec(10, 10, "sh"); taken(s); s.exec(10, 10, "cc1") }, "+10 sh, =10 cc1",
		},
		"twice": {
			func(s *sim) {
				s.fork(1, 10)
				s.exec(10, 10, "sh")
				taken(s)
				s.exec(10, 10, "cc1")
				s.poll()
				s.exec(10, 10, "ld")
			},
			"+10 sh, =10 cc1, =10 ld",
		},
		"twice before anybody could read the first": {
			func(s *sim) {
				s.fork(1, 10)
				s.exec(10, 10, "sh")
				taken(s)
				s.exec(10, 10, "cc1")
				s.exec(10, 10, "ld")
			},
			"+10 sh, =10 ld",
		},
		"the same program again": {
			func(s *sim) { s.fork(1, 10); s.exec(10, 10, "sh"); taken(s); s.exec(10, 10, "sh") }, "+10 sh",
		},
		"back to what it was": {
			func(s *sim) {
				s.fork(1, 10)
				s.exec(10, 10, "sh")
				taken(s)
				s.exec(10, 10, "cc1")
				s.poll()
				s.exec(10, 10, "sh")
			},
			"+10 sh, =10 cc1, =10 sh",
		},
		"of a process that was there before": {
			func(s *sim) { s.exec(1, 1, "init --new") }, "=1 init --new",
		},
		"of a process that was there before, the same again": {func(s *sim) { s.exec(1, 1, "init") }, ""},
		"by another thread": {
			func(s *sim) { s.fork(1, 10); taken(s); s.thread(10, 11); s.exec(10, 11, "new") }, "+10 init, =10 new",
		},
		"a child does not change its parent": {
			func(s *sim) { s.fork(1, 10); taken(s); s.fork(10, 11); s.exec(11, 11, "cc1") }, "+10 init, +11 cc1",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, s *sim) {
				s.observe()
				tt.happen(s)
				taken(s)
				if got := strings.Join(commands(s.told), ", "); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// An exec of a process that ended before /proc could be read has the short name of its record, or no command.
func TestTracker_ExecOfAnEndedProcess(t *testing.T) {
	eachKind(t, func(t *testing.T, s *sim) {
		s.observe()
		s.fork(1, 10)
		s.poll()
		s.sleep(EventDelay)
		s.takeAll()
		s.exec(10, 10, "cc1")
		s.exitGroup(10, 0)
		s.poll()
		s.sleep(EventDelay)
		want := map[bool]string{true: "=10 cc1", false: "=10 "}[s.tracker.records]
		if got := strings.Join(commands(s.takeAll()), ", "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// Execs that there is no room for are counted.
func TestTracker_ExecsAreBounded(t *testing.T) {
	s := newSim(true)
	s.tracker.limit = 3
	s.observe()
	for i := range 5 {
		s.exec(1, 1, fmt.Sprint("init ", i))
		s.poll()
	}
	told, gaps := s.tracker.take(s.now + int64(time.Hour))
	if got, want := strings.Join(commands(told), ", "), "=1 init 0, =1 init 1, =1 init 2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(gaps) != 1 || gaps[0].Kind != schema.GapEventsDropped || gaps[0].Count != schema.Some(int64(2)) {
		t.Errorf("got gaps %+v, want 2 events dropped", gaps)
	}
}

// The last command that was told of a process is the one that it has. Control: without the execs it often is not.
func TestTracker_LastToldCommandIsTheOneItHas(t *testing.T) {
	wrong := 0
	rapid.Check(t, func(t *rapid.T) {
		s := newSim(rapid.Bool().Draw(t, "records"))
		s.observe()
		tid := 100
		for range rapid.IntRange(1, 80).Draw(t, "acts") {
			s.actAtRandom(t, &tid)
			if rapid.Bool().Draw(t, "poll") {
				s.poll()
			}
			if rapid.IntRange(0, 4).Draw(t, "take") == 0 {
				s.sleep(EventDelay)
				s.told = append(s.told, s.takeAll()...)
			}
		}
		s.poll()
		s.sleep(EventDelay)
		s.told = append(s.told, s.takeAll()...)
		last, lastSpawn := map[int]string{1: "init"}, map[int]string{1: "init"}
		for _, o := range s.told {
			if o.Kind == schema.KindSpawn {
				lastSpawn[o.Event.PID] = o.Event.Command
			}
			if o.Kind != schema.KindExit {
				last[o.Event.PID] = o.Event.Command
			}
		}
		for pid, p := range s.procs {
			if last[pid] != p.command {
				t.Errorf("process %d executes %q, told was %q; all: %q", pid, p.command, last[pid], commands(s.told))
			}
			if lastSpawn[pid] != p.command {
				wrong++
			}
		}
	})
	if wrong == 0 {
		t.Error("spawns alone were wrong of no process: the test tests nothing")
	}
}

// takeAll takes everything, however young.
func (s *sim) takeAll() []schema.KindedEvent {
	told, _ := s.tracker.take(s.now + int64(time.Hour))
	return told
}

// A process that executes another program is told to; a process that forks one is not.
func TestExact_Exec(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	exact(t, func(t *testing.T, r *rig, see expectation) {
		source := SourceConnector // which also tells the execs of taskstats
		if see.kind == KindBPF {
			source = SourceBPF
		}
		execs := start(t, "read x; exec cat")
		forks := start(t, "read x; cat; exit 0")
		r.await(schema.KindSpawn, execs.pid())
		r.await(schema.KindSpawn, forks.pid())
		fmt.Fprintln(execs.stdin, "go")
		fmt.Fprintln(forks.stdin, "go")
		got := r.await(schema.KindExec, execs.pid())
		spawn := r.of(schema.KindSpawn, execs.pid())[0]
		if got.Command != "cat" || got.StartTicks != spawn.StartTicks || got.UID != spawn.UID || got.Boot <= spawn.Boot ||
			got.Wall <= spawn.Wall || got.Source != source {
			t.Errorf("got %+v after %+v, want an exec of cat", got, spawn)
		}
		execs.stdin.Close()
		forks.stdin.Close()
		r.await(schema.KindExit, execs.pid())
		r.await(schema.KindExit, forks.pid())
		r.pollLonger()
		if n, m := len(r.of(schema.KindExec, execs.pid())), len(r.of(schema.KindExec, forks.pid())); n != 1 || m != 0 {
			t.Errorf("got %d execs of who executes and %d of who forks, want 1 and 0", n, m)
		}
		child := slices.IndexFunc(r.told, func(o schema.KindedEvent) bool {
			return o.Kind == schema.KindSpawn && o.Event.PPID == schema.Some(int64(forks.pid()))
		})
		if child < 0 || r.told[child].Event.Command != "cat" {
			t.Fatalf("the child of who forks was not told as cat")
		}
		if n := len(r.of(schema.KindExec, r.told[child].Event.PID)); n != 0 {
			t.Errorf("got %d execs of the child, want none beside its spawn", n)
		}
	})
}
