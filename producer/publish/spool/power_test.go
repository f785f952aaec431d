package spool

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// powerDisk is a disk whose power is cut: of what was not synced before, any part may be there or not.
type powerDisk struct {
	forgets bool // it takes a sync for done, as if nobody had asked for it
	files   []*powerFile
}

// powerFile is a file on it.
type powerFile struct {
	disk    *powerDisk
	f       *os.File
	path    string
	current []byte
	synced  []byte
	named   bool // its name is on disk
}

func (d *powerDisk) create(path string) (file, error) {
	f, err := realDisk{}.create(path)
	if err != nil {
		return nil, err
	}
	p := &powerFile{disk: d, f: f.(*os.File), path: path}
	d.files = append(d.files, p)
	return p, nil
}

func (d *powerDisk) syncFolder(folder string) error {
	for _, f := range d.files {
		if !d.forgets && filepath.Dir(f.path) == folder {
			f.named = true
		}
	}
	return nil
}

func (f *powerFile) WriteAt(b []byte, at int64) (int, error) {
	if end := int(at) + len(b); end > len(f.current) {
		f.current = append(f.current, make([]byte, end-len(f.current))...)
	}
	copy(f.current[at:], b)
	return f.f.WriteAt(b, at)
}

func (f *powerFile) Sync() error {
	if !f.disk.forgets {
		f.synced = slices.Clone(f.current)
	}
	return nil
}

func (f *powerFile) Close() error { return f.f.Close() }

// cut cuts the power: each file is as it was synced, and some of what came after is there, some of it as zeros.
func (d *powerDisk) cut(t *testing.T, roll *rand.Rand) {
	t.Helper()
	for _, f := range d.files {
		if _, err := os.Stat(f.path); err != nil {
			continue // it was deleted
		}
		if !f.named && roll.IntN(2) == 0 {
			os.Remove(f.path)
			continue
		}
		left := slices.Clone(f.current)
		if n := len(f.current) - len(f.synced); n > 0 {
			left = left[:len(f.synced)+roll.IntN(n+1)]
		}
		for i := len(f.synced); i < len(left); i++ {
			if roll.IntN(3) == 0 {
				left[i] = 0
			}
		}
		copy(left, f.synced)
		if err := os.WriteFile(f.path, left, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// lostByPowerCuts cuts the power again and again while messages are appended and taken, and counts those that were on disk, as Append had
// said, and are not there any more.
func lostByPowerCuts(t *testing.T, seeds uint64, forgets bool) (lost int) {
	for seed := range seeds {
		roll := rand.New(rand.NewPCG(seed, 7))
		folder, d := testFolder(t), &powerDisk{forgets: forgets}
		s := must(create(folder, testHead, d))(t)
		var waits []string
		next := 0
		for range 1 + roll.IntN(30) {
			if roll.IntN(4) > 0 {
				var some []Record
				for range 1 + roll.IntN(8) {
					some = append(some, record(next, 1+roll.IntN(150_000)))
					next++
				}
				waits = append(waits, ids(must(s.Append(Snapshots, some))(t))...)
				continue
			}
			for _, e := range must2(t)(s.Read(Snapshots, roll.IntN(10), 1<<30)) {
				s.Take(e)
				waits = slices.DeleteFunc(waits, func(id string) bool { return id == e.ID })
			}
			s.Sweep()
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		d.cut(t, roll)
		after, _, err := Open(folder)
		if err != nil {
			t.Fatal(err)
		}
		got := ids(readAll(t, after, Snapshots))
		after.Close()
		for _, id := range waits {
			if !slices.Contains(got, id) {
				lost++
			}
		}
		if !slices.IsSortedFunc(got, func(a, b string) int { return compareIDs(a, b) }) {
			t.Errorf("seed %d: out of order: %v", seed, got)
		}
	}
	return lost
}

func compareIDs(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return slices.Compare([]byte(a), []byte(b))
}

// What Append says is on disk is there after a power cut, whenever that comes. The control is a spool that forgets to sync.
func TestSpool_PowerCut(t *testing.T) {
	seeds := uint64(20)
	if os.Getenv("PROCTAPE_SOAK") != "" {
		seeds = 300
	}
	if lost := lostByPowerCuts(t, seeds, false); lost > 0 {
		t.Errorf("%d messages that were on disk are lost", lost)
	}
	if lost := lostByPowerCuts(t, 5, true); lost == 0 {
		t.Error("control: a spool that forgets to sync loses nothing: this test catches nothing")
	} else {
		t.Logf("control: %d messages are lost without syncs", lost)
	}
}
