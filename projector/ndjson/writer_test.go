package ndjson

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// line returns what appends a line of n bytes, its newline included, that begins with text.
func line(text string, n int) func([]byte) []byte {
	return func(b []byte) []byte {
		b = append(b, text...)
		for range n - len(text) - 1 {
			b = append(b, '.')
		}
		return append(b, '\n')
	}
}

// at is the state of a file that holds text.
func at(generation int64, text string) State {
	return State{Generation: generation, Size: int64(len(text)), Lines: int64(strings.Count(text, "\n")),
		Sum: int64(crc32.Checksum([]byte(text), castagnoli))}
}

func mustOpen(t *testing.T, path string, limit int64, committed State) *Writer {
	t.Helper()
	w, damage, err := Open(path, limit, committed, nil)
	if err != nil {
		t.Fatal(err)
	}
	if damage != (Damage{}) {
		t.Fatalf("%d bytes are missing", damage.Bytes)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func mustFlush(t *testing.T, w *Writer) State {
	t.Helper()
	s, err := w.Flush()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustRotate(t *testing.T, w *Writer) State {
	t.Helper()
	s, err := w.PrepareRotation()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Rotate(); err != nil {
		t.Fatal(err)
	}
	return s
}

// folder is the files of a folder, by name, with what they hold.
func folder(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(b)
	}
	return files
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func checkFolder(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	if got := folder(t, dir); !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWriter_FlushWritesWhatWasAppended(t *testing.T) {
	dir := t.TempDir()
	w := mustOpen(t, filepath.Join(dir, "m"), 100, State{})
	w.Append(line("a", 3))
	w.Append(line("b", 4))
	checkFolder(t, dir, map[string]string{"m": ""})
	if got, want := mustFlush(t, w), at(0, "a.\nb..\n"); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	checkFolder(t, dir, map[string]string{"m": "a.\nb..\n"})
	if got, want := mustFlush(t, w), at(0, "a.\nb..\n"); got != want {
		t.Errorf("with nothing pending: got %+v, want %+v", got, want)
	}
}

func TestWriter_Full(t *testing.T) {
	tests := []struct {
		name    string
		limit   int64
		flushed int
		pending int
		want    bool
	}{
		{"empty", 10, 0, 0, false},
		{"below", 10, 9, 0, false},
		{"reached", 10, 10, 0, true},
		{"passed by a long line", 10, 30, 0, true},
		{"reached by what is pending", 10, 4, 6, true},
		{"below with what is pending", 10, 4, 5, false},
		{"default", 0, 1000, 1000, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := mustOpen(t, filepath.Join(t.TempDir(), "m"), test.limit, State{})
			if test.flushed > 0 {
				w.Append(line("", test.flushed))
				mustFlush(t, w)
			}
			if test.pending > 0 {
				w.Append(line("", test.pending))
			}
			if got := w.Full(); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

func TestDefaultLimit(t *testing.T) {
	w := mustOpen(t, filepath.Join(t.TempDir(), "m"), 0, State{})
	if want := int64(52_428_800); w.limit != want {
		t.Errorf("got %d, want the contract's %d", w.limit, want)
	}
}

func TestWriter_RotatesAtLimit(t *testing.T) {
	dir := t.TempDir()
	w := mustOpen(t, filepath.Join(dir, "m"), 20, State{})
	for i := range 8 { // two lines fill a file
		if w.Full() {
			if got, want := mustRotate(t, w), (State{Generation: int64(i / 2)}); got != want {
				t.Errorf("rotation %d: got %+v, want %+v", i/2, got, want)
			}
		}
		w.Append(line(fmt.Sprint("line", i), 10))
		mustFlush(t, w)
	}
	checkFolder(t, dir, map[string]string{
		"m":   "line6....\nline7....\n",
		"m.1": "line4....\nline5....\n",
		"m.2": "line2....\nline3....\n",
	})
}

func TestWriter_Mode(t *testing.T) {
	defer unix.Umask(unix.Umask(0))
	dir := t.TempDir()
	w := mustOpen(t, filepath.Join(dir, "m"), 10, State{})
	for range 3 {
		w.Append(line("", 10))
		mustFlush(t, w)
		mustRotate(t, w)
	}
	for name := range folder(t, dir) {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode(); got != 0o600 {
			t.Errorf("%s: got %v, want 0600", name, got)
		}
	}
}

func TestOpen(t *testing.T) {
	tests := []struct {
		name      string
		files     map[string]string
		committed State
		want      map[string]string
		damage    Damage
	}{
		{name: "nothing there", want: map[string]string{"m": ""}},
		{name: "as committed", files: map[string]string{"m": "a\nb\n"}, committed: at(0, "a\nb\n"), want: map[string]string{"m": "a\nb\n"}},
		{name: "a line too many", files: map[string]string{"m": "a\nb\n"}, committed: at(0, "a\n"), want: map[string]string{"m": "a\n"}},
		{name: "a torn tail", files: map[string]string{"m": "a\n{\"time"}, committed: at(0, "a\n"), want: map[string]string{"m": "a\n"}},
		{name: "a garbage tail", files: map[string]string{"m": "a\n\x00\x00\x00"}, committed: at(3, "a\n"), want: map[string]string{"m": "a\n"}},
		{name: "nothing committed", files: map[string]string{"m": "a\n"}, want: map[string]string{"m": ""}},
		{name: "shorter than committed", files: map[string]string{"m": "a\n"}, committed: at(0, "a\nb\nc\n"),
			want: map[string]string{"m": "a\n"}, damage: Damage{Bytes: 4}},
		{name: "shorter, with a torn line", files: map[string]string{"m": "a\nb\nccc"}, committed: at(0, "a\nb\ncccc\n"),
			want: map[string]string{"m": "a\nb\n"}, damage: Damage{Bytes: 5}},
		{name: "nothing but a torn line", files: map[string]string{"m": "aa"}, committed: at(0, "aaa\n"),
			want: map[string]string{"m": ""}, damage: Damage{Bytes: 4}},
		{name: "missing", committed: at(2, "a\nb\n"), files: map[string]string{"m.1": "x\n"}, want: map[string]string{"m": "", "m.1": "x\n"},
			damage: Damage{Bytes: 4}},
		{name: "old files stay", files: map[string]string{"m": "c\n", "m.1": "b\n", "m.2": "a\n"}, committed: at(2, "c\n"),
			want: map[string]string{"m": "c\n", "m.1": "b\n", "m.2": "a\n"}},
		{name: "rotation prepared and not committed", files: map[string]string{"m": "c\nd\n", "m.1": "b\n", "m.new": ""}, committed: at(1, "c\nd\n"),
			want: map[string]string{"m": "c\nd\n", "m.1": "b\n"}},
		{name: "rotation committed", files: map[string]string{"m": "c\nd\n", "m.1": "b\n", "m.2": "a\n", "m.new": ""}, committed: at(3, ""),
			want: map[string]string{"m": "", "m.1": "c\nd\n", "m.2": "b\n"}},
		{name: "first rotation committed", files: map[string]string{"m": "c\n", "m.new": ""}, committed: at(1, ""),
			want: map[string]string{"m": "", "m.1": "c\n"}},
		{name: "prepared before anything was committed", files: map[string]string{"m": "c\n", "m.new": ""}, want: map[string]string{"m": ""}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range test.files {
				write(t, filepath.Join(dir, name), text)
			}
			w, damage, err := Open(filepath.Join(dir, "m"), 100, test.committed, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			if damage.Bytes != test.damage.Bytes || damage.Changed {
				t.Errorf("damage: got %+v, want %+v", damage, test.damage)
			}
			checkFolder(t, dir, test.want)
			if got, want := mustFlush(t, w), at(test.committed.Generation, test.want["m"]); got != want {
				t.Errorf("state: got %+v, want %+v", got, want)
			}
			// And it goes on where the file now ends.
			w.Append(line("next", 6))
			mustFlush(t, w)
			test.want["m"] += "next.\n"
			checkFolder(t, dir, test.want)
		})
	}
}

func TestOpen_RefusesSymlink(t *testing.T) {
	tests := []struct{ name, target string }{
		{"to a file", "victim"},
		{"to nothing", "nowhere"},
		{"to itself", "m"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "victim"), "keep me\n")
			if err := os.Symlink(test.target, filepath.Join(dir, "m")); err != nil {
				t.Fatal(err)
			}
			w, _, err := Open(filepath.Join(dir, "m"), 100, State{}, nil)
			if err == nil {
				w.Close()
			}
			if !errors.Is(err, unix.ELOOP) {
				t.Errorf("got %v, want ELOOP", err)
			}
			if b, err := os.ReadFile(filepath.Join(dir, "victim")); string(b) != "keep me\n" {
				t.Errorf("the file behind the link: got %q (%v), want it untouched", b, err)
			}
			if _, err := os.Lstat(filepath.Join(dir, "nowhere")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the link's target was made (%v)", err)
			}
		})
	}
}

func TestPrepareRotation_RefusesSymlink(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "victim"), "keep me\n")
	w := mustOpen(t, filepath.Join(dir, "m"), 10, State{})
	w.Append(line("", 10))
	state := mustFlush(t, w)
	if err := os.Symlink("victim", filepath.Join(dir, "m.new")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.PrepareRotation(); !errors.Is(err, unix.ELOOP) {
		t.Errorf("got %v, want ELOOP", err)
	}
	// Opening again clears the way.
	w = mustOpen(t, filepath.Join(dir, "m"), 10, state)
	mustRotate(t, w)
	checkFolder(t, dir, map[string]string{"m": "", "m.1": ".........\n", "victim": "keep me\n"})
}

func TestOpen_NoFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "m")
	if _, _, err := Open(path, 100, State{}, nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names %s", err, path)
	}
}

// What a full disk took in part is cut off when the file is opened again.
func TestWriter_FlushFails(t *testing.T) {
	dir := t.TempDir()
	w := mustOpen(t, filepath.Join(dir, "m"), 100, State{})
	w.Append(line("a", 5))
	committed := mustFlush(t, w)
	w.Append(line("b", 5))
	disk := w.f
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	w.f = full
	if _, err := w.Flush(); err == nil {
		t.Error("nothing failed")
	}
	w.f = disk
	write(t, filepath.Join(dir, "m"), "a...\nb.")
	mustOpen(t, filepath.Join(dir, "m"), 100, committed)
	checkFolder(t, dir, map[string]string{"m": "a...\n"})
}

// A crash between any two operations on the folder, while a full file is rotated, leaves a folder that Open brings
// to the committed state: every committed line is there once, and nothing else.
func TestWriter_CrashWhileRotating(t *testing.T) {
	for olds := range 4 { // rotations before
		t.Run(fmt.Sprintf("after %d rotations", olds), func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "m")
			w := mustOpen(t, path, 10, State{})
			for i := range olds {
				w.Append(line(fmt.Sprint("old", i), 10))
				mustFlush(t, w)
				mustRotate(t, w)
			}
			w.Append(line("current", 10))
			full := mustFlush(t, w)
			before := folder(t, dir)

			rotated, err := w.PrepareRotation()
			if err != nil {
				t.Fatal(err)
			}
			prepared := folder(t, dir)
			if err := w.Rotate(); err != nil {
				t.Fatal(err)
			}
			after := folder(t, dir)

			moved := func(files map[string]string, from, to string) map[string]string {
				files = maps.Clone(files)
				if text, ok := files[from]; ok {
					delete(files, from)
					files[to] = text
				}
				return files
			}
			first := moved(prepared, "m.1", "m.2")
			second := moved(first, "m", "m.1")
			third := moved(second, "m.new", "m")
			if !maps.Equal(third, after) {
				t.Fatalf("the renames give %q, the writer %q", third, after)
			}
			points := []struct {
				name      string
				files     map[string]string
				committed State
				want      map[string]string
			}{
				{"before it", before, full, before},
				{"new file made", prepared, full, before},
				{"state committed", prepared, rotated, after},
				{"older file moved", first, rotated, after},
				{"current file moved", second, rotated, after},
				{"new file moved", third, rotated, after},
			}
			for _, p := range points {
				tails := []string{""}
				if p.committed == full { // nothing is written while a committed rotation is under way
					tails = []string{"", "never committed\n", "{\"torn"}
				}
				for _, tail := range tails {
					t.Run(p.name+tail, func(t *testing.T) {
						dir := t.TempDir()
						for name, text := range p.files {
							if name == "m" {
								text += tail
							}
							write(t, filepath.Join(dir, name), text)
						}
						w := mustOpen(t, filepath.Join(dir, "m"), 10, p.committed)
						checkFolder(t, dir, p.want)
						if got := mustFlush(t, w); got != p.committed {
							t.Errorf("state: got %+v, want %+v", got, p.committed)
						}
						// A second crash at once changes nothing.
						mustOpen(t, filepath.Join(dir, "m"), 10, p.committed)
						checkFolder(t, dir, p.want)
						// And the rotation that was begun can be done.
						if w.Full() {
							mustRotate(t, w)
							checkFolder(t, dir, after)
						}
					})
				}
			}
		})
	}
}

