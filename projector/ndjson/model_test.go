package ndjson

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// dice returns a number from 0 to n-1.
type dice func(n int) int

// protocol is how a writer is used. The variants other than right are wrong on purpose: the checker must find out.
type protocol struct {
	commitFirst bool // commits a batch before it is on disk
	keepTail    bool // takes what a file holds for what is committed
	eager       bool // moves the files before the rotation is committed
}

// model drives a writer as the projector does, crashes it at random, and knows which lines are committed.
type model struct {
	roll dice
	protocol
	dir  string
	path string

	w         *Writer
	committed State
	files     [3][]string // the committed lines: of the current file, of .1, of .2
	batch     []string    // appended and not committed
	lines     int
}

const modelLimit = 60

func (m *model) open() error {
	state := m.committed
	if m.keepTail {
		if info, err := os.Stat(m.path); err == nil {
			state.Size = max(state.Size, info.Size())
		}
	}
	w, damage, err := Open(m.path, modelLimit, state, nil)
	if err != nil {
		return err
	}
	m.w = w
	if damage != (Damage{}) {
		return fmt.Errorf("%d committed bytes are missing", damage.Bytes)
	}
	return m.check()
}

// crash loses what the process knew. What it last wrote may have reached the disk in part.
func (m *model) crash() error {
	if err := m.w.Close(); err != nil {
		return err
	}
	if pending := m.w.pending; len(pending) > 0 && m.roll(2) == 0 {
		if err := m.tear(pending[:m.roll(len(pending)+1)]); err != nil {
			return err
		}
	}
	m.batch = nil
	return m.open()
}

func (m *model) tear(part []byte) error {
	f, err := os.OpenFile(m.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(part)
	return errors.Join(err, f.Close())
}

func (m *model) append() {
	text := fmt.Sprintf("line %d %s", m.lines, strings.Repeat("x", m.roll(30)))
	m.lines++
	m.batch = append(m.batch, text)
	m.w.Append(func(b []byte) []byte { return append(append(b, text...), '\n') })
}

// commit is the end of a transaction, and may crash around each of its steps.
func (m *model) commit() error {
	if m.commitFirst {
		state := m.w.state
		state.Size += int64(len(m.w.pending))
		state.Lines += int64(len(m.batch))
		m.book(state)
		if m.roll(4) == 0 {
			return m.crash()
		}
	}
	state, err := m.w.Flush()
	if err != nil {
		return err
	}
	if m.roll(4) == 0 {
		return m.crash()
	}
	m.book(state)
	if m.roll(4) == 0 {
		return m.crash()
	}
	return nil
}

func (m *model) book(s State) {
	m.committed = s
	m.files[0] = append(m.files[0], m.batch...)
	m.batch = nil
}

func (m *model) bookRotation(s State) {
	m.committed = s
	m.files = [3][]string{nil, m.files[0], m.files[1]}
}

// rotate crashes at any step of a rotation, or at none.
func (m *model) rotate() error {
	if m.eager {
		state := State{Generation: m.w.state.Generation + 1}
		if _, err := m.w.PrepareRotation(); err != nil {
			return err
		}
		if err := m.w.Rotate(); err != nil {
			return err
		}
		if m.roll(2) == 0 {
			return m.crash()
		}
		m.bookRotation(state)
		return nil
	}
	state, err := m.w.PrepareRotation()
	if err != nil {
		return err
	}
	if m.roll(4) == 0 {
		return m.crash()
	}
	m.bookRotation(state)
	renames := [][2]string{{m.path + ".1", m.path + ".2"}, {m.path, m.path + ".1"}, {m.path + ".new", m.path}}
	if done := m.roll(8); done <= len(renames) {
		for _, r := range renames[:done] {
			if err := os.Rename(r[0], r[1]); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return m.crash()
	}
	return m.w.Rotate()
}

// step does what a projector might do next.
func (m *model) step() error {
	switch n := m.roll(10); {
	case n == 0:
		return m.crash()
	case m.w.Full() && len(m.batch) > 0:
		return m.commit()
	case m.w.Full():
		return m.rotate()
	case n < 6 || len(m.batch) == 0:
		m.append()
		return nil
	}
	if err := m.commit(); err != nil {
		return err
	}
	if len(m.batch) > 0 {
		return nil
	}
	return m.check()
}

// check compares the three files with the committed lines. Nothing is pending.
func (m *model) check() error {
	for i, lines := range m.files {
		name := m.path
		if i > 0 {
			name = fmt.Sprintf("%s.%d", m.path, i)
		}
		want := ""
		for _, l := range lines {
			want += l + "\n"
		}
		got, err := os.ReadFile(name)
		if err != nil && (!errors.Is(err, fs.ErrNotExist) || want != "") {
			return err
		}
		if string(got) != want {
			return fmt.Errorf("%s: got %q, want %q", filepath.Base(name), got, want)
		}
	}
	if entries, err := os.ReadDir(m.dir); err != nil || len(entries) > 3 {
		return fmt.Errorf("%d files in the folder, want at most 3 (%v)", len(entries), err)
	}
	return nil
}

// run takes steps until one finds a fault.
func (p protocol) run(roll dice, steps int) (err error) {
	dir, err := os.MkdirTemp("/dev/shm", "ndjson") // in memory, where there is such a folder: a sync costs nothing there
	if err != nil {
		dir, err = os.MkdirTemp("", "ndjson")
	}
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m := &model{roll: roll, protocol: p, dir: dir, path: filepath.Join(dir, "m")}
	if err := m.open(); err != nil {
		return err
	}
	defer func() { m.w.Close() }()
	for i := range steps {
		if err := m.step(); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return m.crash()
}

// Whatever is appended, committed, rotated and crashed in whatever order: after a crash the files hold the committed
// lines and nothing else.
func TestWriter_Model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		roll := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "roll") }
		if err := (protocol{}).run(roll, 40); err != nil {
			t.Fatal(err)
		}
	})
}

// The checker finds what is wrong with protocols that are wrong.
func TestWriter_ModelControl(t *testing.T) {
	tests := []struct {
		name string
		protocol
		caught bool
	}{
		{"right", protocol{}, false},
		{"commit before flush", protocol{commitFirst: true}, true},
		{"no truncation at open", protocol{keepTail: true}, true},
		{"rotation before its commit", protocol{eager: true}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var err error
			for seed := uint64(0); seed < 50 && err == nil; seed++ {
				err = test.run(rand.New(rand.NewPCG(seed, 0)).IntN, 40)
			}
			if caught := err != nil; caught != test.caught {
				t.Errorf("got %v, want it caught: %t", err, test.caught)
			}
		})
	}
}
