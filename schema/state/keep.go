package state

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"time"
)

// Each is how often a process says how it is.
const Each = 2 * time.Second

// Keeper writes the file of a process while it runs.
type Keeper struct {
	path  string
	state func() Process
	log   *slog.Logger
}

// NewKeeper returns a keeper of the file at path. state says how the process is; the keeper adds the pid and the time.
func NewKeeper(path string, state func() Process, log *slog.Logger) *Keeper {
	return &Keeper{path: path, state: state, log: log}
}

// Now is how the process is, with its pid and the time.
func (k *Keeper) Now() Process {
	p := k.state()
	p.PID, p.Said = os.Getpid(), Now()
	return p
}

// JSON is how the process is, for who asks over the log.
func (k *Keeper) JSON() []byte {
	b, _ := json.Marshal(k.Now()) // texts and numbers always encode
	return b
}

// Run writes the file until ctx ends, and then that the process ended. A disk that does not let it is tried again; who reads the
// file finds it old.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(Each)
	defer tick.Stop()
	var f *File
	for {
		ended := ctx.Err() != nil
		var err error
		if f != nil && !f.isAt(k.path) {
			_ = f.Close() // nobody reads it any more
			f = nil
		}
		if f == nil {
			f, err = Create(k.path)
		}
		if err == nil {
			p := k.Now()
			p.Ended = ended
			err = f.Write(p)
		}
		if err != nil {
			k.log.Debug("the state is not written", "path", k.path, "err", err)
			if f != nil {
				_ = f.Close() // it is made anew
				f = nil
			}
		}
		if ended {
			if f != nil {
				return f.Close()
			}
			return nil
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}
