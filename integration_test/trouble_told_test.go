package integration_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema/state"
)

// TestTrouble_Told makes trouble under a recorder that nobody else notices, kind by kind, and takes it away again: status says it, with its exit
// code, and the log has one line when it begins and one when it ends, with how long it took and what it cost. That all is well before and
// after each is the control of the others.
func TestTrouble_Told(t *testing.T) {
	long(t)
	t.Parallel()
	dir := t.TempDir()
	db, lines, lives := filepath.Join(dir, "monitor.db"), filepath.Join(dir, "monitor.jsonl"), filepath.Join(dir, "lives")
	recorder := start(t, "up", "--data", dir, "--host", "here", "--interval", "3s") // a busy machine has time for that
	recorder.awaitLine("In another terminal")
	await(t, "a life that is written down", func() bool { return len(must(filepath.Glob(filepath.Join(lives, "*.life")))(t)) > 0 })
	for _, c := range []struct {
		kind  string
		code  int
		words string
		make  func() error
		mend  func() error
	}{
		{"life_unwritten", 1, "is not written down", func() error {
			return errors.Join(os.RemoveAll(lives), os.WriteFile(lives, nil, 0o600)) // a file where a folder should be
		}, func() error { return os.Remove(lives) }},
		{"projection", 2, "the log is not projected", func() error {
			return errors.Join(os.Rename(lines, lines+".moved"), os.Mkdir(lines, 0o700))
		}, func() error { return os.Remove(lines) }},
	} {
		awaitCheck(t, dir, 0, "well")
		before := strings.Count(recorder.stderr(), "kind="+c.kind)
		if err := c.make(); err != nil {
			t.Fatal(err)
		}
		awaitCheck(t, dir, c.code, c.words)
		if n := strings.Count(recorder.stderr(), "kind="+c.kind) - before; n != 1 {
			t.Errorf("%s: %d lines when it began:\n%s", c.kind, n, recorder.stderr())
		}
		if err := c.mend(); err != nil {
			t.Fatal(err)
		}
		awaitCheck(t, dir, 0, "well")
		said := recorder.stderr()
		last := said[strings.LastIndex(said, "kind="+c.kind):]
		if n := strings.Count(said, "kind="+c.kind) - before; n != 2 || !strings.Contains(last, "took=") || !strings.Contains(last, "cost=") {
			t.Errorf("%s: %d lines after it ended:\n%s", c.kind, n, said)
		}
	}
	// What somebody removes and the recorder makes again: without it status would be wrong, or reach nobody.
	for _, path := range []string{state.Path(db), embeddednats.SocketPath(dir)} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		await(t, "a new "+filepath.Base(path), func() bool {
			_, err := os.Lstat(path)
			return err == nil
		})
		awaitCheck(t, dir, 0, "well")
	}
	// A host whose clock is set.
	h, js := newHost("set", 3, 1), dialLog(t, dir)
	for _, m := range h.snapshot() {
		must(js.PublishMsg(t.Context(), natsMessage(t, m)))(t)
	}
	h.wall += 90e9
	for _, m := range h.snapshot() {
		must(js.PublishMsg(t.Context(), natsMessage(t, m)))(t)
	}
	awaitCheck(t, dir, 1, "clock was set")
	recorder.stop()
}
