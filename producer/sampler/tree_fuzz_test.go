package sampler

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/producer/jobs"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

const recordedProc = "../procfs/testdata/proc"

// hostileNumbers are put in the place of numbers.
var hostileNumbers = []string{"-1", "0", "18446744073709551615", "18446744073709551616", "9223372036854775808", "99999999999999999999999999", "1e9", "0x10", "007",
	"4294967296", "-9223372036854775808", "NaN", "inf", "", " ", "1.7.3", "9007199254740993"}

// procTree is a copy of the recorded /proc, whose files are spoiled.
type procTree struct {
	root  string
	files []string // under root
	whole map[string][]byte
}

func newProcTree(tb testing.TB) *procTree {
	tb.Helper()
	root, err := os.MkdirTemp("/dev/shm", "proc")
	if err != nil {
		root = tb.TempDir()
	}
	tb.Cleanup(func() { os.RemoveAll(root) })
	if err := os.CopyFS(root, os.DirFS(recordedProc)); err != nil {
		tb.Fatal(err)
	}
	tree := &procTree{root: root, whole: map[string][]byte{}}
	err = filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || strings.Contains(path, "/fd/") {
			return err
		}
		name, _ := filepath.Rel(root, path) // it lies below
		tree.files = append(tree.files, name)
		tree.whole[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return tree
}

// spoil spoils a file as bytes say, and returns its name. It stays the same file, as the kernel's do.
func (p *procTree) spoil(tb testing.TB, how []byte) string {
	tb.Helper()
	next := func() int {
		if len(how) == 0 {
			return 0
		}
		b := how[0]
		how = how[1:]
		return int(b)
	}
	name := p.files[next()%len(p.files)]
	whole := p.whole[name]
	at := (next()<<8 | next()) % (len(whole) + 1)
	var data []byte
	switch next() % 6 {
	case 0:
		data = how
	case 1:
		data = whole[:at]
	case 2:
		data = append(append(bytes.Clone(whole[:at]), how...), whole[at:]...)
	case 3:
		data = bytes.Repeat(whole, 1+next()%40)
	case 4:
		data = bytes.Clone(whole)
		for _, b := range how {
			if at < len(data) {
				data[at] = b
			}
			at++
		}
	default:
		data = otherNumber(whole, at, hostileNumbers[next()%len(hostileNumbers)])
	}
	p.write(tb, name, data)
	return name
}

// otherNumber puts a number in the place of the first one at or behind a place.
func otherNumber(data []byte, at int, number string) []byte {
	isDigit := func(r rune) bool { return r >= '0' && r <= '9' }
	from := bytes.IndexFunc(data[at:], isDigit)
	if from < 0 {
		return []byte(number)
	}
	from += at
	end := from
	for end < len(data) && isDigit(rune(data[end])) {
		end++
	}
	return append(append(bytes.Clone(data[:from]), number...), data[end:]...)
}

func (p *procTree) write(tb testing.TB, name string, data []byte) {
	tb.Helper()
	if err := os.WriteFile(filepath.Join(p.root, name), data, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// treeSampler samples a tree, and keeps what is said.
type treeSampler struct {
	*Sampler
	said bytes.Buffer
}

func newTreeSampler(tb testing.TB, root string) *treeSampler {
	tb.Helper()
	fs := procfs.New(root)
	s := new(treeSampler)
	s.Sampler = New(Config{FS: fs, Scrubber: scrub.New(scrub.Scrubbed), Claims: new(jobs.Claims), Interval: time.Second, OwnPID: -1,
		Options: procfs.Options{EnvKeys: []string{jobs.EnvJob, jobs.EnvSheet}}, Log: slog.New(slog.NewTextHandler(&s.said, nil))})
	return s
}

func (s *treeSampler) close(tb testing.TB) {
	if err := s.cfg.FS.Close(); err != nil {
		tb.Error(err)
	}
}

// sampled is a sample that went through the codec, as everything does that is published.
func (s *treeSampler) sampled(tb testing.TB) *schema.Snapshot {
	tb.Helper()
	got, err := s.Sample(1, time.Second)
	if err != nil {
		tb.Fatalf("the snapshot is lost: %v", err)
	}
	m := &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindSnapshot, Host: "here", BootID: "boot", Instance: schema.Instance{1}, Seq: 1,
		Wall: got.Wall, Boot: got.Boot, Produced: 1}, Snapshot: got.Snapshot}
	payload, encoding, err := schema.Encode(nil, m)
	if err != nil {
		tb.Fatalf("the snapshot cannot be stored: %v", err)
	}
	again, err := schema.Decode("", encoding, payload)
	if err != nil {
		tb.Fatalf("the snapshot cannot be read: %v", err)
	}
	return again.Snapshot
}

// rowsOf are the processes of a snapshot without what depends on when they were read.
func rowsOf(s *schema.Snapshot) map[int]schema.Process {
	rows := map[int]schema.Process{}
	for i := range s.Processes.Len() {
		p := s.Processes.Row(i)
		p.CPUPermille = schema.Opt[int64]{}
		rows[s.Processes.PID(i)] = p
	}
	return rows
}

// checkSpoiled samples a tree of which one file is spoiled, by a sampler that knew it and by a new one, and after it is whole again. A
// value costs itself: other processes are as they were, and what is not known any more is told. What is wrong is returned. A sampler that is
// silent is the control.
func checkSpoiled(tb testing.TB, tree *procTree, how []byte, silent bool) (defects []string) {
	tb.Helper()
	knew, young := newTreeSampler(tb, tree.root), newTreeSampler(tb, tree.root)
	defer knew.close(tb)
	defer young.close(tb)
	whole := knew.sampled(tb)
	before := rowsOf(whole)
	name := tree.spoil(tb, how)
	defer tree.write(tb, name, tree.whole[name])
	owner, _, ofProcess := strings.Cut(name, "/")
	for who, s := range map[string]*treeSampler{"knew": knew, "new": young} {
		got := s.sampled(tb)
		after := rowsOf(got)
		for pid, p := range before {
			if now, there := after[pid]; fmt.Sprint(pid) != owner && (!there || !reflect.DeepEqual(now, p)) {
				defects = append(defects, fmt.Sprintf("%s, %s spoiled: process %d is %+v, was %+v", who, name, pid, now, p))
			}
		}
		if lost := unknownNow(whole, got); len(lost) > 0 && (s.said.Len() == 0 || silent) && got.Hidden == 0 && (!ofProcess || filepath.Base(name) != "stat") {
			defects = append(defects, fmt.Sprintf("%s, %s spoiled: nobody says why %v is unknown", who, name, lost))
		}
	}
	return defects
}

// unknownNow are the numbers that a snapshot knows and a later one does not.
func unknownNow(before, after *schema.Snapshot) (names []string) {
	for row := range before.Processes.Len() {
		at, there := after.Processes.Find(before.Processes.PID(row))
		if !there {
			continue // hidden, or by its stat a thread of the kernel
		}
		for id := range metric.Count {
			if metric.Table[id].Kind != metric.Text && id != metric.CPUPermille && before.Processes.Number(id, row).Known && !after.Processes.Number(id, at).Known {
				names = append(names, metric.Table[id].Name)
			}
		}
	}
	for _, v := range after.HostValues.Unknown {
		names = append(names, string(v))
	}
	return names
}

// FuzzTree spoils a file of /proc: `go test -fuzz FuzzTree ./producer/sampler`.
func FuzzTree(f *testing.F) {
	for i := range byte(30) {
		f.Add([]byte{i, 0, i, i, 'x'})
	}
	tree := newProcTree(f)
	f.Fuzz(func(t *testing.T, how []byte) {
		for _, defect := range checkSpoiled(t, tree, how, false) {
			t.Error(defect)
		}
	})
}

// TestTree_Spoiled spoils files at random for some seconds: no crash, no snapshot that is lost, and nothing unknown that is not told.
func TestTree_Spoiled(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	tree, caught := newProcTree(t), 0
	for seed := range uint64(1500) {
		rng := rand.New(rand.NewPCG(seed, 1))
		how := make([]byte, 4+rng.IntN(40))
		for i := range how {
			how[i] = byte(rng.IntN(256))
		}
		if defects := checkSpoiled(t, tree, how, false); len(defects) > 0 {
			t.Fatalf("seed %d: %q: %s", seed, how, strings.Join(defects, "\n"))
		}
		caught += len(checkSpoiled(t, tree, how, true))
	}
	if caught < 100 {
		t.Errorf("of a sampler that says nothing %d values were missed: this test tries little", caught)
	}
	t.Logf("a sampler that says nothing is caught %d times", caught)
}
