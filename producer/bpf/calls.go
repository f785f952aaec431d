package bpf

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// CallSum is how often a process made one system call, and how long that took of a CPU.
type CallSum struct {
	PID        int    // in the first pid namespace
	StartTicks uint64 // as /proc has it
	Number     uint32 // of the call, in the machine's table, or in that of its 32-bit programs
	Is32Bit    bool
	Calls      uint64
	Time       time.Duration // within the call on a CPU; waits are not in it
}

// Calls counts the system calls of processes, and of those that they start. One goroutine at a time may use it.
type Calls struct {
	objects syscallsObjects
	links   []link.Link // none: nothing is counted
	seen    map[syscallsCallKey]syscallsCallSum
	absent  map[uint32]bool // processes that were not there the last time
	lost    uint64          // so far
}

// OpenCalls loads the programs that count system calls. They are attached while a process is watched, since until then every system call of the
// machine takes a little longer. The caller closes them. A [*Refusal] says why it does not work here.
func OpenCalls() (*Calls, error) {
	if err := inFirstNamespace(); err != nil {
		return nil, err
	}
	defer debug.FreeOSMemory() // what the kernel's types took
	c := &Calls{seen: map[syscallsCallKey]syscallsCallSum{}, absent: map[uint32]bool{}}
	if err := loadSyscallsObjects(&c.objects, &ebpf.CollectionOptions{Cache: btf.NewCache()}); err != nil {
		return nil, refusal(fmt.Errorf("load the programs that count system calls: %w", err))
	}
	err := c.attach()
	if err := errors.Join(err, c.Stop()); err != nil {
		return nil, errors.Join(refusal(err), c.objects.Close())
	}
	return c, nil
}

// attach attaches the programs.
func (c *Calls) attach() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("read the clock: %w", err)
	}
	if err := c.objects.Since.Set(uint64(now.Nano())); err != nil {
		return fmt.Errorf("set the time from which calls are counted: %w", err)
	}
	o := &c.objects
	for _, p := range []*ebpf.Program{o.Begun, o.Ended, o.Switched, o.Leave, o.Enter} {
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			return fmt.Errorf("attach %s: %w", p, err)
		}
		c.links = append(c.links, l)
	}
	return nil
}

// Watch has the calls of a process be counted and, unless it is alone, of the processes that it starts from now on.
func (c *Calls) Watch(pid int, alone bool) error {
	if len(c.links) == 0 {
		if err := c.attach(); err != nil {
			return errors.Join(err, c.Stop())
		}
	}
	err := c.objects.Processes.Update(uint32(pid), syscallsWatched{Alone: boolean(alone)}, ebpf.UpdateNoExist)
	if errors.Is(err, ebpf.ErrKeyExist) {
		err = nil
		if !alone { // else it stays watched with what it starts, if it was
			err = c.widen(uint32(pid))
		}
	}
	if err != nil {
		return fmt.Errorf("watch the system calls of process %d: %w", pid, err)
	}
	return nil
}

// widen has what a watched process starts be watched too. One that has been watched since it was started keeps its parent, for whom its calls count at its end.
func (c *Calls) widen(pid uint32) error {
	var w syscallsWatched
	if err := c.objects.Processes.Lookup(pid, &w); err != nil {
		return err
	}
	switch {
	case w.Ended != 0: // the pid was given again
		w = syscallsWatched{}
	case w.Alone == 0:
		return nil
	}
	w.Alone = 0
	return c.objects.Processes.Update(pid, w, ebpf.UpdateExist)
}

// Unwatch has the calls of a process no longer be counted, if it is watched alone.
func (c *Calls) Unwatch(pid int) error {
	var w syscallsWatched
	err := c.objects.Processes.Lookup(uint32(pid), &w)
	if err == nil && w.Alone != 0 {
		w.Ended = 1 // the next reading forgets it
		err = c.objects.Processes.Update(uint32(pid), w, ebpf.UpdateExist)
	}
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("watch the system calls of process %d no longer: %w", pid, err)
	}
	return nil
}

