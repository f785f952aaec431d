// Package publish numbers messages and publishes them in order, with a bounded queue and counted losses. It is what
// proctape's own sampler publishes with, and any other Go program may use it to publish snapshots and events of its own.
package publish

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/producer/publish/spool"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/durations"
	"github.com/proctape/proctape/schema/trouble"
)

// Origin is who publishes: a host, one boot of it, and one life of a producer on it.
type Origin struct {
	Host     string          // a host token, see [schema.ValidHost]
	BootID   string          // /proc/sys/kernel/random/boot_id, or another text that changes with each boot
	Instance schema.Instance // drawn by [schema.NewInstance] once in the producer's life
}

// Config sets a publisher. The zero value of each field but Origin works.
type Config struct {
	Origin   Origin
	MaxQueue int           // bytes that may wait for the log; default 64 MiB
	Drain    time.Duration // how long Run goes on to publish what waits after its context ended; default 5 s
	// Lives is a folder in which this life writes down what it has reached, so that a later one can tell the log what was lost
	// at its end; empty for none. It may hold the lives of many producers.
	Lives string
	// Into names the log, as its URL does without what is secret; empty for the log whose folder has Lives. What waits on disk is
	// published into that log and no other.
	Into string
	// Spool is how many bytes may wait on disk, in Lives, for a log that cannot be reached; 0 for [DefaultSpool], negative for none. SpoolAge
	// is for how long; 0 for [DefaultSpoolAge].
	Spool    int64
	SpoolAge time.Duration
	// TellsEnds has the publisher tell the log what the lives in Lives that have ended had reached, and keep the file of its own
	// for the next. Without it the file goes when the log has all that was made.
	TellsEnds bool
	Began     int64  // when this life began to sample, in nanoseconds of CLOCK_BOOTTIME; 0 for one that takes no samples
	Beat      func() // is called with each try to publish; nil for nobody who wants to know
	Log       *slog.Logger
	Trouble   *trouble.Reporter // is told of trouble; default one that reports to Log
}

// Publisher numbers messages and publishes them in order. A message waits in a bounded queue until the log has
// acknowledged it, and after two seconds on disk. When there is no more room the oldest message goes, snapshots before events, and every
// later envelope says how many items were lost. Its methods may be called by any goroutine; Run is called once.
type Publisher struct {
	js  jetstream.JetStream
	cfg Config

	spells spells
	acks   durations.Counter

	mu    sync.Mutex
	queue queue
	last  map[schema.Kind]uint64 // number of the last item of each kind
	wall  int64                  // of the newest message, Unix ns
	boot  int64                  // the same by the boot clock
	ended ended
	stats Stats
	ends  []schema.End  // of earlier lives of which something waits on disk: the log hears of it when that is over
	disk  spool.Depth   // of backlog, when it was looked at last
	wake  chan struct{} // holds one token when the queue may have grown

	backlog *backlog
	lives   *lives // nil: what this life has reached is not written down
}

// Stats counts items since the start.
type Stats struct {
	Produced uint64 // numbered
	Acked    uint64 // acknowledged by the log
	Dropped  uint64 // lost for want of room, or refused by the server
	Left     uint64 // left on disk at the end, for the next life to publish
	Waiting  int    // messages that the log has not acknowledged, in memory or on disk; those of earlier lives too
}

// New returns a publisher to the server behind nc. Run publishes. nc must not buffer while it reconnects
// (nats.ReconnectBufSize(-1)): what is buffered overtakes what was lost with the old connection. The caller closes nc,
// after Run.
func New(nc *nats.Conn, cfg Config) (*Publisher, error) {
	cfg.MaxQueue = cmp.Or(cfg.MaxQueue, 64<<20)
	cfg.Drain = cmp.Or(cfg.Drain, 5*time.Second)
	if cfg.Beat == nil {
		cfg.Beat = func() {}
	}
	if cfg.Trouble == nil {
		cfg.Trouble = trouble.NewReporter(cfg.Log)
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(mostOfBatch),
		jetstream.WithPublishAsyncTimeout(ackTime))
	if err != nil {
		return nil, err
	}
	p := &Publisher{js: js, cfg: cfg, last: map[schema.Kind]uint64{}, wake: make(chan struct{}, 1),
		spells: spells{to: cfg.Trouble, host: cfg.Origin.Host}}
	p.queue = queue{limit: cfg.MaxQueue, window: 1, dropped: map[string]uint64{}}
	p.backlog = newBacklog(cfg.Lives, spool.Head{Host: cfg.Origin.Host, Instance: cfg.Origin.Instance, BootID: cfg.Origin.BootID,
		Wall: time.Now().UnixNano(), Log: cfg.Into}, cfg.Spool, cfg.SpoolAge, cfg.Log)
	if cfg.Lives != "" {
		if p.lives, err = openLives(cfg.Lives, cfg.Origin.Host, cfg.Origin.Instance, cfg.Log, cfg.Trouble); err != nil {
			level := slog.LevelDebug // anybody may run a command
			if cfg.TellsEnds {
				level = slog.LevelWarn
			}
			cfg.Log.Log(context.Background(), level, "what this life makes is not written down: nobody will know what is lost at its end", "err", err)
		}
		p.takeUpLives()
	}
	return p, nil
}

