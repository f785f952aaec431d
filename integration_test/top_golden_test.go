package integration_test

import (
	"compress/gzip"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/schema"
)

var updateScreens = flag.Bool("update-screens", false, "write the screens of top as they are now")

// storedRecording unpacks the recording that a version of the program made, brings it up to this build's tables, as a recorder does, and returns the
// path of its database.
func storedRecording(t *testing.T, version string) string {
	t.Helper()
	packed := must(os.Open("../cmd/proctape/testdata/databases/" + version + ".db.gz"))(t)
	defer packed.Close()
	path := filepath.Join(t.TempDir(), "stored.db")
	whole := must(io.ReadAll(must(gzip.NewReader(packed))(t)))(t)
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	db := must(sql.Open("sqlite", schema.WriterDSN(path)))(t)
	defer db.Close()
	conn := must(db.Conn(t.Context()))(t)
	defer conn.Close()
	if err := schema.Migrate(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	return path
}

type topStep struct{ name, keys, has string }

// topSteps lead through the screens of top: keys, and a text that is there once they have done what they do, or after a ! one that no longer is.
// What has a name is compared. A step ends with Esc, for a key right behind it would be Alt with that key.
var topSteps = []topStep{
	{"processes", "", "◀ PAST"},
	{"tree", "V", "─"},
	{"groups", "V g", "grouped by user"},
	{"", "esc", "!grouped by user"},
	{"detail", "enter", "born of"},
	{"why", "i", "MiB/s  COMMAND"},
	{"", "esc", "!MiB/s  COMMAND"},
	{"jobs", "2", "SPAWNS"},
	{"", "enter", "run 1"},
	{"runs", "down enter", "-run 1"},
	{"report", "i", "LARGEST PROCESSES"},
	{"", "esc", "!LARGEST PROCESSES"},
	{"hosts", "3", "MEM  "},
	{"host", "i", "it sees"},
	{"events", "4", "spawn"},
	{"", "esc", "CPU%▼"},
	{"columns", "S", "leaves it out"},
	{"", "esc", "CPU%▼"},
	{"help", "?", "Moving"},
	{"", "esc", "!Moving"},
}

// sincePast is how long ago a time is, which changes from day to day, and what stands behind the time, for which there is less room as that grows.
var sincePast = regexp.MustCompile(`([−-])\d+d\d+h( .*?\+00:00).*`)

// TestTop_Screens drives the program through each of its screens over a stored recording, on a small and on a large terminal, and compares what a
// person sees with what was seen when it was last looked at.
func TestTop_Screens(t *testing.T) {
	t.Parallel()
	db := storedRecording(t, "v10")
	for _, size := range [][2]int{{80, 24}, {200, 60}} {
		driveScreens(t, fmt.Sprintf("%dx%d", size[0], size[1]), db, size, topSteps)
	}
}

// driveScreens goes the steps through the program on a terminal of a size, with more in its environment, and compares the screens with those of a file.
func driveScreens(t *testing.T, name, db string, size [2]int, steps []topStep, env ...string) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		s := onScreen(t, proctape, size[0], size[1], append(env, "XDG_CONFIG_HOME="+t.TempDir()), "top", "--db", db, "--at", "2026-11-23T03:10:50Z", "--utc")
		path := fmt.Sprintf("testdata/top/%s.txt", name)
		known := map[string]string{}
		if _, err := os.Stat(path); err == nil || !*updateScreens {
			known = screensIn(readText(t, path))
		}
		var seen strings.Builder
		for _, step := range steps {
			s.press(strings.Fields(step.keys)...)
			gone, isGone := strings.CutPrefix(step.has, "!")
			s.await("screen with "+step.has, func(screen string) bool { return strings.Contains(screen, gone) != isGone })
			if step.name != "" {
				fmt.Fprintf(&seen, "screen: %s\n%s\n", step.name, s.same(step.name, known[step.name]))
			}
		}
		s.press("q")
		s.ended()
		if *updateScreens {
			if err := os.WriteFile(path, []byte(seen.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// screensIn are the screens of a file, by name.
func screensIn(text string) map[string]string {
	screens := map[string]string{}
	for part := range strings.SplitSeq("\n"+strings.TrimSuffix(text, "\n"), "\nscreen: ") {
		name, screen, _ := strings.Cut(part, "\n")
		screens[name] = screen
	}
	return screens
}

// same waits until the screen is as it was, and fails with the first line that is another when it does not become so. When screens are updated, it
// returns the screen once that stays as it is.
func (s *screenTerminal) same(name, want string) string {
	s.t.Helper()
	shown := func() string { return sincePast.ReplaceAllString(s.screen(), "${1}PAST$2") }
	deadline, steady, last := time.Now().Add(patience), time.Now(), ""
	for now := shown(); ; now = shown() {
		if now != last {
			steady, last = time.Now(), now
		}
		if *updateScreens && time.Since(steady) > time.Second || now == want {
			return now
		}
		if time.Now().After(deadline) {
			s.t.Errorf("the screen %q is another than it was (look at it, then -update-screens): %s", name, firstOther(now, want))
			return now
		}
		select {
		case <-s.changed():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// changed is closed when the program has written.
func (s *screenTerminal) changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.more
}

// firstOther is the first line in which two screens differ.
func firstOther(got, want string) string {
	other := strings.Split(want, "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(other) || line != other[i] {
			return fmt.Sprintf("line %d: got\n%s\nwant\n%s", i, line, strings.Join(other[min(i, len(other)):min(i+1, len(other))], ""))
		}
	}
	return "lines are missing at the end"
}
