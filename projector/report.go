package projector

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/filecheck"
	"github.com/proctape/proctape/schema/trouble"
)

// reporting is the name under which a projector reports trouble.
const reporting = "projector"

// hole is the error of messages that the stream has and that did not come. A server that lost its leader, or restarted, leaves
// some out; a new session reads them. When that does not help either, another reader takes them.
type hole struct {
	stream string
	seq    uint64
}

func (h *hole) Error() string {
	return fmt.Sprintf("message %d of %s is there and was not delivered", h.seq, h.stream)
}

// holesInARow is how many sessions may end with a hole, and nothing committed, before another reader is thought of.
const holesInARow = 3

// ailment is what keeps a projector from folding.
type ailment struct {
	report *trouble.Reporter
	db     string
	holes  int             // sessions in a row that ended with one, and had committed nothing
	kinds  map[string]bool // of trouble, with what it is about, that were begun
}

// begin reports why a session ended.
func (a *ailment) begin(err error) {
	var h *hole
	if errors.As(err, &h) {
		a.holes++
	}
	t := trouble.Trouble{Kind: trouble.Projection, About: a.db, Reason: reason(err, a.holes)}
	switch {
	case store.IsFull(err) || errors.Is(err, unix.ENOSPC):
		t.Kind, t.About = trouble.DiskFull, filepath.Dir(a.db)
		t.Figures = freeBytes(t.About)
	case isReadOnly(err, a.db):
		t.Kind, t.About = trouble.ReadOnly, filepath.Dir(a.db)
		if refused := filecheck.Writable(t.About); refused != nil { // SQLite says no more than that there was an error
			t.Reason += ": " + refused.Error()
		}
	}
	a.report.Begin(reporting, t)
	a.kinds[string(t.Kind)+"\x00"+t.About] = true
}

// over reports that folding goes on. Nothing is lost by it: the log keeps what is not folded.
func (a *ailment) over() {
	if a.holes = 0; len(a.kinds) == 0 {
		return
	}
	a.report.End(reporting, trouble.Projection, a.db, "nothing lost: the log kept what came")
	for _, kind := range []trouble.Kind{trouble.DiskFull, trouble.ReadOnly} {
		a.report.End(reporting, kind, filepath.Dir(a.db), "")
	}
	clear(a.kinds)
}

// isReadOnly reports whether a session ended because the database or its folder takes no writes. SQLite has several names for that.
func isReadOnly(err error, db string) bool {
	return store.IsReadOnly(err) || errors.Is(err, unix.EROFS) || store.IsDiskError(err) && filecheck.Writable(filepath.Dir(db)) != nil
}

// freeBytes are the figures of a full disk; nil when they cannot be read.
func freeBytes(dir string) map[string]int64 {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return nil
	}
	return map[string]int64{"free_bytes": int64(st.Bavail) * st.Bsize}
}

// reason says in words why a session ended.
func reason(err error, holes int) string {
	var h *hole
	switch {
	case errors.As(err, &h) && holes >= holesInARow:
		return h.Error() + ", again and again: another projector reads for this database, perhaps a copy of it"
	case errors.As(err, &h):
		return h.Error() + ", as when a server restarts or loses its leader; it is read again"
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrDisconnected), errors.Is(err, nats.ErrConnectionReconnecting),
		errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, jetstream.ErrServerShutdown):
		return "there is no connection to the log's server"
	case errors.Is(err, jetstream.ErrNoHeartbeat):
		return "the log's server has not shown for ten seconds that it is there"
	case errors.Is(err, jetstream.ErrConsumerLeadershipChanged):
		return "the log's server lost its leader"
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse):
		return "no server of the log answers for its streams"
	case errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return "the log's server does not answer"
	case schema.LogIsLeaderless(err):
		return "the log's servers have no leader, or the one that is reached knows of none"
	}
	return err.Error()
}
