package simulate

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/producer/publish"
	"github.com/proctape/proctape/schema"
)

// runner is a load under way.
type runner struct {
	cfg     Load
	nc      *nats.Conn
	js      jetstream.JetStream
	senders []sender
	began   time.Time
	sent    nats.Statistics // of the connection, before
	fail    context.CancelCauseFunc

	mu     sync.Mutex // the fleet, whose hosts make their messages in the same memory, and what follows
	counts counts
	acks   latencies
	lag    lagWatch
}

// sender is a host and its publisher. One goroutine at a time uses it.
type sender struct {
	host      *Host
	publisher *publish.Publisher
	offered   time.Time // since when messages wait for the log; zero when none does
}

// queueBytes is how much may wait for the log, of all hosts together. One snapshot has room in any case.
const queueBytes = 256 << 20

func newRunner(nc *nats.Conn, cfg Load) (*runner, error) {
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	js, err := schema.JetStream(nc, cfg.Domain)
	if err != nil {
		return nil, err
	}
	cfg.Fleet.Start = cfg.start(time.Now())
	fleet, err := NewFleet(cfg.Fleet)
	if err != nil {
		return nil, err
	}
	l := &runner{cfg: cfg, nc: nc, js: js, sent: nc.Stats(), senders: make([]sender, fleet.Len())}
	for i := range l.senders {
		h := fleet.Host(i)
		p, err := publish.New(nc, publish.Config{
			Origin:   publish.Origin{Host: h.name, BootID: h.bootID, Instance: schema.NewInstance()},
			MaxQueue: max(queueBytes/cfg.Fleet.Hosts, 1024*cfg.Fleet.Processes),
			Drain:    max(cfg.Fleet.Interval, 5*time.Second), Log: cfg.Log,
		})
		if err != nil {
			return nil, err
		}
		l.senders[i] = sender{host: h, publisher: p}
	}
	if l.began = time.Now(); !cfg.Fast {
		l.began = cfg.Fleet.Start
	}
	return l, nil
}
