package health

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/state"
)

// recent is how far back the record counts, and lately within which two samplers of a host count as two.
const (
	recent = time.Hour
	lately = time.Minute
)

// reading is one question to the database.
type reading struct {
	what string
	sql  string
	args []any
	row  func(*sql.Rows) error
}

// Read adds what the database says. f.Now is set.
func Read(ctx context.Context, db *query.DB, f *Figures) error {
	for _, r := range append(presence(f), missing(f)...) {
		if err := each(ctx, db, r); err != nil {
			return fmt.Errorf("read the %s: %w", r.what, err)
		}
	}
	passes, err := query.RetentionPasses(ctx, db, 1)
	if err == nil && len(passes) > 0 {
		f.Retention = passes[0].Error
	}
	return err
}

// presence asks how far the streams are projected, and who records.
func presence(f *Figures) []reading {
	return []reading{
		{"streams", `SELECT stream, seq FROM checkpoints ORDER BY stream`, nil, func(r *sql.Rows) error {
			var s Stream
			err := r.Scan(&s.Name, &s.Seq)
			f.Streams = append(f.Streams, s)
			return err
		}},
		{"hosts", `SELECT h.name, r.wall_ns, r.interval_ns FROM rosters r JOIN hosts h ON h.id = r.host_id ORDER BY h.name`, nil, func(r *sql.Rows) error {
			var h Host
			var wall, interval int64
			err := r.Scan(&h.Name, &wall, &interval)
			h.Seen, h.Interval = time.Unix(0, wall), time.Duration(interval)
			f.Hosts = append(f.Hosts, h)
			return err
		}},
		{"samplers", `SELECT DISTINCT h.name FROM producers a JOIN producers b ON b.host_id = a.host_id AND b.kind = a.kind AND b.instance > a.instance
			JOIN hosts h ON h.id = a.host_id WHERE a.kind = 'snapshot' AND a.last_ns > ?1 AND b.last_ns > ?1
			AND min(a.last_ns, b.last_ns) - max(a.first_ns, b.first_ns) > 2000000000 ORDER BY h.name`,
			[]any{f.Now.Add(-lately).UnixNano()}, func(r *sql.Rows) error {
				var name string
				err := r.Scan(&name)
				f.Doubles = append(f.Doubles, name)
				return err
			}},
	}
}

// missing asks what the last hour is short of.
func missing(f *Figures) []reading {
	since := float64(f.Now.Add(-recent).UnixNano()) / 1e9
	return []reading{
		{"clocks", `SELECT coalesce(h.name, ''), max(g.timestamp), g.details FROM gaps g LEFT JOIN hosts h ON h.id = g.host_id
			WHERE g.kind = 'clock_step' AND g.timestamp >= ? GROUP BY g.host_id`, []any{since}, func(r *sql.Rows) error {
			var s Step
			err := r.Scan(&s.Host, &s.At, &s.Details)
			f.Steps = append(f.Steps, s)
			return err
		}},
		{"losses", `SELECT kind, coalesce(sum(count), 0), sum(count IS NULL), min(timestamp) FROM gaps WHERE timestamp >= ? GROUP BY kind`,
			[]any{since}, func(r *sql.Rows) error {
				var l Loss
				err := r.Scan(&l.Kind, &l.Count, &l.Unknown, &l.First)
				f.Lost = append(f.Lost, l)
				return err
			}},
		{"samples", `SELECT h.name, coalesce(sum(g.count), 0), r.interval_ns FROM gaps g JOIN hosts h ON h.id = g.host_id JOIN rosters r ON r.host_id = h.id
			WHERE g.kind = 'missed_ticks' AND g.timestamp >= ? GROUP BY g.host_id`, []any{since}, func(r *sql.Rows) error {
			var l Late
			err := r.Scan(&l.Host, &l.Samples, &l.Interval)
			f.Late = append(f.Late, l)
			return err
		}},
	}
}

