package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/trouble"
)

// Settings are what a notifier needs.
type Settings struct {
	DB      string // the database: what waits is in a file beside it
	Config  *Config
	Beat    func()            // is called with each round; nil for nobody
	Log     *slog.Logger      // default slog.Default()
	Trouble *trouble.Reporter // is told of receivers that take nothing
}

// Notifier tells receivers of the anomalies of a log. One goroutine runs it; any may call Reload.
type Notifier struct {
	cfg   Settings
	next  atomic.Pointer[Config] // receivers that are to be taken over
	round time.Duration          // how long the log is waited for before receivers are looked after
	now   func() time.Time
	send  func(ctx context.Context, r *Receiver, n *Notice, now time.Time) error

	mu    sync.Mutex // receivers are told at once
	state *state
}

// Open reads what waits. Whoever calls it holds the lock of the database.
func Open(cfg Settings) (*Notifier, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Beat == nil {
		cfg.Beat = func() {}
	}
	s, err := loadState(StatePath(cfg.DB))
	if err != nil {
		return nil, err
	}
	s.outboxes(cfg.Config)
	return &Notifier{cfg: cfg, round: time.Second, state: s, now: time.Now, send: newSender().send}, nil
}

// Reload has other receivers told from the next round on. What waits for a receiver stays, by its name, and is tried at once; what waits for one that is
// no more is forgotten; one that is new begins with the anomalies that come from then on.
func (n *Notifier) Reload(c *Config) { n.next.Store(c) }

// adopt takes other receivers over between two rounds, where some were given.
func (n *Notifier) adopt() {
	c := n.next.Swap(nil)
	if c == nil {
		return
	}
	for name, o := range n.state.Receivers {
		o.Failures, o.NotBefore = 0, 0
		n.cfg.Trouble.End(part, trouble.NotTold, name, "")
	}
	n.cfg.Config = c
	n.state.outboxes(c)
}

// Run tells until ctx ends. Trouble, with the log or with the file, it reports and waits out; the log keeps what comes meanwhile.
func (n *Notifier) Run(ctx context.Context, js jetstream.JetStream) error {
	var log jetstream.Consumer
	for ctx.Err() == nil {
		n.cfg.Beat()
		n.adopt()
		var err error
		if log == nil {
			log, err = n.follow(ctx, js)
		}
		if err == nil {
			err = n.takeIn(ctx, log)
		}
		if err = errors.Join(err, n.tell(ctx)); err == nil {
			n.cfg.Trouble.End(part, trouble.NotTold, n.cfg.DB, "")
			continue
		}
		if ctx.Err() == nil {
			n.cfg.Trouble.Begin(part, trouble.Trouble{Kind: trouble.NotTold, About: n.cfg.DB, Reason: err.Error()})
		}
		log = nil
		select {
		case <-ctx.Done():
		case <-time.After(5 * n.round):
		}
	}
	return nil
}

// part is the name of the notifier to who is told of trouble.
const part = "notices"

func (n *Notifier) save() error {
	if err := n.state.save(StatePath(n.cfg.DB)); err != nil {
		return fmt.Errorf("write down which notices wait: %w", err)
	}
	return nil
}

// follow finds the durable on the anomalies of the log, or makes it: at the place that is written down, and the first one at what comes from now on.
func (n *Notifier) follow(ctx context.Context, js jetstream.JetStream) (jetstream.Consumer, error) {
	if err := n.save(); err != nil { // the durable's name has to be known when it is there
		return nil, err
	}
	cfg := schema.OfDatabase(schema.NotifyConsumer(n.state.ID), "what is told of anomalies in", n.cfg.DB)
	if n.state.Seq > 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, n.state.Seq+1
	}
	log, err := js.Consumer(ctx, schema.StreamEvents, cfg.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || schema.DurableIsAway(err) {
		return schema.ReplaceDurable(ctx, js, schema.StreamEvents, cfg)
	}
	return log, err
}

