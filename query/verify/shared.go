package verify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// NotCompared counts what only one of two databases can hold, the live one or the one replayed from its log.
type NotCompared struct {
	Snapshots int64 `json:"snapshots"` // of the live database, which the log no longer has
	Events    int64 `json:"events"`    // events and execs of the live database, which the log no longer has
	Expired   int64 `json:"expired"`   // snapshots, events and rollups that the log still has and retention has deleted
}

// attachedConn is a connection to a database to which another one is attached as other.
type attachedConn struct {
	*sql.Conn
	ctx context.Context
}

// attached attaches a database to another one. The caller closes what it returns.
func attached(ctx context.Context, db, other *query.DB) (*attachedConn, error) {
	conn, err := db.Handle().Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, `ATTACH ? AS other`, schema.ReaderDSN(other.Path())); err != nil {
		return nil, errors.Join(fmt.Errorf("attach %s: %w", other.Path(), err), conn.Close())
	}
	return &attachedConn{conn, context.WithoutCancel(ctx)}, nil
}

func (c *attachedConn) close() {
	_, _ = c.ExecContext(c.ctx, `DETACH other`) // of a connection that is only read
	_ = c.Conn.Close()
}

// shared are the rows that a database and one replayed from its log must have in common.
type shared struct {
	checkpoints []query.Checkpoint
	streams     map[string]*query.LogStream
	lost        bool // the log lost messages: what spans rows, such as a job's figures, cannot be compared
}

// read hashes the rows in common, when the log no longer has all that the live database has folded, or when retention has
// deleted what it has not yet trimmed from the log. It leaves out what spans more than both have, such as an old job's
// figures. It is an error when one of the two cannot be read.
func (s *shared) read(ctx context.Context, liveDB, replayed *query.DB) (ofLive, ofReplayed Content, left NotCompared, err error) {
	conn, err := attached(ctx, liveDB, replayed)
	if err != nil {
		return nil, nil, left, err
	}
	defer conn.close()
	if left, err = countNotCompared(ctx, conn.Conn); err != nil {
		return nil, nil, left, fmt.Errorf("count what only one of them has: %w", err)
	}
	expired, err := readExpired(ctx, conn.Conn)
	if err != nil {
		return nil, nil, left, fmt.Errorf("read what retention deleted: %w", err)
	}
	ofLive, ofReplayed = Content{}, Content{}
	for _, side := range []struct {
		content  Content
		this, it string
	}{{ofLive, "main", "other"}, {ofReplayed, "other", "main"}} {
		for _, c := range hashedTables {
			where, ok := sharedRows[c.table]
			if !ok || s.lost && spansRows[c.table] {
				continue
			}
			inLog := "1"
			if side.this == "main" {
				inLog = s.inLog(c.table)
			}
			where = strings.NewReplacer("{counterpart}", side.it, "{live}", "main", "{replayed}", "other", "{inlog}", inLog,
				"{expired}", strconv.Itoa(expired[c.table])).Replace(where)
			query := inDatabase(c.query, side.this) + ` WHERE ` + where
			if err := hashTable(ctx, conn, c.table, query, side.content); err != nil {
				return nil, nil, left, fmt.Errorf("read %s: %w", c.table, err)
			}
		}
	}
	return ofLive, ofReplayed, left, nil
}

// inLog is the condition that the log still has the message of a live row.
func (s *shared) inLog(table string) string {
	row, ok := messageOf[table]
	if !ok {
		return "1"
	}
	for i := range s.checkpoints {
		c := &s.checkpoints[i]
		stream := s.streams[c.Stream]
		if c.Stream != row.stream {
			continue
		}
		if stream == nil || stream.Created != c.Created {
			return "0"
		}
		deleted, _ := json.Marshal(append([]uint64{}, stream.Deleted...)) // numbers always encode
		return fmt.Sprintf(`(%[1]s - %[2]d BETWEEN max(1, %[3]d) AND %[4]d AND %[1]s - %[2]d NOT IN (SELECT value FROM json_each('%[5]s')))`,
			row.id, c.IDBase, stream.First, stream.Last, deleted)
	}
	return "0"
}