func each(ctx context.Context, db *query.DB, r reading) error {
	rows, err := db.Handle().QueryContext(ctx, r.sql, r.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := r.row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// ReadLog adds what the log says: where its streams end, and when it heard of each host. A log that does not answer is a figure,
// not an error.
func ReadLog(ctx context.Context, js jetstream.JetStream, f *Figures) {
	f.Log.Asked = true
	known := map[string]int{}
	for i, s := range f.Streams {
		known[s.Name] = i
	}
	for _, name := range schema.DataStreams {
		if _, ok := known[name]; !ok {
			known[name] = len(f.Streams)
			f.Streams = append(f.Streams, Stream{Name: name})
		}
		if err := readStream(ctx, js, &f.Streams[known[name]]); err != nil {
			f.Log.Error = plain(err)
			return
		}
	}
	snapshots, err := js.Stream(ctx, schema.StreamSnapshots)
	events, err2 := js.Stream(ctx, schema.StreamEvents)
	for i := range f.Hosts {
		if err != nil || err2 != nil || readHost(ctx, snapshots, events, &f.Hosts[i]) != nil {
			return
		}
	}
}

// plain is an error in words that people know.
func plain(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return "no answer in time"
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrJetStreamNotEnabled):
		return "its server keeps no streams now"
	}
	return err.Error()
}

func readStream(ctx context.Context, js jetstream.JetStream, s *Stream) error {
	stream, err := js.Stream(ctx, s.Name)
	if s.Gone = errors.Is(err, jetstream.ErrStreamNotFound); s.Gone {
		return nil
	} else if err != nil {
		return err
	}
	st := stream.CachedInfo().State
	if s.Last = st.LastSeq; s.Last <= s.Seq {
		return nil
	}
	if msg, err := stream.GetMsg(ctx, max(s.Seq+1, st.FirstSeq)); err == nil {
		s.Oldest = msg.Time
	}
	return nil
}

// readHost reads a host's newest snapshot, and whether its sampler stopped after it.
func readHost(ctx context.Context, snapshots, events jetstream.Stream, h *Host) error {
	m, at, err := newest(ctx, snapshots, h.Name, schema.KindSnapshot)
	if err != nil || m == nil || m.Snapshot == nil {
		return err
	}
	h.Ahead, h.Seen, h.Asked = time.Unix(0, m.Wall).Sub(at), at, true
	h.Interval = time.Duration(m.Snapshot.Interval)
	last, _, err := newest(ctx, events, h.Name, schema.KindGap)
	if err == nil && last != nil {
		h.Stopped = last.Instance == m.Instance && slices.ContainsFunc(last.Ended, func(e schema.End) bool { return e.Final && e.Instance == m.Instance })
	}
	return err
}

// newest is a host's newest message of a kind, and when the log took it; nil where there is none that can be read.
func newest(ctx context.Context, stream jetstream.Stream, host string, kind schema.Kind) (*schema.Message, time.Time, error) {
	raw, err := stream.GetLastMsgForSubject(ctx, schema.Subject(host, kind))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, time.Time{}, nil
	} else if err != nil {
		return nil, time.Time{}, err
	}
	m, err := schema.DecodeMsg(raw.Subject, raw.Header, raw.Data)
	if err != nil {
		return nil, time.Time{}, nil
	}
	return m, raw.Time, nil
}

// LogHosts are the hosts of which the log has snapshots, for who has no database.
func LogHosts(ctx context.Context, js jetstream.JetStream) (hosts []Host) {
	stream, err := js.Stream(ctx, schema.StreamSnapshots)
	if err != nil {
		return nil
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(schema.Subject("*", schema.KindSnapshot)))
	if err != nil {
		return nil
	}
	for subject := range info.State.Subjects {
		if host, _, err := schema.ParseSubject(subject); err == nil {
			hosts = append(hosts, Host{Name: host})
		}
	}
	slices.SortFunc(hosts, func(a, b Host) int { return cmp.Compare(a.Name, b.Name) })
	return hosts
}

// AskRecorder asks the recorder of a log how it is; nil when there is none, or it does not answer.
func AskRecorder(ctx context.Context, nc *nats.Conn) *state.Process {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	msg, err := nc.RequestWithContext(ctx, schema.SubjectState, nil)
	if err != nil {
		return nil
	}
	var p state.Process
	if json.Unmarshal(msg.Data, &p) != nil {
		return nil
	}
	return &p
}
