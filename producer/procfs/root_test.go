package procfs

import (
	"os"
	"path/filepath"
	"testing"
)

// A root that goes away is an error while it is away, and is read again when another is in its place.
func TestProcesses_RootThatIsReplaced(t *testing.T) {
	root := filepath.Join(t.TempDir(), "proc")
	put := func() {
		t.Helper()
		if err := os.CopyFS(root, os.DirFS("testdata/proc")); err != nil {
			t.Fatal(err)
		}
	}
	put()
	fs := New(root)
	t.Cleanup(func() { fs.Close() })
	whole, err := fs.Processes(nil, Options{})
	if err != nil || len(whole.Processes) == 0 {
		t.Fatalf("got %d processes, error %v", len(whole.Processes), err)
	}
	for range 2 {
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if scan, err := fs.Processes(nil, Options{}); err == nil {
				t.Errorf("without a root: got %d processes and no error", len(scan.Processes))
			}
		}
		put()
		again, err := fs.Processes(nil, Options{})
		if err != nil || len(again.Processes) != len(whole.Processes) {
			t.Errorf("of another root in its place: got %d processes, error %v, want %d", len(again.Processes), err, len(whole.Processes))
		}
	}
}
