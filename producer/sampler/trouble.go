package sampler

import (
	"log/slog"

	"github.com/proctape/proctape/producer/procfs"
)

// quietSamples is how many samples a file must be readable before it is said that it is: what is read of a process that
// sleeps is not read at every sample.
const quietSamples = 12

// troubles says once that something cannot be read, and once that it can again.
type troubles struct {
	log    *slog.Logger
	failed map[string]int64 // by file: the last sample in which it failed
}

// report takes in what failed in a sample.
func (t *troubles) report(sample int64, failures []procfs.Failure) {
	for _, f := range failures {
		if _, told := t.failed[f.File]; !told {
			t.log.Warn("what a file would tell is unknown until it can be read and makes sense", "file", f.File, "processes", f.Processes,
				"err", f.Err)
		}
		t.failed[f.File] = sample
	}
	for file, last := range t.failed {
		if sample-last >= quietSamples {
			delete(t.failed, file)
			t.log.Info("a file can be read again, and makes sense", "file", file)
		}
	}
}
