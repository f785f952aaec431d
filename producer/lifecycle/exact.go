package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/lifecycle/netlink"
	"github.com/proctape/proctape/schema"
)

// maxMessages is how much of each socket a poll reads at most.
const maxMessages = 1 << 16

// Exact sees every process of the machine: the kernel sends an event of each fork, exec and exit, and with [KindTaskstats] a
// record of what each thread used. Events that were lost are counted, and the processes found again by scans of /proc.
//
// An exit's Core says that the signal is one that dumps core, written or not. Kernel threads are left out. PPID is the
// parent that forked the process, also after it has got another.
type Exact struct {
	connector *netlink.Connector
	taskstats *netlink.Taskstats // nil on RungConnector
	tracker   *tracker
	events    []netlink.Event  // reused by every read
	records   []netlink.Record // reused by every read
}

// openExact opens the sockets of a kind, with receive buffers of so many bytes, or of the default size when 0. The caller
// closes it.
func openExact(cfg Config, kind SourceKind, receiveBuffer int) (*Exact, error) {
	connector, err := netlink.OpenConnector(receiveBuffer)
	if err != nil {
		return nil, err
	}
	e := &Exact{connector: connector, tracker: newTracker(cfg.Describe, isAlive, kind == KindTaskstats)}
	if kind == KindTaskstats {
		if e.taskstats, err = netlink.OpenTaskstats(receiveBuffer); err != nil {
			return nil, errors.Join(err, connector.Close())
		}
	}
	return e, nil
}

// Kind is [KindTaskstats] or [KindConnector].
func (e *Exact) Kind() SourceKind {
	if e.taskstats != nil {
		return KindTaskstats
	}
	return KindConnector
}

// Wait returns when an event of the kernel can be read.
func (e *Exact) Wait(ctx context.Context) error {
	return waitReadable(ctx, e.connector.FD(), noTimeout)
}

// Poll reads what waits in the sockets, up to a limit, and describes the processes that are new and live.
func (e *Exact) Poll() (lossy bool, err error) {
	b, err := e.read()
	return e.tracker.poll(b), err
}

// read reads events first and records second, so that there is a record for each exit: see [tracker].
func (e *Exact) read() (b batch, err error) {
	const keep = 1 << 12 // a burst's memory is not kept
	if cap(e.events) > keep {
		e.events, e.records = nil, nil
	}
	var readErr, recordErr, clockErr error
	b.events, b.overrun, readErr = e.connector.Read(e.events[:0], maxMessages)
	if e.taskstats != nil {
		b.records, b.recordsLost, recordErr = e.taskstats.Read(e.records[:0], maxMessages)
	}
	e.events, e.records = b.events, b.records
	b.clocks, clockErr = readClocks()
	if clockErr != nil {
		b.clocks = e.tracker.clocks
	}
	return b, errors.Join(readErr, recordErr, clockErr)
}

// Observe finds in a scan of /proc the processes whose events were lost.
func (e *Exact) Observe(scan Scan) { e.tracker.observe(scan) }

// Take returns the events, in the order of the kernel's clock, and what was lost.
func (e *Exact) Take(until int64) ([]schema.KindedEvent, []schema.Gap) { return e.tracker.take(until) }

// Close closes the sockets.
func (e *Exact) Close() error {
	err := e.connector.Close()
	if e.taskstats != nil {
		err = errors.Join(err, e.taskstats.Close())
	}
	return err
}

// readClocks reads the kernel's clocks.
func readClocks() (clocks, error) {
	var boot, monotonic unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		return clocks{}, fmt.Errorf("read CLOCK_BOOTTIME: %w", err)
	}
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic); err != nil {
		return clocks{}, fmt.Errorf("read CLOCK_MONOTONIC: %w", err)
	}
	return clocks{
		boot: boot.Nano(), sinceStart: boot.Nano() - monotonic.Nano(), epochStart: time.Now().UnixNano() - boot.Nano(),
	}, nil
}

// isAlive reports whether process pid exists and has a thread that has not ended: its pidfd becomes readable when all
// have, man pidfd_open(2). Where there are no pidfds, before Linux 5.3, a process that nobody has waited for is alive.
func isAlive(pid int) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return false
	}
	if err != nil {
		return unix.Kill(pid, 0) != unix.ESRCH
	}
	defer unix.Close(fd)
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 0)
		if err != unix.EINTR {
			return err != nil || n == 0
		}
	}
}
