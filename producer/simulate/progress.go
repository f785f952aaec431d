package simulate

import (
	"context"
	"time"
)

func (l *runner) readLag(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lagTimeout)
	defer cancel()
	now, err := lags(ctx, l.js)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lag.now, l.lag.known = now, err == nil
	for _, lag := range now {
		l.lag.max = max(l.lag.max, lag.Messages)
	}
}

func (l *runner) showProgress(context.Context) {
	if l.cfg.Progress != nil {
		l.cfg.Progress(l.report())
	}
}

// report is what came of the load so far.
func (l *runner) report() Report {
	var produced, acked, dropped uint64
	for i := range l.senders {
		s := l.senders[i].publisher.Stats()
		produced, acked, dropped = produced+s.Produced, acked+s.Acked, dropped+s.Dropped
	}
	sent := l.nc.Stats()
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &l.counts
	return Report{
		Elapsed: max(0, time.Since(l.began)), Hosts: len(l.senders),
		Messages: c.messages, Snapshots: c.snapshots, Rows: c.rows, Events: c.events, Bytes: sent.OutBytes - l.sent.OutBytes,
		AckP50: l.acks.quantile(0.5), AckP99: l.acks.quantile(0.99), AckMax: l.acks.max,
		Late: c.late, Making: c.making, Drops: dropped, Unacknowledged: produced - acked - dropped,
		LagKnown: l.lag.known, Lag: l.lag.now, LagMax: l.lag.max,
	}
}
