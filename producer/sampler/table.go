package sampler

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// Table is a table of processes, as [procfs.FS] is.
type Table interface {
	Processes(dst []procfs.Process, opt procfs.Options) (procfs.Scan, error)
}

// processReader reads processes of a table, and of /proc when there is none or it has failed.
type processReader struct {
	fs      *procfs.FS
	table   Table // nil: there is none, or it has failed
	options procfs.Options
	log     *slog.Logger
}

// read reads the processes into dst. A table that fails is not read again: /proc has been there all along.
func (r *processReader) read(dst []procfs.Process) (procfs.Scan, error) {
	if r.table != nil {
		scan, err := r.table.Processes(dst, r.options)
		if err == nil {
			return scan, nil
		}
		r.log.Warn("processes are read of /proc from now on, which costs more: the programs in the kernel failed", "err", err)
		r.table = nil
	}
	scan, err := r.fs.Processes(dst, r.options)
	if err != nil {
		return procfs.Scan{}, fmt.Errorf("read the processes: %w", err)
	}
	return scan, nil
}

// capabilities are those of all that hold now.
func (r *processReader) capabilities(all []schema.Capability) []schema.Capability {
	if r.table != nil {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(c schema.Capability) bool { return c == schema.CapBPF })
}
