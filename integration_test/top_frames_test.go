package integration_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// topFrame is a line of top --json --interval.
type topFrame struct {
	Time      float64
	Rows      []map[string]any
	Coverage  []map[string]any
	Anomalies []map[string]any
}

func frameOf(t *testing.T, line string) (f topFrame) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &f); err != nil {
		t.Fatalf("%v: %.300s", err, line)
	}
	return f
}

// TestTop_Frames has the program print frames: those of the past hold what top --once tells of their times, with what rules found then; those of a real
// recorder go on with it. Ctrl-C and a reader that goes end it well.
func TestTop_Frames(t *testing.T) {
	long(t)
	t.Parallel()
	db := withEpisodes(t, storedRecording(t, "v11"))
	past := start(t, "top", "--db", db, "--json", "--interval", "100ms", "--at", "2026-11-23T03:09:55Z", "--speed", "50", "--limit", "3")
	past.await("frames after the recording", func(lines []string) bool { return len(lines) > 13 })
	past.stop()
	times := []string{"03:09:55", "03:10:00", "03:10:05", "03:10:10", "03:10:15", "03:10:20", "03:10:25", "03:10:30"}
	found := map[string]int{"03:09:55": 1, "03:10:25": 2, "03:10:30": 3}
	for i, at := range times {
		f := frameOf(t, past.out()[i])
		if got := time.Unix(int64(f.Time), 0).UTC().Format(time.TimeOnly); got != at {
			t.Errorf("frame %d is of %s, want %s", i, got, at)
		}
		var once []map[string]any
		for line := range strings.Lines(run(t, "top", "--db", db, "--once", "--json", "--at", "2026-11-23T"+at+"Z", "--limit", "3")) {
			var row map[string]any
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatal(err)
			}
			if delete(row, "coverage"); len(row) > 0 { // the last line has it, and is nothing else without rows
				once = append(once, row)
			}
		}
		if len(once) != len(f.Rows) || len(once) > 0 && !reflect.DeepEqual(once, f.Rows) {
			t.Errorf("%s: the frame has\n%v\nand top --once\n%v", at, f.Rows, once)
		}
		if n, told := found[at]; told && len(f.Anomalies) != n {
			t.Errorf("%s: %d anomalies, want %d", at, len(f.Anomalies), n)
		}
	}
}

// TestTop_FramesOfARecorder has frames of what goes on. The control is the time that each frame is of: a program that prints one answer again fails.
func TestTop_FramesOfARecorder(t *testing.T) {
	long(t)
	t.Parallel()
	dir := t.TempDir()
	up := record(t, proctape, dir)
	pid := startNamed(t, "frames-worker")
	await(t, "a recording", func() bool { return count(t, filepath.Join(dir, "monitor.db"), `SELECT count(*) FROM snapshots`) > 2 })
	p := start(t, "top", "--data", dir, "--json", "--interval", "200ms", "--limit", "10000")
	p.await("the process in two frames of several times", func(lines []string) bool {
		seen := map[float64]bool{}
		for _, line := range lines {
			f := frameOf(t, line)
			for _, r := range f.Rows {
				if of, _ := r["process"].(map[string]any); of != nil && of["pid"] == float64(pid) && len(f.Coverage) == 1 {
					seen[f.Time] = true
				}
			}
		}
		return len(seen) > 1
	})
	p.stop() // by an interrupt, and fails where that is no good end
	if p.stderr() != "" {
		t.Errorf("it says %q", p.stderr())
	}
	cmd := exec.Command(proctape, "top", "--data", dir, "--json", "--interval", "100ms")
	out := must(cmd.StdoutPipe())(t)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	out.(*os.File).Close()
	if err := cmd.Wait(); err != nil || said.Len() > 0 {
		t.Errorf("when its reader has gone: %v %q", err, said.String())
	}
	up.stop()
}
