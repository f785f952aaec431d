package bpf

import (
	"errors"
	"fmt"
	"iter"
	"runtime/debug"

	"github.com/cilium/ebpf/btf"

	"github.com/proctape/proctape/producer/procfs"
)

const (
	fullEvery  = 10 // passes after which memory and descriptors of sleeping processes are read too
	learnEvery = 60 // passes after which it is looked whether there are more CPUs
)

// Table is the kernel's table of processes. One goroutine at a time may use it.
type Table struct {
	fs       *procfs.FS
	programs *iterators
	passes   int
	scale    scale
	given    procfs.Given // is used again for each process
}

// OpenTable loads the programs and checks that what they tell of this process is what /proc does. What only the files of a
// process tell is read through fs, which forgets what it has read, and which the caller closes, after the table. A [*Refusal] says why it does not work here.
func OpenTable(fs *procfs.FS) (*Table, error) {
	if err := fs.Close(); err != nil { // else the first pass closes what is open of each process, and the check counts this process's descriptors before and after
		return nil, fmt.Errorf("drop what was read of /proc: %w", err)
	}
	kernel := btf.NewCache()
	defer debug.FreeOSMemory() // what the kernel's types took
	programs, err := loadIterators(kernel, nil)
	if err != nil {
		return nil, refusal(err)
	}
	t := &Table{fs: fs, programs: programs, scale: newScale()}
	scan, err := t.Processes(nil, procfs.Options{})
	if err == nil {
		err = check(&scan, fs)
	}
	if err != nil {
		return nil, errors.Join(refusal(err), t.Close())
	}
	return t, nil
}

// Close drops the programs.
func (t *Table) Close() error { return t.programs.close() }

// ExactMemory says that memory is read of the kernel; else it is read of /proc.
func (t *Table) ExactMemory() bool { return t.programs.exactMemory }

// NetworkRefused is why what processes send and receive is not counted; nil where it is.
func (t *Table) NetworkRefused() error { return t.programs.networkErr }

// Processes is [procfs.FS.Processes] of the kernel's own table. Locks are dropped within a pass, so it is no single instant:
// each process has its own time of reading.
func (t *Table) Processes(dst []procfs.Process, opt procfs.Options) (procfs.Scan, error) {
	if t.passes%learnEvery == 0 {
		host, err := t.fs.Host()
		if err == nil {
			err = t.programs.useExactMemory(host.CPUs)
		}
		if err != nil {
			return procfs.Scan{}, err
		}
	}
	full := t.passes%fullEvery == 0
	t.passes++
	if err := t.programs.begin(opt.KernelThreads, full); err != nil {
		return procfs.Scan{}, err
	}
	var failed error
	scan, err := t.fs.GivenScan(dst, t.convert(t.programs.records(&failed), full), opt)
	if err := errors.Join(failed, err); err != nil {
		return procfs.Scan{}, fmt.Errorf("read the kernel's table of processes: %w", err)
	}
	return scan, nil
}

// convert turns records into what is given of processes.
func (t *Table) convert(records iter.Seq[*record], full bool) iter.Seq[*procfs.Given] {
	return func(yield func(*procfs.Given) bool) {
		for r := range records {
			t.scale.fill(&t.given, r, full)
			if !yield(&t.given) {
				return
			}
		}
	}
}
