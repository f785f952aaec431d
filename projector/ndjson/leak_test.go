package ndjson

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// After ten thousand rotations a writer has one file open, no goroutine runs that did not run after the first, and two
// old files are left, the newest.
func TestWriter_RotationsLeaveNothingBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	dir := inMemory(t)
	for _, defect := range rotateOften(t, dir, 10_000, func(*Writer) {}) {
		t.Error(defect)
	}
	checkFolder(t, dir, map[string]string{"m": "", "m.1": "first 9999\nsecond\n", "m.2": "first 9998\nsecond\n"})
}

// The checker finds what a single rotation of many leaves behind.
func TestWriter_RotationsLeaveNothingBehindControl(t *testing.T) {
	leaks := map[string]func(*testing.T, *Writer){
		"descriptor": func(t *testing.T, w *Writer) { // the file that is moved away stays open
			fd, err := unix.Dup(int(w.f.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unix.Close(fd) })
		},
		"goroutine": func(t *testing.T, _ *Writer) {
			end := make(chan struct{})
			t.Cleanup(func() { close(end) })
			go func() { <-end }()
		},
		"file": func(t *testing.T, w *Writer) { write(t, w.path+".3", "") },
	}
	for what, leak := range leaks {
		t.Run(what, func(t *testing.T) {
			rotation := 0
			defects := rotateOften(t, inMemory(t), 100, func(w *Writer) {
				if rotation++; rotation == 50 {
					leak(t, w)
				}
			})
			if len(defects) != 1 || !strings.HasPrefix(defects[0], what) {
				t.Errorf("got %q, want one defect, of a %s", defects, what)
			}
		})
	}
}

// rotateOften fills and rotates a file so many times, and lists what is there then that was not after the first few
// times. Disturb is called before each rotation.
func rotateOften(t *testing.T, dir string, times int, disturb func(*Writer)) (defects []string) {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it closes files that somebody forgot to close
	w := mustOpen(t, filepath.Join(dir, "m"), 1, State{})
	var descriptors int
	var goroutines goleak.Option
	for i := range times {
		if i == 3 {
			descriptors, goroutines = len(folderOf(t, "/proc/self/fd")), goleak.IgnoreCurrent()
		}
		w.Append(func(b []byte) []byte { return fmt.Appendf(b, "first %d\n", i) })
		mustFlush(t, w)
		w.Append(func(b []byte) []byte { return append(b, "second\n"...) })
		mustFlush(t, w)
		disturb(w)
		mustRotate(t, w)
	}
	if n := len(folderOf(t, "/proc/self/fd")); n > descriptors {
		defects = append(defects, fmt.Sprintf("descriptors: %d are open, %d were", n, descriptors))
	}
	if err := goleak.Find(goroutines); err != nil {
		defects = append(defects, "goroutines: "+err.Error())
	}
	if files := folderOf(t, dir); len(files) > 3 {
		defects = append(defects, fmt.Sprintf("files: %v, want one and at most two old ones", files))
	}
	return defects
}

func folderOf(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// inMemory is a folder in memory, where there is one: a sync costs nothing there.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ndjson")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
