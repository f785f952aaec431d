package ndjson

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// besideModel drives a writer beside a program that rotates its file, and kills it at random.
type besideModel struct {
	t         *testing.T
	rng       *rand.Rand
	path      string
	w         *Beside
	committed State
	made      int // lines so far
	rotations int
	forgets   bool // the control: what a kill left is not remembered
	shuffles  bool // after a kill the lines come in another order, as those of several streams may
}

func (m *besideModel) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *besideModel) open() {
	var damage Damage
	var err error
	m.w, damage, err = OpenBeside(m.path, m.committed)
	m.check(err)
	if damage.Changed {
		m.t.Errorf("it is said to be damaged: %+v", damage)
	}
	if m.forgets {
		clear(m.w.left)
		m.w.state = m.w.all
	}
}

// flush writes lines, and returns how far the file is then.
func (m *besideModel) flush(lines []string) State {
	for _, line := range lines {
		m.w.Append(func(b []byte) []byte { return append(b, line...) })
	}
	state, err := m.w.Flush()
	m.check(err)
	return state
}

// rotate takes the file away as logrotate does.
func (m *besideModel) rotate() {
	m.rotations++
	old := fmt.Sprintf("%s.%d", m.path, m.rotations)
	switch m.rng.IntN(3) {
	case 0: // copytruncate
		b, err := os.ReadFile(m.path)
		m.check(err)
		m.check(os.WriteFile(old, b, 0o600))
		m.check(os.Truncate(m.path, 0))
	case 1: // create
		m.check(os.Rename(m.path, old))
		m.check(os.WriteFile(m.path, nil, 0o600))
	default: // nocreate
		m.check(os.Rename(m.path, old))
		if m.w != nil && m.rng.IntN(2) == 0 { // a line or SIGHUP finds out
			m.check((&Files{snapshots: m.w}).Reopen(func(_ string, s State) error { m.committed = s; return nil }))
		} else if m.w == nil {
			m.check(os.WriteFile(m.path, nil, 0o600))
		}
	}
}

// kill ends the writer after it wrote lines and before they were committed. What it wrote last may be there in part.
func (m *besideModel) kill(lines []string) {
	before, err := m.w.f.Stat()
	m.check(err)
	m.flush(lines)
	after, err := m.w.f.Stat()
	m.check(err)
	if grown := after.Size() - before.Size(); grown > 0 && m.rng.IntN(2) == 0 {
		m.check(m.w.f.Truncate(before.Size() + m.rng.Int64N(grown)))
	}
	m.check(m.w.Close())
	m.w = nil
}

// step writes a few lines, and may be killed meanwhile.
func (m *besideModel) step() {
	var lines []string
	for range 1 + m.rng.IntN(4) {
		m.made++
		lines = append(lines, fmt.Sprintf("line %d %s\n", m.made, strings.Repeat("x", m.rng.IntN(20))))
	}
	if m.rng.IntN(3) == 0 {
		m.rotate()
	}
	if m.rng.IntN(3) == 0 {
		m.kill(lines)
		if m.rng.IntN(3) == 0 {
			m.rotate()
		}
		m.open()
		if m.shuffles {
			m.rng.Shuffle(len(lines), func(a, b int) { lines[a], lines[b] = lines[b], lines[a] })
		}
	}
	cut := m.rng.IntN(len(lines) + 1) // the batches are others after a kill
	for _, batch := range [][]string{lines[:cut], lines[cut:]} {
		m.committed = m.flush(batch)
	}
}

// defects are the lines that are not in the files exactly once.
func (m *besideModel) defects() (all []string) {
	paths, err := filepath.Glob(m.path + "*")
	m.check(err)
	times := map[string]int{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		m.check(err)
		for line := range bytes.Lines(b) {
			var n int
			if _, err := fmt.Sscanf(string(line), "line %d ", &n); err == nil && line[len(line)-1] == '\n' {
				times[fmt.Sprint(n)]++
			}
		}
	}
	for n := 1; n <= m.made; n++ {
		if times[fmt.Sprint(n)] != 1 {
			all = append(all, fmt.Sprintf("line %d is there %d times", n, times[fmt.Sprint(n)]))
		}
		delete(times, fmt.Sprint(n))
	}
	return append(all, slices.Collect(maps.Keys(times))...)
}

// runBeside runs a story of steps, and returns what is wrong at its end.
func runBeside(t *testing.T, seed uint64, forgets, shuffles bool) []string {
	m := &besideModel{t: t, rng: rand.New(rand.NewPCG(seed, 0)), path: filepath.Join(inMemory(t), "m"), forgets: forgets, shuffles: shuffles}
	m.open()
	m.committed = State{Generation: 1}
	for range 12 {
		m.step()
	}
	m.check(m.w.Close())
	return m.defects()
}

// TestOpenBeside_NoDoubles rotates a file under its writer, in the ways of logrotate, and kills it: each line is there once.
func TestOpenBeside_NoDoubles(t *testing.T) {
	for _, shuffles := range []bool{false, true} {
		for seed := range uint64(300) {
			if defects := runBeside(t, seed, false, shuffles); len(defects) > 0 {
				t.Fatalf("seed %d, shuffled %v: %q", seed, shuffles, defects)
			}
		}
	}
}

// TestOpenBeside_NoDoublesControl is a writer that does not remember what a kill left: the same stories find its doubles.
func TestOpenBeside_NoDoublesControl(t *testing.T) {
	for seed := range uint64(20) {
		if defects := runBeside(t, seed, true, false); len(defects) > 0 {
			return
		}
	}
	t.Error("20 stories found nothing")
}

// A file is never cut short after a kill, not even by a part of a line: what follows it would take it for a new one.
func TestOpenBeside_NeverShorter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m")
	write(t, path, "one\ntwo\nthr")
	w, damage, err := OpenBeside(path, State{Size: 4, Lines: 1, Sum: NoSum})
	if err != nil || damage != (Damage{}) {
		t.Fatalf("%+v, %v", damage, err)
	}
	defer w.Close()
	for _, step := range []struct{ lines, want string }{
		{"", "one\ntwo\nthr"}, {"two\n", "one\ntwo\nthr"}, {"three\nfour\n", "one\ntwo\nthree\nfour\n"},
	} {
		w.Append(func(b []byte) []byte { return append(b, step.lines...) })
		if _, err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != step.want {
			t.Errorf("after %q: got %q, want %q (%v)", step.lines, b, step.want, err)
		}
	}
	if want := int64(len("one\ntwo\nthree\nfour\n")); w.state.Size != want || w.state.Lines != 4 {
		t.Errorf("got the state %+v, want %d bytes and 4 lines", w.state, want)
	}
}
