package web

import (
	"context"
	"sync"
	"time"
)

// verdictTime is how long a verdict is told again: anybody may ask, and to judge takes a question to the log.
const verdictTime = 2 * time.Second

// verdict is the last one that was asked for.
type verdict struct {
	mu   sync.Mutex
	at   time.Time
	word string
	err  error
}

// judge returns how the recording is.
func (v *verdict) judge(ctx context.Context, ask func(context.Context) (string, error)) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.at.IsZero() || time.Since(v.at) > verdictTime {
		v.word, v.err = ask(context.WithoutCancel(ctx)) // others get the answer too
		v.at = time.Now()
	}
	return v.word, v.err
}