// Stop detaches the programs, and forgets all processes.
func (c *Calls) Stop() error {
	var errs []error
	for _, l := range c.links {
		errs = append(errs, l.Close())
	}
	c.links = nil
	clear(c.seen)
	clear(c.absent)
	return errors.Join(append(errs, empty[uint32, syscallsWatched](c.objects.Processes), empty[syscallsCallKey, syscallsCallSum](c.objects.Sums))...)
}

// Close drops the programs.
func (c *Calls) Close() error { return errors.Join(c.Stop(), c.objects.Close()) }

// Read is what the watched processes did since the call before, and which of them have ended, by pid, with the parent that started each; 0 where that is not
// known. It stops when none is left. exists says of a pid whether anybody has it.
func (c *Calls) Read(exists func(pid int) bool) (made []CallSum, ended map[int]int, err error) {
	if len(c.links) == 0 {
		return nil, nil, nil
	}
	watched, err := all[uint32, syscallsWatched](c.objects.Processes)
	if err != nil {
		return nil, nil, fmt.Errorf("read which processes are watched: %w", err)
	}
	sums, err := all[syscallsCallKey, syscallsCallSum](c.objects.Sums)
	if err != nil {
		return nil, nil, fmt.Errorf("read the system calls: %w", err)
	}
	gone := c.gone(watched, exists)
	made = c.since(sums)
	ended = map[int]int{}
	for pid := range gone {
		ended[int(pid)] = int(watched[pid].Parent)
	}
	if len(gone) == len(watched) {
		return made, ended, c.Stop()
	}
	return made, ended, c.forget(gone, sums)
}

// gone are the processes that have ended. One that was watched too late for its end to be seen is among them when it was not there twice.
func (c *Calls) gone(watched map[uint32]syscallsWatched, exists func(pid int) bool) map[uint32]bool {
	gone, absent := map[uint32]bool{}, map[uint32]bool{}
	for pid, w := range watched {
		there := exists(int(pid))
		if w.Ended != 0 || !there && c.absent[pid] {
			gone[pid] = true
		} else if !there {
			absent[pid] = true
		}
	}
	c.absent = absent
	return gone
}

// since is what came to the sums since the last time.
func (c *Calls) since(sums map[syscallsCallKey]syscallsCallSum) []CallSum {
	var made []CallSum
	for key, now := range sums {
		before := c.seen[key]
		c.seen[key] = now
		if now.Calls > before.Calls {
			made = append(made, CallSum{PID: int(key.Pid), StartTicks: key.Start / nsPerTick, Number: key.Call &^ call32Bit, Is32Bit: key.Call&call32Bit != 0,
				Calls: now.Calls - before.Calls, Time: time.Duration(now.Time - min(before.Time, now.Time))})
		}
	}
	return made
}

// call32Bit is CALL_32BIT of kernel/syscalls.bpf.c.
const call32Bit = 1 << 31

// forget makes room of processes that have ended.
func (c *Calls) forget(gone map[uint32]bool, sums map[syscallsCallKey]syscallsCallSum) error {
	var pids []uint32
	for pid := range gone {
		pids = append(pids, pid)
	}
	var keys []syscallsCallKey
	for key := range sums {
		if gone[key.Pid] {
			keys = append(keys, key)
			delete(c.seen, key)
		}
	}
	return errors.Join(deleteAll(c.objects.Processes, pids), deleteAll(c.objects.Sums, keys))
}

// Lost is how many processes and calls found no room since the call before.
func (c *Calls) Lost() (uint64, error) {
	var processes, calls uint64
	if err := errors.Join(c.objects.ProcessesLost.Get(&processes), c.objects.CallsLost.Get(&calls)); err != nil {
		return 0, fmt.Errorf("read how many system calls were lost: %w", err)
	}
	before := c.lost
	c.lost = processes + calls
	return c.lost - before, nil
}
