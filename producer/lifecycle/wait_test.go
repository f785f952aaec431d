package lifecycle

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// Who waits for a descriptor is told of what comes, of what has come, of its context, and of the time.
func TestWaitReadable(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	fd := int(r.Fd())
	before := openFiles(t)

	began := time.Now()
	if err := waitReadable(t.Context(), fd, 30*time.Millisecond); err != nil || time.Since(began) < 30*time.Millisecond {
		t.Errorf("nothing came: got %v after %s, want to wait for 30ms", err, time.Since(began))
	}
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error)
	go func() { waited <- waitReadable(ctx, fd, noTimeout) }()
	select {
	case err := <-waited:
		t.Fatalf("nothing came: got %v, want to wait", err)
	case <-time.After(20 * time.Millisecond):
	}
	cancel()
	if err := <-waited; !errors.Is(err, context.Canceled) {
		t.Errorf("the context has ended: got %v, want %v", err, context.Canceled)
	}
	if err := waitReadable(ctx, fd, noTimeout); !errors.Is(err, context.Canceled) {
		t.Errorf("the context had ended: got %v, want %v", err, context.Canceled)
	}
	go func() { waited <- waitReadable(t.Context(), fd, noTimeout) }()
	if _, err := w.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; err != nil {
		t.Errorf("something came: got %v", err)
	}
	if err := waitReadable(t.Context(), fd, noTimeout); err != nil {
		t.Errorf("something had come: got %v", err)
	}
	if got := openFiles(t); got != before {
		t.Errorf("got %d open files, want %d", got, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Each kind that the kernel tells something ends its wait at the end of a process, long before anything else would.
func TestSource_Wait(t *testing.T) {
	for _, kind := range []SourceKind{KindTaskstats, KindConnector, KindPidfd} {
		t.Run(string(kind), func(t *testing.T) {
			r := newRig(t, openOne(kind))
			child := exec.Command("sleep", "600")
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			r.observe() // the pidfd kind learns of it here
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = child.Wait()
			seen := func() bool {
				r.take(math.MaxInt64)
				return slices.ContainsFunc(r.told, func(o schema.KindedEvent) bool {
					return o.Event.PID == child.Process.Pid && o.Event.Signal.V == int64(unix.SIGKILL)
				})
			}
			for deadline := time.Now().Add(within); !seen(); r.poll() {
				if time.Now().After(deadline) {
					t.Fatal("the end was not told")
				}
				if err := r.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
