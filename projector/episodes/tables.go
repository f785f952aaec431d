package episodes

import (
	"context"
	"database/sql"
	"errors"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// tables is what the database knows of episodes: what its rules found, and what the log told.
type tables struct{ db *sql.DB }

// most is how many episodes are looked at in one go.
const most = 256

// found are episodes that the rules found, and that are not known to be on the log.
func (t tables) found(ctx context.Context) (found []store.FoundAnomaly, err error) {
	err = schema.EachRow(ctx, t.db, `SELECT episode_id, host_id, revision, message FROM found_anomalies ORDER BY revision DESC, episode_id LIMIT ?`, func(r *sql.Rows) error {
		var f store.FoundAnomaly
		err := r.Scan(&f.Episode, &f.HostID, &f.Revision, &f.Message)
		found = append(found, f)
		return err
	}, most)
	return found, err
}

// untold is what the log is to be told of an episode; nil when it knows all of it. Somebody else may have told of the same under another start, because
// his log began earlier: then it is told as more of that, and a message with the number 0 says that there is nothing to tell yet.
func (t tables) untold(ctx context.Context, hostID int64, m *schema.Message) (*schema.Message, error) {
	var revision uint64
	err := t.db.QueryRowContext(ctx, `SELECT revision FROM anomalies WHERE episode_id = ?`, m.Instance.String()).Scan(&revision)
	switch {
	case err == nil && revision >= m.Seq:
		return nil, nil
	case err == nil:
		return m, nil
	case !errors.Is(err, sql.ErrNoRows):
		return nil, err
	}
	a, s := m.Anomaly, &m.Anomaly.About
	last := schema.Timestamp(max(a.LastSeen, a.Ended.V))
	var id string
	var started float64
	var ended sql.NullFloat64
	err = t.db.QueryRowContext(ctx, `SELECT episode_id, revision, started, ended FROM anomalies WHERE host_id = ? AND boot_id = ? AND rule = ? AND subject = ?
		AND coalesce(pid, 0) = ? AND coalesce(start_ticks, 0) = ? AND coalesce(job_id, '') = ? AND (? = 'process' OR coalesce(command, '') = ?) AND coalesce(run_id, '') = ?
		AND coalesce(sheet_num, -1) = ? AND coalesce(gpu, -1) = ? AND started <= ? AND (ended IS NULL OR ended >= ?) ORDER BY started LIMIT 1`,
		hostID, m.BootID, a.Rule, string(s.Kind), s.PID, int64(s.StartTicks), s.JobID, string(s.Kind), s.Command, runText(s.Run), s.Sheet.Or(-1), s.GPU.Or(-1), last, schema.Timestamp(a.Started)).
		Scan(&id, &revision, &started, &ended)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return m, nil
	case err != nil:
		return nil, err
	case ended.Valid:
		return nil, nil // it is over, and told
	}
	more := *m
	told := *a
	more.Anomaly = &told
	told.Started = int64(started*1e6) * 1000
	if err := more.Instance.UnmarshalText([]byte(id)); err != nil {
		return nil, err
	}
	more.Seq = 0
	if a.Ended.Known {
		more.Seq = revision + 1
	}
	return &more, nil
}

func runText(r schema.RunID) string {
	if r.IsZero() {
		return ""
	}
	return r.String()
}
