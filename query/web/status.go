package web

import (
	"context"
	"sync"
	"time"

	"github.com/proctape/proctape/query/health"
)

// statusTime is how long a status is told again: anybody may ask for its verdict, and to judge takes a question to the log.
const statusTime = 2 * time.Second

// kept is the last status that was asked for.
type kept struct {
	mu     sync.Mutex
	at     time.Time
	status *health.Status
	err    error
}

// ask returns how the recording is.
func (k *kept) ask(ctx context.Context, ask func(context.Context) (*health.Status, error)) (*health.Status, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.at.IsZero() || time.Since(k.at) > statusTime {
		k.status, k.err = ask(context.WithoutCancel(ctx)) // others get the answer too
		k.at = time.Now()
	}
	return k.status, k.err
}
