package schema

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden is the bytes of a golden file, which -update writes first.
func golden(t testing.TB, name string, got []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", "v2.0", name)
	if *update && got != nil { // whoever only reads passes nil
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// The files are messages as version 1 wrote them. A change that fails here would make logs unreadable that exist.
func TestGolden(t *testing.T) {
	for _, e := range examples() {
		for format, codec := range codecs {
			name := e.name + "." + format
			t.Run(name, func(t *testing.T) {
				got := encoded(t, codec, e.m)
				want := golden(t, name, got)
				if !bytes.Equal(got, want) {
					t.Errorf("encoded: got\n%q, want\n%q", got, want)
				}
				m, err := codec.Decode(want)
				if err != nil {
					t.Fatal(err)
				}
				if !equal(m, exampleOf(t, e.name)) {
					t.Errorf("decoded: got\n%+v, want\n%+v", m, e.m)
				}
				if again := encoded(t, codec, m); !bytes.Equal(again, want) {
					t.Errorf("encoded again: got\n%q, want\n%q", again, want)
				}
			})
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
