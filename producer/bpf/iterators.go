package bpf

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
)

// clockSkew is more than the scheduler's clocks of two CPUs are apart.
const clockSkew = 50 * time.Millisecond

// recordsPerRead is how many records a read takes at most: a read of the kernel's gives no more than 32 KiB.
const recordsPerRead = 256

// iterators are the programs of kernel/processes.bpf.c, loaded.
type iterators struct {
	objects     processesObjects
	processes   *link.Iter
	learn       *link.Iter
	network     *network // nil where networkErr says why not
	networkErr  error
	buffer      []record
	exactMemory bool
}

// loadIterators loads the programs for a kernel of the given types; nil for those of the kernel that runs. The caller closes them.
func loadIterators(kernel *btf.Cache, types *btf.Spec) (*iterators, error) {
	spec, err := loadProcesses()
	if err != nil {
		return nil, err
	}
	it := &iterators{buffer: make([]record, recordsPerRead)}
	if err := setPerCPU(spec.Variables[processesVarRunqueuesOffset], kernel); err != nil {
		return nil, err
	}
	if err := spec.LoadAndAssign(&it.objects, &ebpf.CollectionOptions{Cache: kernel, Programs: ebpf.ProgramOptions{KernelTypes: types}}); err != nil {
		return nil, fmt.Errorf("load the programs that read processes: %w", err)
	}
	for _, p := range []struct {
		link    **link.Iter
		program *ebpf.Program
	}{{&it.learn, it.objects.Learn}, {&it.processes, it.objects.Processes}} {
		if *p.link, err = link.AttachIter(link.IterOptions{Program: p.program}); err != nil {
			return nil, errors.Join(fmt.Errorf("attach %s: %w", p.program, err), it.close())
		}
	}
	if it.network, it.networkErr = countNetwork(it.objects.NetworkSums, kernel, types); it.networkErr != nil { // what is sent is unknown, and all else is read
		return it, nil
	}
	if err := it.objects.NetworkCounts.Set(boolean(true)); err != nil {
		return nil, errors.Join(err, it.close())
	}
	return it, nil
}

func (it *iterators) close() error {
	errs := []error{it.network.close()}
	for _, l := range []*link.Iter{it.learn, it.processes} {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	return errors.Join(append(errs, it.objects.Close())...)
}

// learnMachine has the kernel find out where the parts of its per-CPU values lie, and in whose pid namespace we are.
func (it *iterators) learnMachine() error {
	pass, err := it.learn.Open()
	if err != nil {
		return fmt.Errorf("begin a pass of learn: %w", err)
	}
	_, err = io.Copy(io.Discard, pass)
	return errors.Join(err, pass.Close())
}

// useExactMemory has memory read of the kernel if the parts of all CPUs that are online are known.
func (it *iterators) useExactMemory(online int) error {
	if err := it.learnMachine(); err != nil {
		return err
	}
	var known uint32
	if err := it.objects.CpusKnown.Get(&known); err != nil {
		return fmt.Errorf("read how many CPUs are known: %w", err)
	}
	it.exactMemory = int(known) >= online
	return it.objects.ExactMemory.Set(boolean(it.exactMemory))
}

// boolean is b as the programs have it.
func boolean(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// begin sets what the next pass writes: kernel threads too, and memory and descriptors of all processes, or of those alone
// that ran since the pass before.
func (it *iterators) begin(kernelThreads, full bool) error {
	var since uint64
	if !full {
		if err := it.objects.ClockOfScheduler.Get(&since); err != nil {
			return fmt.Errorf("read the time of the last pass: %w", err)
		}
		since -= min(since, uint64(clockSkew))
	}
	return errors.Join(it.objects.KernelThreads.Set(boolean(kernelThreads)), it.objects.RanSince.Set(since))
}

// records makes a pass. A record holds until the next one. What went wrong is in failed when the pass has ended.
func (it *iterators) records(failed *error) iter.Seq[*record] {
	return func(yield func(*record) bool) {
		pass, err := it.processes.Open()
		if err != nil {
			*failed = fmt.Errorf("begin a pass: %w", err)
			return
		}
		defer func() { *failed = errors.Join(*failed, pass.Close()) }()
		*failed = it.readPass(pass, yield)
	}
}

// readPass reads whole records: a read may end within one.
func (it *iterators) readPass(pass io.Reader, yield func(*record) bool) error {
	const size = int(unsafe.Sizeof(record{}))
	data := unsafe.Slice((*byte)(unsafe.Pointer(&it.buffer[0])), len(it.buffer)*size)
	have := 0
	for {
		n, err := pass.Read(data[have:])
		have += n
		whole := have / size
		for i := range whole {
			if !yield(&it.buffer[i]) {
				return nil
			}
		}
		have = copy(data, data[whole*size:have])
		switch {
		case err == io.EOF && have > 0:
			return io.ErrUnexpectedEOF
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}