// messageOf says, by table, which message a row is of: its stream, and what the row's id has of its sequence.
var messageOf = map[string]struct{ stream, id string }{
	"snapshots": {schema.StreamSnapshots, "s.id"}, "samples": {schema.StreamSnapshots, "s.id"},
	"process_events": {schema.StreamEvents, "(e.id >> 10)"}, "process_execs": {schema.StreamEvents, "(e.id >> 10)"},
	"job_events": {schema.StreamEvents, "(e.id >> 10)"},
	"rollups":    {schema.StreamRollups, "r.id"}, "process_rollups": {schema.StreamRollups, "r.id"},
	"run_records": {schema.StreamHistory, "t.id"}, "anomalies": {schema.StreamEvents, "t.id"},
}

// spansRows are the tables of which a row is made of many messages.
var spansRows = map[string]bool{"jobs": true, "job_sheets": true, "job_syscalls": true, "job_pids": true, "runs": true, "run_steps": true}

// readExpired says of which tables retention has deleted rows: 1, or 0 for none.
func readExpired(ctx context.Context, conn *sql.Conn) (map[string]int, error) {
	expired := map[string]int{}
	for _, t := range []struct{ table, removed, of string }{
		{"process_events", "events", "process_events"}, {"process_execs", "execs", "process_execs"}, {"job_events", "job_events", "job_events"},
		{"rollups", "rollups", "rollups"}, {"process_rollups", "rollups", "rollups"}, {"run_records", "run_records", "run_records"},
		{"anomalies", "anomalies", "anomalies"},
	} {
		var yes int
		err := conn.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM main.meta WHERE key = ?)
			OR EXISTS (SELECT 1 FROM main.retention_passes WHERE removed ->> ? > 0)`, schema.ExpiredKey+t.of, "$."+t.removed).Scan(&yes)
		if err != nil {
			return nil, err
		}
		expired[t.table] = yes
	}
	return expired, nil
}

// inDatabase is a query over the tables of one of two attached databases.
func inDatabase(query, schema string) string {
	return tableName.ReplaceAllString(query, "${1}"+schema+".${2}")
}

var tableName = regexp.MustCompile(`(\b(?:FROM|JOIN)\s+)([a-z])`)

// countNotCompared counts the rows that only one of two attached databases has.
func countNotCompared(ctx context.Context, conn *sql.Conn) (left NotCompared, err error) {
	const missing = `SELECT count(*) FROM %[1]s.snapshots WHERE (instance, seq) NOT IN (SELECT instance, seq FROM %[2]s.snapshots)`
	const events = `SELECT count(*) FROM %[1]s.process_events WHERE (instance, event_type, seq) NOT IN (SELECT instance, event_type, seq FROM %[2]s.process_events)`
	const execs = `SELECT count(*) FROM %[1]s.process_execs WHERE (instance, seq) NOT IN (SELECT instance, seq FROM %[2]s.process_execs)`
	const rollups = `SELECT count(*) FROM %[1]s.rollups r JOIN %[1]s.hosts h ON h.id = r.host_id
		WHERE (h.name, r.timestamp) NOT IN (SELECT h.name, r.timestamp FROM %[2]s.rollups r JOIN %[2]s.hosts h ON h.id = r.host_id)`
	for _, c := range []struct {
		query, this, it string
		n               *int64
	}{{missing, "main", "other", &left.Snapshots}, {events, "main", "other", &left.Events}, {missing, "other", "main", &left.Expired},
		{execs, "main", "other", &left.Events}, {events, "other", "main", &left.Expired}, {execs, "other", "main", &left.Expired}, {rollups, "other", "main", &left.Expired}} {
		var n int64
		if err := conn.QueryRowContext(ctx, fmt.Sprintf(c.query, c.this, c.it)).Scan(&n); err != nil {
			return left, err
		}
		*c.n += n
	}
	return left, nil
}
