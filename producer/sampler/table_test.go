package sampler

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// failing is a table that can be read so many times.
type failing struct {
	fs    *procfs.FS
	times int
}

func (f *failing) Processes(dst []procfs.Process, opt procfs.Options) (procfs.Scan, error) {
	if f.times--; f.times < 0 {
		return procfs.Scan{}, errors.New("no such pass")
	}
	return f.fs.Processes(dst, opt)
}

// A table that fails is replaced by /proc within the same sample, once, and this is told.
func TestSampler_ATableThatFails(t *testing.T) {
	var told bytes.Buffer
	s := newSampler(t, "")
	table := &failing{fs: s.cfg.FS, times: 2}
	s.reader.table, s.cfg.Capabilities = table, append(s.cfg.Capabilities, schema.CapBPF)
	s.reader.log = slog.New(slog.NewTextHandler(&told, nil))
	for tick := range uint64(5) {
		m := sample(t, s, tick+1)
		if m.Snapshot.Processes.Len() == 0 {
			t.Errorf("sample %d has no processes", tick+1)
		}
		if got, want := slices.Contains(m.Snapshot.Capabilities, schema.CapBPF), tick < 2; got != want {
			t.Errorf("sample %d says that it was read by programs: %t, want %t", tick+1, got, want)
		}
	}
	if n := strings.Count(told.String(), "no such pass"); n != 1 || table.times != -1 {
		t.Errorf("told %d times and read %d times too often, want once: %s", n, -1-table.times, told.String())
	}
}
