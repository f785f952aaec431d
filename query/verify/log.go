package verify

import (
	"context"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema/lockfile"
)

// awaitProjection waits a few seconds, while somebody writes the database, until it has folded what the log has: a message or
// two are always under way.
func awaitProjection(ctx context.Context, path string, streams map[string]*query.LogStream) error {
	for range 50 {
		if _, written := lockfile.DatabaseOwner(path); !written {
			return nil
		}
		db, err := query.Open(ctx, path)
		if err != nil {
			return err
		}
		checkpoints, err := query.Checkpoints(ctx, db)
		db.Close()
		if err != nil || len(lagOf(checkpoints, streams)) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// isAnotherLog reports whether a database was folded of none of these streams.
func isAnotherLog(checkpoints []query.Checkpoint, streams map[string]*query.LogStream) bool {
	others := 0
	for _, c := range checkpoints {
		s := streams[c.Stream]
		if s == nil || s.Created == c.Created {
			return false
		}
		others++
	}
	return others > 0
}

// isTrimmed reports whether a stream no longer has its beginning.
func isTrimmed(streams map[string]*query.LogStream) bool {
	for _, s := range streams {
		if s.First > 1 {
			return true
		}
	}
	return false
}

// untilOf is how far a database has folded each stream. A stream that was made anew since then has nothing that was folded.
func untilOf(checkpoints []query.Checkpoint, streams map[string]*query.LogStream) map[string]uint64 {
	until := map[string]uint64{}
	for _, c := range checkpoints {
		until[c.Stream] = 0
		if s := streams[c.Stream]; s != nil && s.Created == c.Created {
			until[c.Stream] = uint64(c.Seq)
		}
	}
	return until
}

// lagOf is how many messages each stream has behind the one that was folded last.
func lagOf(checkpoints []query.Checkpoint, streams map[string]*query.LogStream) map[string]int64 {
	lag := map[string]int64{}
	for _, c := range checkpoints {
		s := streams[c.Stream]
		if s == nil {
			continue
		}
		from := max(uint64(c.Seq)+1, s.First)
		if s.Created != c.Created {
			from = s.First
		}
		n := int64(s.Last) - int64(from) + 1
		for _, gone := range s.Deleted {
			if gone >= from {
				n--
			}
		}
		if n > 0 {
			lag[c.Stream] = n
		}
	}
	return lag
}
