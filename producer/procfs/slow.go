package procfs

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxSlowReaders = 4          // reads that may be stuck at one time
	maxEnvSize     = 256 << 10  // bytes of an environment that are searched
	slowBufferSize = maxEnvSize // holds either
)

// A slowReader reads the files of a process that need its memory map, cmdline and environ. The kernel makes such a read
// wait while the process holds its mmap_lock, which a process stuck in a page fault may do for as long as it likes. So
// each read has a goroutine of its own and the caller waits for it only so long. Reads that stay stuck are bounded.
type slowReader struct {
	timeout time.Duration
	running atomic.Int32   // reads that have not returned
	done    sync.WaitGroup // the same, to wait for
	buffer  []byte         // what the last read gave back; nil when a stuck one has it
}

// slowRequest says what to read of one process.
type slowRequest struct {
	dir     int      // the process's directory; the reader closes it
	envKeys []string // environment variables to keep; none: do not read the environment
}

// slowAnswer is what was read of one process.
type slowAnswer struct {
	args      []string
	truncated bool
	argsErr   error

	env    map[string]string // nil when not read
	envUID int               // whose it is

	buffer []byte // given back
}

// read reads what req asks for, and waits for it no longer than the timeout. When ok is false the read goes on if late is
// not nil, which then receives the answer, and has not begun, because too many are stuck, if it is nil.
func (r *slowReader) read(req slowRequest) (answer slowAnswer, late <-chan slowAnswer, ok bool) {
	if r.stuck() >= maxSlowReaders {
		unix.Close(req.dir)
		return slowAnswer{}, nil, false
	}
	buffer := r.buffer
	r.buffer = nil
	if buffer == nil {
		buffer = make([]byte, slowBufferSize)
	}

	answers := make(chan slowAnswer, 1)
	r.running.Add(1)
	r.done.Go(func() {
		answer := readSlowly(req, buffer)
		r.running.Add(-1)
		answers <- answer
	})

	timer := time.NewTimer(r.timeout)
	defer timer.Stop()
	select {
	case answer := <-answers:
		r.buffer = answer.buffer
		return answer, nil, true
	case <-timer.C:
		return slowAnswer{}, answers, false
	}
}

// stuck returns how many reads have not returned, between calls of read.
func (r *slowReader) stuck() int { return int(r.running.Load()) }

// readSlowly reads the command line and environment through buffer, closes the directory and leaves nothing of the
// environment in buffer.
func readSlowly(req slowRequest, buffer []byte) slowAnswer {
	defer unix.Close(req.dir)
	answer := slowAnswer{buffer: buffer}

	answer.args, answer.truncated, answer.argsErr = readArgs(req.dir, buffer)

	if len(req.envKeys) == 0 {
		return answer
	}
	answer.env, answer.envUID = readEnvironment(req.dir, req.envKeys, buffer[:maxEnvSize])
	return answer
}
