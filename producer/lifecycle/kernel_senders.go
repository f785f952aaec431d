package lifecycle

import (
	"fmt"
	"strings"
	"time"

	"github.com/proctape/proctape/producer/bpf"
	"github.com/proctape/proctape/schema"
)

const (
	maxSenders   = 1 << 14     // processes whose last signal is remembered, at most
	sendersKnown = time.Minute // how long a signal may take to end a process
)

// sender is who sent the last signal to a process.
type sender struct {
	start    int64 // of the process that it was sent to
	signal   uint32
	pid      int
	uid      uint32
	comm     string
	at       int64 // boot time
	toItself bool
}

// senders are the last signals, by the pid of whom they were sent to.
type senders map[int]sender

// note takes in a signal.
func (s senders) note(e *bpf.Event) {
	if _, known := s[e.PID]; !known && len(s) >= maxSenders {
		return
	}
	s[e.PID] = sender{start: e.Start, signal: e.Status, pid: e.Parent, uid: e.UID, comm: e.Comm, at: e.Time, toItself: e.Parent == e.PID}
}

// explain adds to the exit of a process who sent the signal that ended it.
func (s senders) explain(e *schema.Event) {
	from, known := s[e.PID]
	if !known || ticksAt(from.start) != e.StartTicks {
		return
	}
	delete(s, e.PID)
	if e.Signal.Known && int64(from.signal) == e.Signal.V {
		e.Details = join(from.String(), e.Details)
	}
}

// String says who it was.
func (f sender) String() string {
	if f.toItself {
		return schema.SentBy + "itself"
	}
	return schema.SentBy + fmt.Sprintf("%s (pid %d, user %d)", strings.ToValidUTF8(f.comm, "\uFFFD"), f.pid, f.uid)
}

// forget drops what is too long ago to have ended a process.
func (s senders) forget(now int64) {
	for pid, from := range s {
		if time.Duration(now-from.at) > sendersKnown {
			delete(s, pid)
		}
	}
}
