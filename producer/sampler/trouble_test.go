package sampler

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/producer/jobs"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/schema"
)

// A trouble is told when it begins and when it has ended, whatever happens in between.
func TestTroubles_ToldOnce(t *testing.T) {
	var out bytes.Buffer
	tr := troubles{log: slog.New(slog.NewTextHandler(&out, nil)), failed: map[string]int64{}}
	failure := []procfs.Failure{{File: "PID/statm", Processes: 3, Err: errors.New("read /proc/7/statm: input/output error")}}
	for sample := range int64(30) {
		switch {
		case sample < 5, sample == 9:
			tr.report(sample, failure)
		default:
			tr.report(sample, nil)
		}
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "/proc/7/statm: input/output error") || !strings.Contains(lines[1], "can be read again") {
		t.Errorf("got %q, want one line for the beginning and one for the end", lines)
	}
}

// A host of which no file can be read still has its processes, in a message that passes.
func TestSampler_HostUnknown(t *testing.T) {
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("../procfs/testdata/proc")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"meminfo", "loadavg", "stat", "pressure"} {
		if err := os.RemoveAll(filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	fs := procfs.New(root)
	defer fs.Close()
	s := New(Config{FS: fs, Scrubber: scrub.New(scrub.Scrubbed), Claims: new(jobs.Claims), Interval: time.Second, Log: slog.New(slog.DiscardHandler)})
	got, err := s.Sample(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []schema.HostValue{schema.HostMemoryTotal, schema.HostMemoryAvail, schema.HostLoad, schema.HostCPUs}
	if n := got.Snapshot.Processes.Len(); n != 3 || !slices.Equal(got.Snapshot.HostValues.Unknown, want) || got.Snapshot.Pressure != nil {
		t.Errorf("got %d processes, unknown %v, pressure %v, want 3, %v, nil", n, got.Snapshot.HostValues.Unknown, got.Snapshot.Pressure, want)
	}
	if err := message(got).Validate(); err != nil {
		t.Error(err)
	}
}
