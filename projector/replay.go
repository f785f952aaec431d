package projector

import (
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ReplayConfig says what [Replay] makes of a log. The zero value of each field but DB works.
type ReplayConfig struct {
	DB        string   // path of the database to make, or of a replay that was interrupted
	NDJSON    string   // folder of the NDJSON files, which must exist; empty for none
	FileName  string   // name of the file of snapshots there; default monitor.jsonl
	FileLimit int64    // bytes from which a file is rotated; default 50 MiB
	Hosts     []string // patterns of path.Match of the hosts that the database is of; nil for all
	// FilesOfOthers is whether another program rotates the files.
	FilesOfOthers bool
	// From and Until are the part of the log to replay, by the time at which the log stored a message: From is in it, Until
	// is not. Zero is the log's beginning, and what the log holds when Replay begins.
	From, Until time.Time
	// UntilSequence, when not nil, ends each stream with a sequence, by the stream's name, and Until is not used.
	UntilSequence map[string]uint64
	// LackStreams makes a stream that the log does not have count as empty. Otherwise it is an error.
	LackStreams bool
	// Progress, when not nil, is called five times a second while Replay runs and once at its end, by one goroutine.
	Progress func(ReplayProgress)
	Memory   Memory       // bounds what is held in memory
	Log      *slog.Logger // default slog.Default()
}

// ReplayProgress is how far a replay is.
type ReplayProgress struct {
	Projected int64 // messages of the log that are in the database
	All       int64 // messages of the log up to where it ended when the replay began
}

// ReplayResult is what a replay made. It also says how far a replay came that failed.
type ReplayResult struct {
	Stats
	Took time.Duration
}

// Replay projects a log, or a part of it, into a new database. The same log gives the same database. The log is not changed,
// and does not wait for the database later.
//
// Replay returns [ErrNotFresh] for a database that holds anything but an unfinished replay, a *[lockfile.HeldError] for one
// that another process writes, a *[DamagedError] for a damaged one, and the error of ctx when that ends; the next Replay
// into the same database then goes on from there.
func Replay(ctx context.Context, js jetstream.JetStream, cfg ReplayConfig) (ReplayResult, error) {
	first, last, err := cfg.sequences(ctx, js)
	if err != nil {
		return ReplayResult{}, err
	}
	p, err := Open(ctx, js, Config{DB: cfg.DB, NDJSON: cfg.NDJSON, FileName: cfg.FileName, FileLimit: cfg.FileLimit, FilesOfOthers: cfg.FilesOfOthers, Once: true, From: first, Until: last,
		LackStreams: cfg.LackStreams, Hosts: cfg.Hosts, Memory: cfg.Memory, Log: cfg.Log})
	if err != nil {
		return ReplayResult{}, err
	}
	began := time.Now()
	stop := reportProgress(p, cfg.Progress)
	err = p.Run(ctx)
	stop()
	return ReplayResult{p.Stats(), time.Since(began)}, err
}

// sequences are the first and the last sequence of each stream to replay; nil for all.
func (cfg ReplayConfig) sequences(ctx context.Context, js jetstream.JetStream) (first, last map[string]uint64, err error) {
	if !cfg.From.IsZero() {
		if first, err = SequencesAt(ctx, js, cfg.From); err != nil {
			return nil, nil, err
		}
	}
	if cfg.UntilSequence != nil || cfg.Until.IsZero() {
		return first, cfg.UntilSequence, nil
	}
	if last, err = SequencesAt(ctx, js, cfg.Until); err != nil {
		return nil, nil, err
	}
	for name := range last {
		last[name]-- // the one before the first that is not wanted
	}
	return first, last, nil
}

// reportProgress calls report until stop is called, and a last time then.
func reportProgress(p *Projector, report func(ReplayProgress)) (stop func()) {
	if report == nil {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				report(p.replayProgress())
			case <-done:
				report(p.replayProgress())
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// replayProgress is how far all streams together are.
func (p *Projector) replayProgress() (r ReplayProgress) {
	for _, pos := range p.Positions() {
		r.Projected += int64(pos.Folded)
		r.All += int64(pos.Last)
	}
	return r
}
