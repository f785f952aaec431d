package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/schema"
)

var testHead = Head{Host: "h", Instance: schema.Instance{1}, BootID: "b", Wall: 5, Log: "nats://log"}

// testFolder is where a test's spool is.
func testFolder(t *testing.T) string {
	t.Helper()
	lives := filepath.Join(t.TempDir(), "lives")
	if err := os.Mkdir(lives, 0o700); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(lives, "h.1.spool")
}

// record is the n-th message that a test makes.
func record(n, size int) Record {
	return Record{Subject: "proctape.v1.h.snapshot", ID: fmt.Sprint("1.snapshot.", n), Encoding: "s2", Items: uint64(n%3 + 1), Boot: int64(n),
		Data: []byte(strings.Repeat(string(rune('a'+n%26)), size))}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// readAll is all that waits in a lane.
func readAll(t *testing.T, s *Spool, lane string) (list []Entry) {
	t.Helper()
	list, lost, err := s.Read(lane, 1<<20, 1<<40)
	if lost != 0 || err != nil {
		t.Fatalf("read %s: %d lost, error %v", lane, lost, err)
	}
	return list
}

func ids(list []Entry) (ids []string) {
	for _, e := range list {
		ids = append(ids, e.ID)
	}
	return ids
}

// What is appended is read as it was, in its order, also by a later life, until it is taken; and no longer.
func TestSpool_GivesBackWhatWasAppended(t *testing.T) {
	folder := testFolder(t)
	s := must(Create(folder, testHead))(t)
	var want []Record
	for n := range 40 {
		want = append(want, record(n, 100_000)) // four files
	}
	for some := range slices.Chunk(want, 7) {
		if got := must(s.Append(Snapshots, some))(t); len(got) != len(some) {
			t.Fatalf("%d of %d messages are on disk", len(got), len(some))
		}
	}
	must(s.Append(Events, []Record{record(100, 10)}))(t)
	for i := range 2 {
		list := readAll(t, s, Snapshots)
		for i := range list {
			if !reflect.DeepEqual(list[i].Record, want[i]) {
				t.Fatalf("message %d is %.100v, want %.100v", i, list[i].Record, want[i])
			}
		}
		if len(list) != len(want) || len(readAll(t, s, Events)) != 1 {
			t.Fatalf("got %d messages, want %d", len(list), len(want))
		}
		if d := s.Depth(Snapshots); d.Messages != len(want) || d.Bytes < 4_000_000 || DepthOf(filepath.Dir(folder)).Messages != len(want)+1 {
			t.Errorf("depth %+v", d)
		}
		if i > 0 {
			break
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		var damaged error
		if s, damaged, _ = Open(folder); damaged != nil || s.Head().Host != "h" {
			t.Fatalf("opened again: %v, head %+v", damaged, s.Head())
		}
	}
	for len(readAll(t, s, Snapshots)) > 0 {
		some := must2(t)(s.Read(Snapshots, 5, 1<<30))
		for i := range slices.Backward(some) { // in any order
			s.Take(some[i])
			s.Take(some[i]) // once more changes nothing
		}
		s.Sweep()
	}
	if got := files(t, folder); !slices.Equal(got, []string{"events-00000001.seg", "lock"}) {
		t.Errorf("files: %v", got)
	}
	s.Take(readAll(t, s, Events)[0])
	s.Sweep()
	if err := s.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the folder stays: %v", err)
	}
}

func must2(t *testing.T) func([]Entry, uint64, error) []Entry {
	return func(list []Entry, lost uint64, err error) []Entry {
		t.Helper()
		if lost != 0 || err != nil {
			t.Fatalf("%d lost, error %v", lost, err)
		}
		return list
	}
}

func files(t *testing.T, folder string) (names []string) {
	t.Helper()
	for _, e := range must(os.ReadDir(folder))(t) {
		names = append(names, e.Name())
	}
	return names
}

// What goes on while it is read stays in order, and what is dropped is the oldest, with how many items it was.
func TestSpool_DropsTheOldest(t *testing.T) {
	s := must(Create(testFolder(t), testHead))(t)
	defer s.Close()
	var items uint64
	for n := range 40 {
		must(s.Append(Snapshots, []Record{record(n, 100_000)}))(t)
		if n < 11 { // as many as the first file has
			items += record(n, 0).Items
		}
	}
	first := readAll(t, s, Snapshots)[0]
	lost, ok := s.DropOldest(Snapshots)
	if got := ids(readAll(t, s, Snapshots)); !ok || lost != items || got[0] != "1.snapshot.11" || len(got) != 29 {
		t.Errorf("lost %d of %d items, %v, left %v", lost, items, ok, got)
	}
	s.Take(first) // it is gone
	if d := s.Depth(Snapshots); d.Messages != 29 {
		t.Errorf("depth %+v", d)
	}
	if lost := s.Expire(22); len(readAll(t, s, Snapshots)) != 18 || lost == 0 {
		t.Errorf("%d messages are left, %d items went", len(readAll(t, s, Snapshots)), lost)
	}
	if lost := s.Expire(1 << 40); lost == 0 || s.Depth(Snapshots) != (Depth{}) {
		t.Errorf("%d items went, left %+v", lost, s.Depth(Snapshots))
	}
	if _, ok := s.DropOldest(Snapshots); ok {
		t.Error("something went where nothing was")
	}
	must(s.Append(Snapshots, []Record{record(50, 10)}))(t)
	if got := ids(readAll(t, s, Snapshots)); !slices.Equal(got, []string{"1.snapshot.50"}) {
		t.Errorf("got %v", got)
	}
}

// No bit of a file can be wrong and another message be read; what stands before it is read.
func TestSpool_AnyBit(t *testing.T) {
	folder := testFolder(t)
	s := must(Create(folder, testHead))(t)
	var want []Record
	for n := range 3 {
		want = append(want, record(n, 30))
	}
	must(s.Append(Snapshots, want))(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "snapshots-00000001.seg")
	sound := must(os.ReadFile(path))(t)
	for bit := range 8 * len(sound) {
		if testing.Short() && bit%7 != 0 {
			continue
		}
		b := slices.Clone(sound)
		b[bit/8] ^= 1 << (bit % 8)
		checkPrefix(t, path, b, want, fmt.Sprint("bit ", bit, " is wrong"))
	}
	for cut := range sound {
		checkPrefix(t, path, sound[:cut], want, fmt.Sprint("cut after ", cut, " bytes"))
	}
}

// checkPrefix checks that of a damaged file no more is read than messages that were written, from the first on, and that it is called damaged.
func checkPrefix(t *testing.T, path string, content []byte, want []Record, what string) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s, damaged, err := Open(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list := readAll(t, s, Snapshots)
	for i := range list {
		if !reflect.DeepEqual(list[i].Record, want[i]) {
			t.Fatalf("%s: message %d is %v", what, i, list[i].Record)
		}
	}
	if len(list) == len(want) {
		t.Errorf("%s: all is read", what)
	}
	if damaged == nil && !endsWithAFrame(content) {
		t.Errorf("%s: nobody says so", what)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil { // Open deletes a file of which nothing is left
		t.Fatal(err)
	}
}

// endsWithAFrame reports whether a file is whole, as far as anybody can tell.
func endsWithAFrame(b []byte) bool {
	for n := 0; len(b) > 0; b = b[n:] {
		var err error
		if _, n, err = readFrame(b); err != nil {
			return false
		}
	}
	return true
}

// A file that is damaged while it waits costs what is behind the damage, and is counted.
func TestSpool_DamageWhileItWaits(t *testing.T) {
	folder := testFolder(t)
	s := must(Create(folder, testHead))(t)
	defer s.Close()
	for n := range 30 {
		must(s.Append(Snapshots, []Record{record(n, 100_000)}))(t)
	}
	path := filepath.Join(folder, "snapshots-00000002.seg") // messages 11 to 21
	b := must(os.ReadFile(path))(t)
	b[550_000] ^= 4 // in the sixth of them
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	list, lost, err := s.Read(Snapshots, 1000, 1<<30)
	var items uint64
	for n := 16; n <= 21; n++ {
		items += record(n, 0).Items
	}
	if err == nil || lost != items || len(list) != 16 {
		t.Errorf("read %d messages, lost %d items, error %v; want 16, %d and an error", len(list), lost, err, items)
	}
	for i := range list {
		s.Take(list[i])
	}
	s.Sweep()
	if got := ids(readAll(t, s, Snapshots)); len(got) != 8 || got[0] != "1.snapshot.22" {
		t.Errorf("behind the damage: got %v", got)
	}
}
