package lifecycle

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/lifecycle/netlink"
)

const (
	probeTime  = 250 * time.Millisecond
	probeTries = 2
	probePause = time.Millisecond
)

// Why a probe fails where the kernel accepts a listener and sends it nothing.
var (
	errNoEvent  = errors.New("the proc connector does not tell of our own threads")
	errNoRecord = errors.New("taskstats has no record of our own threads")
)

// probe ends a thread of this process and waits for the kernel's event of it. Other events that it reads are kept.
func (e *Exact) probe() error {
	var err error
	for range probeTries {
		if err = e.awaitEnd(endThread(), probeTime); err == nil {
			return nil
		}
	}
	return err
}

// awaitEnd waits for the exit event and the record of the thread tid.
func (e *Exact) awaitEnd(tid int, timeout time.Duration) error {
	seen, recorded := false, e.taskstats == nil
	for deadline := time.Now().Add(timeout); ; time.Sleep(probePause) {
		b, err := e.read()
		if err != nil {
			return err
		}
		e.tracker.poll(b)
		seen = seen || slices.ContainsFunc(b.events, func(ev netlink.Event) bool {
			return ev.Kind == netlink.Exit && ev.PID == tid && ev.TGID == os.Getpid()
		})
		recorded = recorded || slices.ContainsFunc(b.records, func(r netlink.Record) bool {
			return r.PID == tid && r.TGID == os.Getpid()
		})
		switch {
		case seen && recorded:
			return nil
		case time.Now().Before(deadline):
		case !seen:
			return errNoEvent
		default:
			return errNoRecord
		}
	}
}

// endThread ends a thread of this process and returns what its id was: a goroutine that returns while it is locked to
// its thread takes the thread along.
func endThread() (tid int) {
	ended := make(chan int)
	go func() {
		runtime.LockOSThread()
		if tid := unix.Gettid(); tid != os.Getpid() {
			ended <- tid
			return
		}
		// The first thread never ends. While this goroutine holds it, another one gets another.
		defer runtime.UnlockOSThread()
		ended <- endThread()
	}()
	return <-ended
}