// Offer fills in the message's envelope, all but its kind, wall and boot time, and queues it. It does not wait for the
// log. The message is the publisher's from then on. A message that cannot be encoded is an error, and so is a gap of a kind
// that is not in [schema.GapKinds]; it takes no number.
func (p *Publisher) Offer(m *schema.Message) error {
	for i := range m.Gaps {
		if _, known := m.Gaps[i].Kind.Info(); !known {
			return fmt.Errorf("gap %d: %q is no kind of gap", i, m.Gaps[i].Kind)
		}
	}
	dropped, err := p.enqueue(m)
	if dropped > 0 {
		p.spells.loses(dropQueueFull, dropped)
	}
	return err
}

// enqueue fills in the message's envelope and queues it. It returns how many items were dropped for that.
func (p *Publisher) enqueue(m *schema.Message) (dropped uint64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := m.Count()
	m.Version, m.Host, m.BootID, m.Instance = schema.Version, p.cfg.Origin.Host, p.cfg.Origin.BootID, p.cfg.Origin.Instance
	m.Seq = p.last[m.Kind] + 1
	m.Produced = p.stats.Produced + count
	m.Dropped, m.Acked = p.queue.drops(), p.stats.Acked
	if m.Kind == schema.KindExit {
		m.Began = p.cfg.Began
	}
	own := m.Ended
	m.Ended = p.ended.in(schema.StreamFor(m.Kind))
	m.Ended = append(m.Ended[:min(len(m.Ended), schema.MaxEnds-len(own))], own...)
	payload, encoding, err := schema.Encode(nil, m)
	if err != nil {
		return 0, fmt.Errorf("encode %s: %w", m.Kind, err)
	}
	p.last[m.Kind] += count
	p.stats.Produced += count
	p.wall, p.boot = max(p.wall, m.Wall), max(p.boot, m.Boot)
	dropped = p.queue.push(newQueued(m, payload, encoding))
	p.stats.Dropped += dropped
	p.wakeUp()
	return dropped, nil
}

// lookAtDisk notes what waits on disk. The caller holds both locks.
func (p *Publisher) lookAtDisk() { p.disk, _ = p.backlog.depth() }

// wakeUp has Run look for something to publish.
func (p *Publisher) wakeUp() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Stats returns the counts so far.
func (p *Publisher) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Waiting = len(p.queue.messages) + p.disk.Messages
	return s
}

// Acks returns how long acknowledgements took so far, from publishing on: of messages that the log took.
func (p *Publisher) Acks() durations.Histogram { return p.acks.Read() }

// Queue is what waits in the memory of a publisher and on disk, and how far its numbers have come.
type Queue struct {
	Messages int
	Items    uint64
	Bytes    int64
	Limit    int64                  // bytes that may wait
	Disk     spool.Depth            // what waits on disk, that of earlier lives too
	Last     map[schema.Kind]uint64 // the last number of each kind
}

// Queue returns what waits for the log.
func (p *Publisher) Queue() Queue {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := Queue{Messages: len(p.queue.messages), Disk: p.disk, Bytes: int64(p.queue.size), Limit: int64(p.queue.limit), Last: maps.Clone(p.last)}
	for i := range p.queue.messages {
		q.Items += p.queue.messages[i].count
	}
	return q
}

// takeUpLives takes up the lives that have ended, if this one is to tell of them. What they left goes to the log first.
func (p *Publisher) takeUpLives() {
	if p.lives == nil || !p.cfg.TellsEnds {
		return
	}
	p.backlog.mu.Lock()
	defer p.backlog.mu.Unlock()
	p.backlog.takeUp()
	ended := p.lives.takeUp(func(life schema.Instance) bool {
		waits, ours := p.backlog.standsIn(life)
		return ours || !waits
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, end := range ended {
		if waits, _ := p.backlog.standsIn(end.Instance); waits {
			p.ends = append(p.ends, end)
		} else {
			p.ended.add(end)
		}
	}
	p.lookAtDisk()
	if p.disk.Messages > 0 {
		p.wakeUp()
	}
}
