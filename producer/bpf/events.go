package bpf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"

	"github.com/proctape/proctape/producer/procfs"
)

// Kind says what happened to a process.
type Kind uint32

// The kinds, as in kernel/lifecycle.bpf.c.
const (
	Fork   Kind = iota
	Exec        // it executes another program
	Peak        // it is about to do so: the memory of the one before is told
	Exit        // its last thread has ended; CPU and I/O are what is known then
	Free        // it was waited for: CPU and I/O are whole
	Signal      // somebody sent it a signal
	kinds
)

// Event is something that happened to a process.
type Event struct {
	Kind   Kind
	Time   int64 // CLOCK_BOOTTIME nanoseconds
	Start  int64 // of the process, the same
	PID    int   // in the first pid namespace
	Parent int   // of a Fork and an Exit the parent, of a Signal the sender
	UID    uint32
	Comm   string // the short name; of a Signal the sender's, as is UID
	Status uint32 // of an Exit the wait status, of a Signal its number
	// Args is the command line that an Exec set, of a long one both ends, see [procfs.ShortArgs]; none where it could not be read.
	Args []string

	CPU, System           time.Duration // since the start
	ReadBytes, WriteBytes uint64
	PeakKiB               uint64 // the most memory; 0: not known
}

// Events tells what happens to processes. One goroutine at a time may use it; another may call Waiting.
type Events struct {
	objects lifecycleObjects
	links   []link.Link
	reader  *ringbuf.Reader
	record  ringbuf.Record // is used again by each read
	lost    [kinds]uint64  // so far
	pageKiB uint64
}

// OpenEvents loads the programs that tell of starts and ends, on Linux 6.10 and later. The caller closes them. A [*Refusal] says why it does not work here.
func OpenEvents() (*Events, error) { return openRing(ringBytes) }

// ringBytes is how much of what happened may wait to be read: 60 000 events.
const ringBytes = 8 << 20

func openRing(bytes uint32) (*Events, error) {
	if err := inFirstNamespace(); err != nil {
		return nil, err
	}
	defer debug.FreeOSMemory() // what the kernel's types took
	e := &Events{pageKiB: newScale().pageKiB}
	if err := e.load(btf.NewCache(), bytes); err != nil {
		return nil, errors.Join(refusal(err), e.Close())
	}
	return e, nil
}

// load loads and attaches the programs, and begins to listen.
func (e *Events) load(kernel *btf.Cache, ring uint32) error {
	spec, err := loadLifecycle()
	if err != nil {
		return err
	}
	if err := setPerCPU(spec.Variables[lifecycleVarRunqueuesOffset], kernel); err != nil {
		return err
	}
	spec.Maps[lifecycleMapRing].MaxEntries = ring
	if err := spec.LoadAndAssign(&e.objects, &ebpf.CollectionOptions{Cache: kernel}); err != nil {
		return fmt.Errorf("load the programs that tell of starts and ends: %w", err)
	}
	if err := e.learn(); err != nil {
		return err
	}
	if e.reader, err = ringbuf.NewReader(e.objects.Ring); err != nil {
		return fmt.Errorf("open the ring of events: %w", err)
	}
	o := &e.objects
	for _, p := range []*ebpf.Program{o.Forked, o.Executed, o.Executes, o.Exited, o.Freed, o.Signalled} {
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			return fmt.Errorf("attach %s: %w", p, err)
		}
		e.links = append(e.links, l)
	}
	return e.objects.Wanted.Set(uint32(1))
}

// learn finds out where the parts of memory lie that each CPU has.
func (e *Events) learn() error {
	l, err := link.AttachIter(link.IterOptions{Program: e.objects.Learn})
	if err != nil {
		return fmt.Errorf("attach learn: %w", err)
	}
	defer l.Close()
	pass, err := l.Open()
	if err != nil {
		return fmt.Errorf("begin a pass of learn: %w", err)
	}
	defer pass.Close()
	if _, err := io.Copy(io.Discard, pass); err != nil {
		return fmt.Errorf("learn: %w", err)
	}
	var known uint32
	if err := e.objects.CpusKnown.Get(&known); err != nil {
		return err
	}
	return e.objects.ExactMemory.Set(boolean(known > 0))
}

// Waiting is how many bytes of events wait to be read.
func (e *Events) Waiting() int { return e.reader.AvailableBytes() }

// Read appends to dst the events that wait, at most so many, and says how many of each kind were lost since the call before.
func (e *Events) Read(dst []Event, most int) (events []Event, lost map[Kind]uint64, err error) {
	e.reader.SetDeadline(time.Unix(1, 0)) // do not wait
	for len(dst) < most {
		err := e.reader.ReadInto(&e.record)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return dst, nil, fmt.Errorf("read events: %w", err)
		}
		event, err := e.parse(e.record.RawSample)
		if err != nil {
			return dst, nil, err
		}
		dst = append(dst, event)
	}
	lost, err = e.newlyLost()
	return dst, lost, err
}

// newlyLost is how many events of each kind found no room since the call before.
func (e *Events) newlyLost() (map[Kind]uint64, error) {
	var now [kinds]uint64
	if err := e.objects.Lost.Get(&now); err != nil {
		return nil, fmt.Errorf("read how many events were lost: %w", err)
	}
	var lost map[Kind]uint64
	for kind, n := range now {
		if n == e.lost[kind] {
			continue
		}
		if lost == nil {
			lost = map[Kind]uint64{}
		}
		lost[Kind(kind)] = n - e.lost[kind]
	}
	e.lost = now
	return lost, nil
}

// parse reads what the kernel wrote.
func (e *Events) parse(data []byte) (Event, error) {
	const size = int(unsafe.Sizeof(lifecycleProcessEvent{}))
	if len(data) < size {
		return Event{}, fmt.Errorf("an event of the kernel has %d bytes, want %d", len(data), size)
	}
	var r lifecycleProcessEvent
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&r)), size), data)
	event := Event{
		Kind: Kind(r.Kind), Time: int64(r.Time), Start: int64(r.Start), PID: int(r.Pid), Parent: int(r.Parent), UID: r.Uid,
		Comm: string(commOf(&r.Comm)), Status: r.Status, CPU: time.Duration(r.Cpu), System: systemTime(&r),
		ReadBytes: r.ReadBytes, WriteBytes: r.WriteBytes, PeakKiB: uint64(max(r.Peak, 0)) * e.pageKiB,
	}
	if event.Kind == Exec {
		args := data[size:]
		event.Args = procfs.GivenArgs(args[:min(len(args), int(r.ArgsSize))], r.ArgsTotal)
	}
	return event, nil
}

// systemTime is how much of the CPU time the kernel used, in the proportion in which ticks found it.
func systemTime(r *lifecycleProcessEvent) time.Duration {
	if r.Stime == 0 || r.Utime+r.Stime == 0 {
		return 0
	}
	return time.Duration(float64(r.Cpu) * (float64(r.Stime) / float64(r.Utime+r.Stime)))
}

// Close detaches and drops the programs.
func (e *Events) Close() error {
	var errs []error
	for _, l := range e.links {
		errs = append(errs, l.Close())
	}
	if e.reader != nil {
		errs = append(errs, e.reader.Close())
	}
	return errors.Join(append(errs, e.objects.Close())...)
}
