package integration_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// check is a query that finds what is wrong with a database, compared with the truth, and what that is. {now} is the
// Unix time now.
type check struct{ what, query string }

// Of the names that the checks use: what was recorded and is there, by host and minute, and what the clock of each host
// was at the tape's end.
const minutes = `WITH
	ends AS (SELECT host_id, max(timestamp) AS last FROM truth.snapshots GROUP BY host_id),
	told AS (SELECT h.name, s.host_id, CAST(s.timestamp AS INTEGER) / 60 * 60 AS minute, count(*) AS snapshots, sum(s.child_count) AS samples
		FROM truth.snapshots s JOIN truth.hosts h ON h.id = s.host_id GROUP BY 1, 2, 3),
	kept AS (SELECT h.name, CAST(s.timestamp AS INTEGER) / 60 * 60 AS minute, count(*) AS snapshots
		FROM snapshots s JOIN hosts h ON h.id = s.host_id GROUP BY 1, 2),
	means AS (SELECT h.name, CAST(r.timestamp AS INTEGER) AS minute, r.id, r.samples FROM rollups r JOIN hosts h ON h.id = r.host_id)
`

// always holds at any moment, in the middle of a pass too.
var always = []check{
	{"snapshots within the policy are gone", minutes + `SELECT count(*) FROM truth.snapshots s
		WHERE s.timestamp > {now} - 3600 AND (s.instance, s.seq) NOT IN (SELECT instance, seq FROM snapshots)`},
	{"events within the policy are gone", `SELECT count(*) FROM truth.process_events e
		WHERE e.timestamp > {now} - 86400 AND (e.instance, e.event_type, e.seq) NOT IN (SELECT instance, event_type, seq FROM process_events)`},
	{"execs within the policy are gone", `SELECT count(*) FROM truth.process_execs e
		WHERE e.timestamp > {now} - 86400 AND (e.instance, e.seq) NOT IN (SELECT instance, seq FROM process_execs)`},
	{"minutes of the last day are neither there nor in their means", minutes + `SELECT count(*) FROM told
		LEFT JOIN kept USING (name, minute) LEFT JOIN means USING (name, minute)
		WHERE minute > {now} - 86400 AND coalesce(kept.snapshots, 0) != told.snapshots AND coalesce(means.samples, 0) != told.snapshots`},
	{"minutes have means of other snapshots than there were", minutes + `SELECT count(*) FROM means LEFT JOIN told USING (name, minute)
		WHERE name != 'here' AND means.samples IS NOT told.snapshots`},
	{"minutes have means twice", minutes + `SELECT count(*) FROM (SELECT 1 FROM means GROUP BY name, minute HAVING count(*) > 1)`},
}

// settled holds after a pass. By what the tape's end says all of this is too old; the clock has only gone on since.
var settled = []check{
	{"snapshots that are too old are there", minutes + `SELECT count(*) FROM told JOIN kept USING (name, minute) JOIN ends USING (host_id)
		WHERE minute + 60 < ends.last - 3600`},
	{"minutes are there, and their means too", minutes + `SELECT count(*) FROM kept JOIN means USING (name, minute)`},
	{"minutes of the last day have no means", minutes + `SELECT count(*) FROM told JOIN ends USING (host_id) LEFT JOIN means USING (name, minute)
		WHERE minute + 60 < ends.last - 3600 AND minute > {now} - 86400 AND means.id IS NULL`},
	{"means that are too old are there", minutes + `SELECT count(*) FROM told JOIN means USING (name, minute) JOIN ends USING (host_id)
		WHERE minute + 60 < ends.last - 86400`},
	{"events that are too old are there", minutes + `SELECT count(*) FROM truth.process_events e JOIN ends USING (host_id)
		WHERE e.timestamp < ends.last - 86400 AND (e.instance, e.event_type, e.seq) IN (SELECT instance, event_type, seq FROM process_events)`},
	{"execs that are too old are there", minutes + `SELECT count(*) FROM truth.process_execs e JOIN ends USING (host_id)
		WHERE e.timestamp < ends.last - 86400 AND (e.instance, e.seq) IN (SELECT instance, seq FROM process_execs)`},
	{"minutes have means of other processes than there were", minutes + `SELECT count(*) FROM means JOIN told USING (name, minute)
		WHERE told.samples != (SELECT sum(m.samples) FROM process_rollups m WHERE m.rollup_id = means.id)`},
	{"samples have no snapshot", `SELECT count(*) FROM samples WHERE id >> 22 NOT IN (SELECT id FROM snapshots)`},
	{"means of processes have no minute", `SELECT count(*) FROM process_rollups WHERE rollup_id NOT IN (SELECT id FROM rollups)`},
}

// defects is what is wrong with a database after a pass.
func (tp tape) defects(t *testing.T, dir string) []string {
	t.Helper()
	return append(tp.failing(t, dir, always), tp.failing(t, dir, settled)...)
}

func (tp tape) failing(t *testing.T, dir string, checks []check) (defects []string) {
	t.Helper()
	db := readOnly(t, filepath.Join(dir, "monitor.db"))
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`ATTACH ? AS truth`, tp.truth); err != nil {
		t.Fatal(err)
	}
	now := fmt.Sprintf("%.6f", float64(time.Now().UnixMicro())/1e6)
	for _, c := range checks {
		var n sql.NullInt64
		if err := db.QueryRow(strings.ReplaceAll(c.query, "{now}", now)).Scan(&n); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if n.Int64 != 0 {
			defects = append(defects, fmt.Sprintf("%d %s", n.Int64, c.what))
		}
	}
	return defects
}
