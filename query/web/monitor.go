package web

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/proctape/proctape/query"
)

// The two paths of the monitor, which dashboards know from elsewhere. Their snapshots have the keys and the defaults of monitor.jsonl: a
// value that is not known has its default there, and its key stands in unknown.
const monitorPath = "/api/monitor/"

// freshSnapshot is how old a snapshot may be to be the machine's state, in seconds.
const freshSnapshot = 60

// paramsOfMonitor are the parameters of the monitor's stream.
var paramsOfMonitor = []param{paramHost,
	word("source", "where snapshots are read; all of them are read from the database", []string{"auto", "daemon", "jsonl", "sqlite"}, func(*question, string) {}),
	{"poll_interval", "seconds between two looks, from 0.5 to 30; 1 when it is left out", ofText, nil, func(q *question, s string) error {
		seconds, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(seconds) || seconds < 0.5 || seconds > 30 {
			return fmt.Errorf("want a number from 0.5 to 30")
		}
		q.poll = time.Duration(seconds * float64(time.Second))
		return nil
	}},
}

// newest reads the newest snapshot; nil when there is none.
func newest(ctx context.Context, db *query.DB, host string) (*query.Snapshot, error) {
	for s, err := range query.SnapshotSeq(ctx, db, query.Filter{Range: query.Range{Limit: 1, Reverse: true, Host: host}}) {
		return &s, err
	}
	return nil, nil
}

// monitorSnapshot answers with the newest snapshot.
func monitorSnapshot(s *Server, w http.ResponseWriter, r *http.Request) {
	q := s.question()
	err := read(q, r.URL.Query(), []param{paramHost})
	if err == nil {
		err = checkHost(r.Context(), s.cfg.DB, q.Host)
	}
	var at *query.Snapshot
	if err == nil {
		at, err = newest(r.Context(), s.cfg.DB, q.Host)
	}
	switch {
	case err != nil:
	case at == nil:
		err = &Problem{Title: "no data", Status: http.StatusServiceUnavailable, Detail: "nothing was recorded yet"}
	case now(q)-at.Timestamp > freshSnapshot:
		err = &Problem{Title: "no snapshot of the last minute", Status: http.StatusNotFound, Detail: fmt.Sprintf("the newest is %.0f seconds old", now(q)-at.Timestamp)}
	}
	if err != nil {
		refuse(w, s.problemOf(r, err))
		return
	}
	body, err := json.Marshal(at)
	if err != nil {
		refuse(w, s.problemOf(r, err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	send(w, r, append(body, '\n'))
}

// idlePolls is after how many looks that found nothing a heartbeat is sent.
const idlePolls = 15

// monitorStream answers with each snapshot as it is stored, the newest first of all: connected, snapshot, heartbeat and error.
func monitorStream(s *Server, w http.ResponseWriter, r *http.Request) {
	q := s.question()
	q.poll = time.Second
	err := read(q, r.URL.Query(), paramsOfMonitor)
	if err == nil {
		err = checkHost(r.Context(), s.cfg.DB, q.Host)
	}
	var at *query.Snapshot
	if err == nil {
		at, err = newest(r.Context(), s.cfg.DB, q.Host)
	}
	if err == nil && at == nil {
		err = &Problem{Title: "no data", Status: http.StatusServiceUnavailable, Detail: "nothing was recorded yet"}
	}
	if err != nil {
		refuse(w, s.problemOf(r, err))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no")
	m := &monitor{c: s.client(w, r, q), db: s.cfg.DB, q: q, last: at.Cursor()}
	if err := m.tell("connected", map[string]string{"source": "sqlite", "path": s.cfg.DB.Path()}); err != nil {
		return
	}
	if err := m.tell("snapshot", at); err == nil {
		m.follow(r.Context(), s.ending)
	}
}

// monitor is one who follows the monitor's stream.
type monitor struct {
	c    *client
	db   *query.DB
	q    *question
	last query.Cursor
}

// tell sends an event.
func (m *monitor) tell(name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := m.c.write("event: "+name+"\ndata: ", data); err != nil {
		return err
	}
	return m.c.control.Flush()
}

// follow sends what is stored until the client goes or the server ends.
func (m *monitor) follow(ctx context.Context, ending <-chan struct{}) {
	tick := time.NewTicker(m.q.poll)
	defer tick.Stop()
	for idle := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-ending:
			return
		case <-tick.C:
		}
		n, err := m.more(ctx)
		if idle++; n > 0 {
			idle = 0
		}
		if err == nil && idle == idlePolls {
			idle = 0
			err = m.tell("heartbeat", map[string]float64{"ts": float64(time.Now().UnixNano()) / 1e9})
		}
		if err != nil {
			_ = m.tell("error", map[string]string{"error": "the record cannot be read"}) // the client may have gone
			return
		}
	}
}

// more sends the snapshots behind the last one.
func (m *monitor) more(ctx context.Context) (n int, err error) {
	f := query.Filter{Range: query.Range{Host: m.q.Host, After: m.last, Limit: defaultLimit}}
	for s, err := range query.SnapshotSeq(ctx, m.db, f) {
		if err != nil {
			return n, err
		}
		if err := m.tell("snapshot", &s); err != nil {
			return n, err
		}
		m.last = s.Cursor()
		n++
	}
	return n, nil
}
