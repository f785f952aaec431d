package web

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/live"
	"github.com/proctape/proctape/schema"
)

// follows follows streams of the log, each once however many clients there are: a message is decoded and written as JSON
// once. It begins when the first client comes and ends when the last one has gone.
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

// keptBytes is how much JSON of the newest messages of a stream is kept for its clients. Who is further behind reads the
// log by himself.
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
	frames  []frame            // rising by sequence
	bytes   int
	err     error         // why it could not go on
	changed chan struct{} // closed, and made anew, when frames or err change
}

// frame is one message of the log as clients get it.
type frame struct {
	sequence uint64
	host     string
	events   []event
}

// event is one thing that a client is told.
type event struct {
	name string // snapshot, event, exec or gap
	data []byte // JSON
	of   any    // of an event *query.Event, of an exec *query.Exec, for filters; else nil
}

// size is about how much memory a frame takes, in bytes.
func (f *frame) size() int {
	n := 64
	for _, e := range f.events {
		n += len(e.data) + 64
		if e.of != nil {
			n += 512 // its texts are of the message that all of them have
		}
	}
	return n
}

// frameOf is a message as clients get it.
func frameOf(m *schema.Message, sequence uint64) (frame, error) {
	f := frame{sequence: sequence, host: m.Host}
	add := func(name string, value, of any) error {
		data, err := json.Marshal(value)
		data = query.NullUnknown(data)
		f.events = append(f.events, event{name, data, of})
		return err
	}
	if m.Snapshot != nil {
		return f, add("snapshot", query.SnapshotFromMessage(m), nil)
	}
	for _, e := range query.EventsFromMessage(m) {
		if err := add("event", e, &e); err != nil {
			return f, err
		}
	}
	for _, e := range query.ExecsFromMessage(m) {
		if err := add("exec", e, &e); err != nil {
			return f, err
		}
	}
	for _, g := range query.GapsFromMessage(m) {
		if err := add("gap", g, nil); err != nil {
			return f, err
		}
	}
	return f, nil
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
	err := live.Follow(ctx, f.js, live.Filter{Stream: f.stream, From: from}, func(m *schema.Message, sequence uint64) error {
		made, err := frameOf(m, sequence)
		if err == nil {
			f.keep(made)
		}
		return err
	}, f.skipped)
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

// keep adds a frame, and forgets the oldest ones when there are too many.
func (f *follow) keep(made frame) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frames = append(f.frames, made)
	f.bytes += made.size()
	n := 0
	for ; f.bytes > keptBytes && n < len(f.frames)-1; n++ {
		f.base = f.frames[n].sequence
		f.bytes -= f.frames[n].size()
	}
	if n > 0 {
		f.frames = append([]frame(nil), f.frames[n:]...)
	}
	f.tell()
}

// tell wakes all clients. The caller holds the lock.
func (f *follow) tell() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// after returns the kept frames behind a sequence. kept is false when some of them are no longer, or not yet, kept: then base
// is the sequence up to which they have to be read from the log. changed is closed when there may be more.
func (f *follow) after(sequence uint64) (frames []frame, kept bool, base uint64, changed <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if sequence < f.base {
		return nil, false, f.base, f.changed, f.err
	}
	n := len(f.frames)
	for n > 0 && f.frames[n-1].sequence > sequence {
		n--
	}
	return f.frames[n:len(f.frames):len(f.frames)], true, f.base, f.changed, f.err
}