func TestWriter_KeepsTwoOldFiles(t *testing.T) {
	dir := t.TempDir()
	w := mustOpen(t, filepath.Join(dir, "m"), 5, State{})
	for range 10 {
		w.Append(line("", 5))
		mustFlush(t, w)
		mustRotate(t, w)
		names := slices.Sorted(maps.Keys(folder(t, dir)))
		for _, name := range names {
			if !slices.Contains([]string{"m", "m.1", "m.2"}, name) {
				t.Errorf("got the files %v, want no more than m, m.1 and m.2", names)
			}
		}
	}
}

func TestSetAside(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  map[string]string
		aside string
	}{
		{"no file", map[string]string{}, map[string]string{}, ""},
		{"an empty file stays", map[string]string{"m": ""}, map[string]string{"m": ""}, ""},
		{"a file", map[string]string{"m": "a\n"}, map[string]string{"m.aside": "a\n"}, "m.aside"},
		{"the second", map[string]string{"m": "b\n", "m.aside": "a\n"}, map[string]string{"m.aside": "a\n", "m.aside.1": "b\n"}, "m.aside.1"},
		{"the third", map[string]string{"m": "c\n", "m.aside": "a\n", "m.aside.1": "b\n"},
			map[string]string{"m.aside": "a\n", "m.aside.1": "b\n", "m.aside.2": "c\n"}, "m.aside.2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range test.files {
				write(t, filepath.Join(dir, name), text)
			}
			aside, err := SetAside(filepath.Join(dir, "m"))
			if err != nil {
				t.Fatal(err)
			}
			if aside != "" {
				aside = filepath.Base(aside)
			}
			if aside != test.aside {
				t.Errorf("got %q, want %q", aside, test.aside)
			}
			checkFolder(t, dir, test.want)
		})
	}
}
