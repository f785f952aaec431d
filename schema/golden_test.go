package schema

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/proctape/proctape/schema/metric"
)

var update = flag.Bool("update", false, "write the golden files that are missing from the newest folder")

// goldenFolders are the messages as versions wrote them, the newest last. Each must decode for ever.
var goldenFolders = []string{"v2.0", "v2.1", "v2.2", "v2.3", "v2.4", "v2.5"}

// newestGolden is the folder of what this build writes.
func newestGolden() string { return filepath.Join("testdata", goldenFolders[len(goldenFolders)-1]) }

// golden is the bytes of a file in the newest folder. With -update one that is missing is written.
func golden(t testing.TB, name string, got []byte) []byte {
	t.Helper()
	path := filepath.Join(newestGolden(), name)
	if *update && got != nil { // whoever only reads passes nil
		if err := writeMissing(path, got); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// writeMissing writes a file unless there is one: messages that were written once lie in logs.
func writeMissing(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

func TestGolden_UpdateOverwritesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v9.9", "exec.msgpack")
	for _, b := range []string{"first", "second"} {
		if err := writeMissing(path, []byte(b)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "first" {
		t.Errorf("got %q, error %v, want what was written first", got, err)
	}
}

// goldenColumns is how many columns processes had when the newest folder was written. A metric that was added since is in
// what is encoded now, and unknown in what is decoded.
const goldenColumns = 27

// A change that fails here would make logs unreadable that exist: begin a new folder, and leave the old ones.
func TestGolden(t *testing.T) {
	for _, e := range examples() {
		for format, codec := range codecs {
			name := e.name + "." + format
			t.Run(name, func(t *testing.T) {
				got := encoded(t, codec, e.m)
				want := golden(t, name, got)
				if sameTable := metric.Count == goldenColumns; sameTable && !bytes.Equal(got, want) {
					t.Errorf("encoded: got\n%q, want\n%q", got, want)
				}
				m, err := codec.Decode(want)
				if err != nil {
					t.Fatal(err)
				}
				if !equal(m, exampleOf(t, e.name)) {
					t.Errorf("decoded: got\n%+v, want\n%+v", m, e.m)
				}
				if again := encoded(t, codec, m); !bytes.Equal(again, got) {
					t.Errorf("encoded again: got\n%q, want\n%q", again, want)
				}
			})
		}
	}
}

// firstKinds is how many kinds there were up to v2.4.
const firstKinds = 10

// Every file of every folder decodes and is valid; every folder that there is is named.
func TestGolden_EveryFolderDecodes(t *testing.T) {
	folders, err := filepath.Glob("testdata/v*")
	if err != nil || len(folders) != len(goldenFolders) {
		t.Errorf("got folders %v, error %v, want %v: name a new one in goldenFolders", folders, err, goldenFolders)
	}
	for _, folder := range goldenFolders {
		files, err := filepath.Glob(filepath.Join("testdata", folder, "*"))
		want := len(kinds)
		if folder < "v2.5" {
			want = firstKinds
		}
		if err != nil || len(files) < 2*want {
			t.Errorf("%s: got %d files, error %v, want two of each kind", folder, len(files), err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m, err := codecs[filepath.Ext(file)[1:]].Decode(b)
			if err != nil || m.Validate() != nil {
				t.Errorf("%s: got error %v", file, err)
			}
		}
	}
}

// The golden files cover every kind: a new kind needs one.
func TestGolden_EveryKind(t *testing.T) {
	seen := map[Kind]bool{}
	for _, e := range examples() {
		seen[e.m.Kind] = true
	}
	for _, k := range kinds {
		if !seen[k.Kind] {
			t.Errorf("no example of %s", k.Kind)
		}
	}
	if len(seen) != len(kinds) {
		t.Errorf("got examples of %d kinds, want %d", len(seen), len(kinds))
	}
}
