package web

import (
	"context"
	"log/slog"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/query/live"
	"github.com/proctape/proctape/schema"
)

// follows follows streams of the log, each once however many clients there are. It begins when the first client comes and ends
// when the last one has gone.
type follows struct {
	js     jetstream.JetStream
	log    *slog.Logger
	ctx    context.Context
	stop   context.CancelFunc
	byName map[string]*follow
}

func newFollows(js jetstream.JetStream, log *slog.Logger) *follows {
	f := &follows{js: js, log: log, byName: map[string]*follow{}}
	f.ctx, f.stop = context.WithCancel(context.Background())
	for _, stream := range []string{schema.StreamSnapshots, schema.StreamEvents} {
		f.byName[stream] = &follow{js: js, log: log, stream: stream, changed: make(chan struct{})}
	}
	return f
}

// keptBytes is how much the newest messages of a stream may hold that are kept for its clients. Who is further behind reads
// the log by himself.
const keptBytes = 16 << 20

// follow is one stream, with its newest messages.
type follow struct {
	js     jetstream.JetStream
	log    *slog.Logger
	stream string

	mu      sync.Mutex
	clients int
	end     context.CancelFunc // of the goroutine that reads, while there are clients
	ended   chan struct{}      // closed when it has ended
	base    uint64             // sequence: all messages behind it are kept
	frames  []*frame           // rising by sequence
	bytes   int
	err     error         // why it could not go on
	changed chan struct{} // closed, and made anew, when frames or err change
}

// join adds a client, and returns what takes it away again. The first one starts the reading at the end of the stream.
func (f *follow) join(ctx context.Context) (leave func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.clients == 0 {
		stream, err := f.js.Stream(ctx, f.stream)
		if err != nil {
			return nil, err
		}
		f.base, f.frames, f.bytes, f.err = stream.CachedInfo().State.LastSeq, nil, 0, nil
		reading, end := context.WithCancel(context.Background())
		f.end, f.ended = end, make(chan struct{})
		go f.read(reading, f.base+1, f.ended)
	}
	f.clients++
	return sync.OnceFunc(f.leave), nil
}

// leave takes a client away. With the last one the reading ends.
func (f *follow) leave() {
	f.mu.Lock()
	f.clients--
	last, end, ended := f.clients == 0, f.end, f.ended
	if last {
		end()
	}
	f.mu.Unlock()
	if last {
		<-ended
	}
}

// read keeps the newest messages until ctx ends.
func (f *follow) read(ctx context.Context, from uint64, ended chan<- struct{}) {
	defer close(ended)
	err := live.FollowRaw(ctx, f.js, live.Filter{Stream: f.stream, From: from}, func(m *live.Message) error {
		f.keep(m)
		return nil
	})
	if ctx.Err() == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.err = err
		f.tell()
	}
}

// skipped tells of a message that cannot be read.
func (f *follow) skipped(subject string, err error) {
	f.log.Debug("a message was skipped", "subject", subject, "error", err)
}

// keep adds a message, and forgets the oldest ones when they hold too much.
func (f *follow) keep(m *live.Message) {
	made := newFrame(m, f.skipped)
	made.grows = func(n int) { f.grow(made, n) }
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frames = append(f.frames, made)
	made.bytes = frameBytes + len(m.Data)
	f.bytes += made.bytes
	f.forget()
	f.tell()
}

// grow takes into account what a frame holds from now on, beside its message.
func (f *follow) grow(made *frame, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if made.Sequence > f.base { // it is kept
		made.bytes += n
		f.bytes += n
		f.forget()
	}
}

// forget lets go of the oldest frames while all hold too much. The caller holds the lock.
func (f *follow) forget() {
	n := 0
	for ; f.bytes > keptBytes && n < len(f.frames)-1; n++ {
		f.base = f.frames[n].Sequence
		f.bytes -= f.frames[n].bytes
	}
	if n > 0 {
		f.frames = append([]*frame(nil), f.frames[n:]...)
	}
}

// tell wakes all clients. The caller holds the lock.
func (f *follow) tell() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// after returns the kept frames behind a sequence. kept is false when some of them are no longer, or not yet, kept: then base
// is the sequence up to which they have to be read from the log. changed is closed when there may be more.
func (f *follow) after(sequence uint64) (frames []*frame, kept bool, base uint64, changed <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if sequence < f.base {
		return nil, false, f.base, f.changed, f.err
	}
	n := len(f.frames)
	for n > 0 && f.frames[n-1].Sequence > sequence {
		n--
	}
	return f.frames[n:len(f.frames):len(f.frames)], true, f.base, f.changed, f.err
}