// takeIn takes in what the log has, and waits for it for a round. The log is told only once all is written down.
func (n *Notifier) takeIn(ctx context.Context, log jetstream.Consumer) error {
	batch, err := log.Fetch(256, jetstream.FetchMaxWait(n.round))
	if err != nil {
		return err
	}
	var last jetstream.Msg
	for msg := range batch.Messages() {
		meta, err := msg.Metadata()
		if err != nil {
			return err
		}
		if last = msg; meta.Sequence.Stream <= n.state.Seq {
			continue // it was taken in, and the log was not told
		}
		n.state.Seq = meta.Sequence.Stream
		m, err := schema.DecodeMsg(msg.Subject(), msg.Headers(), msg.Data())
		if err != nil || m.Anomaly == nil {
			n.cfg.Log.Warn("an anomaly in the log cannot be read, and nobody is told of it", "sequence", n.state.Seq, "err", err)
			continue
		}
		for i := range n.cfg.Config.Receivers {
			r := &n.cfg.Config.Receivers[i]
			n.state.Receivers[r.Name].takeIn(r, m, n.now())
		}
	}
	if last != nil {
		if err := n.save(); err != nil {
			return err
		}
		if err := last.Ack(); err != nil {
			return err
		}
	}
	if err := batch.Error(); err != nil && !errors.Is(err, nats.ErrTimeout) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// tell sends each receiver what is due, all receivers at once, and writes down how that went.
func (n *Notifier) tell(ctx context.Context) error {
	silences, err := Silences(n.cfg.DB)
	if err != nil {
		n.cfg.Trouble.Note(trouble.Trouble{Kind: trouble.NotTold, About: SilencesPath(n.cfg.DB), Reason: "none of them counts: " + err.Error()})
	}
	var all sync.WaitGroup
	failed := make([]error, len(n.cfg.Config.Receivers))
	for i := range n.cfg.Config.Receivers {
		all.Go(func() { failed[i] = n.tellOne(ctx, &n.cfg.Config.Receivers[i], silences) })
	}
	all.Wait()
	return errors.Join(failed...)
}

// tellOne sends one receiver what is due, until a try fails. What was taken is written down before the next is sent.
func (n *Notifier) tellOne(ctx context.Context, r *Receiver, silences []Silence) error {
	n.mu.Lock()
	due := n.state.Receivers[r.Name].due(r, silences, n.now())
	n.mu.Unlock()
	for i := range due {
		if ctx.Err() != nil {
			return nil
		}
		n.cfg.Beat()
		sending, cancel := outlasting(ctx)
		err := n.send(sending, r, &due[i], n.now())
		cancel()
		if err != nil && ctx.Err() != nil {
			return nil // it was cut short, and is tried again
		}
		if goesOn, broken := n.note(r, &due[i], err); !goesOn {
			return broken
		}
	}
	return nil
}

// grace is how long a try may go on once the notifier is to end: what the receiver has taken should not be sent again.
const grace = 2 * time.Second

// outlasting is a context that ends a little later than another.
func outlasting(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return longer, func() { stop(); cancel() }
}

// note notes how a try went, and writes it down. It says whether the receiver can be sent more.
func (n *Notifier) note(r *Receiver, notice *Notice, err error) (goesOn bool, broken error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	o := n.state.Receivers[r.Name]
	dead := o.done(r, notice, err, n.now())
	n.report(r, o, err, dead)
	broken = n.save()
	return broken == nil && (err == nil || dead), broken
}

// report tells of trouble with a receiver, and of its end.
func (n *Notifier) report(r *Receiver, o *outbox, err error, dead bool) {
	if err == nil {
		n.cfg.Trouble.End(part, trouble.NotTold, r.Name, "")
		return
	}
	reason := err.Error()
	if dead {
		reason = "a notice was given up: " + reason
	}
	n.cfg.Trouble.Begin(part, trouble.Trouble{Kind: trouble.NotTold, About: r.Name, Reason: reason,
		Figures: map[string]int64{"waiting": int64(len(o.Waiting)), "given_up": int64(o.Dead)}})
}
