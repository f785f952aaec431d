package verify

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
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

// Shared hashes the rows that a live database and one replayed from its log must have in common, when the log no longer
// begins where the live one does, or when retention has deleted what it has not yet trimmed from the log. It leaves out
// what spans more than both have, such as an old job's figures. It is an error when one of the two cannot be read.
func Shared(ctx context.Context, liveDB, replayed *query.DB) (ofLive, ofReplayed Content, left NotCompared, err error) {
	conn, err := liveDB.Handle().Conn(ctx)
	if err != nil {
		return nil, nil, left, err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `ATTACH ? AS other`, schema.ReaderDSN(replayed.Path())); err != nil {
		return nil, nil, left, fmt.Errorf("attach %s: %w", replayed.Path(), err)
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), `DETACH other`)
	if left, err = countNotCompared(ctx, conn); err != nil {
		return nil, nil, left, fmt.Errorf("count what only one of them has: %w", err)
	}
	ofLive, ofReplayed = Content{}, Content{}
	for _, side := range []struct {
		content  Content
		this, it string
	}{{ofLive, "main", "other"}, {ofReplayed, "other", "main"}} {
		for _, c := range hashedTables {
			where, ok := sharedRows[c.table]
			if !ok {
				continue
			}
			where = strings.NewReplacer("{counterpart}", side.it, "{live}", "main", "{replayed}", "other").Replace(where)
			query := inDatabase(c.query, side.this) + ` WHERE ` + where
			if err := hashTable(ctx, conn, c.table, query, side.content); err != nil {
				return nil, nil, left, fmt.Errorf("read %s: %w", c.table, err)
			}
		}
	}
	return ofLive, ofReplayed, left, nil
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
