package query

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/proctape/proctape/schema"
)

// Content is what a database holds, as hashes: by table, host and day. It names rows by their producers' identities
// and not by row ids, so that two databases with the same story have the same content, also when one of them folded
// a log that had lost its end and grown again.
type Content map[Bucket]Hash

// Bucket is a part of a database's content.
type Bucket struct {
	Table string `json:"table"`
	Host  string `json:"host"` // empty for what is no one host's
	Day   string `json:"day"`  // UTC; empty for what has no day
}

// Hash is the hash of a set of rows: the sum of the rows' hashes, so that their order does not matter.
type Hash struct {
	Rows int64
	Sum  [4]uint64
}

// String is the sum in hexadecimal digits.
func (h Hash) String() string {
	var b [32]byte
	for i, v := range h.Sum {
		binary.BigEndian.PutUint64(b[8*i:], v)
	}
	return hex.EncodeToString(b[:8])
}

func (h *Hash) add(row [sha256.Size]byte) {
	h.Rows++
	for i := range h.Sum {
		h.Sum[i] += binary.BigEndian.Uint64(row[8*i:])
	}
}

// identified is one table with the query that names its rows for good. The first column is the host, the second a
// Unix time or NULL, the rest is hashed.
type identified struct{ table, query string }

var contents = []identified{
	{"snapshots", `SELECT h.name, s.timestamp, s.instance, s.seq, s.wall_ns, s.boot_ns, s.boot_id, s.tick, s.interval_ns, s.daemon_pid,
		s.system_memory_total_mb, s.system_memory_available_mb, s.system_memory_used_mb, s.daemon_rss_mb, s.child_count,
		s.zombie_count, s.load_avg_1, s.load_avg_5, s.load_avg_15, s.gpu_count, s.gpu_utilization_pct, s.gpu_memory_used_mb,
		s.gpu_temperature, s.pressure_level, s.running_jobs, s.active_sheets, s.cpus, s.partial, s.hidden_count,
		s.conductor_uptime_seconds, s.zombie_pids, s.gpus, s.job_progress, s.pressure, s.capabilities
		FROM snapshots s JOIN hosts h ON h.id = s.host_id`},
	{"samples", `SELECT h.name, s.timestamp, s.instance, s.seq, p.boot_id, p.pid, p.start_ticks, p.ppid, p.command, p.job_id,
		p.sheet_num, p.uid, p.cgroup, m.state, m.cpu_permille, m.rss_kib, m.vms_kib, m.threads, m.open_fds, m.cpu_ms,
		m.syscall_counts, m.syscall_time_pct, m.gpu_memory_kib
		FROM samples m JOIN snapshots s ON s.id = m.snapshot_id JOIN processes p ON p.id = m.process_id
		JOIN hosts h ON h.id = s.host_id`},
	{"processes", `SELECT h.name, f.timestamp, p.boot_id, p.pid, p.start_ticks, p.ppid, p.command, p.job_id, p.sheet_num, p.uid,
		p.cgroup, f.instance, f.seq, l.instance, l.seq, p.cpu_ms, p.max_cpu_permille, p.peak_rss_kib, p.read_kib, p.write_kib
		FROM processes p JOIN hosts h ON h.id = p.host_id LEFT JOIN snapshots f ON f.id = p.first_snapshot
		LEFT JOIN snapshots l ON l.id = p.last_snapshot`},
	{"process_events", `SELECT h.name, e.timestamp, e.instance, e.event_type, e.seq, e.pid, e.exit_code, e.signal_num, e.job_id,
		e.sheet_num, e.details, e.boot_id, e.boot_ns, e.start_ticks, e.ppid, e.uid, e.command, e.core, e.cpu_ms, e.peak_rss_kib,
		e.read_kib, e.write_kib, e.lifetime_ms, e.sampled_cpu_ms, e.source FROM process_events e JOIN hosts h ON h.id = e.host_id`},
	{"jobs", `SELECT '', NULL, job_id, first_seen, last_seen, samples, peak_rss_kib, max_cpu_permille, cpu_ms, unique_pids, spawns,
		exits, signals, ooms, exit_cpu_ms, exit_peak_rss_kib, first_event, last_event, status, total_sheets, last_completed_sheet, current_sheet, started, ended,
		exit_code, command FROM jobs`},
	{"job_sheets", `SELECT '', NULL, job_id, sheet_num, peak_rss_kib, max_cpu_permille, cpu_ms, exit_cpu_ms, exit_peak_rss_kib, started, ended, exit_code, status
		FROM job_sheets`},
	{"job_events", `SELECT h.name, e.timestamp, e.job_id, e.type, e.sheet_num, e.total_sheets, e.last_completed_sheet, e.status, e.pid,
		e.exit_code, e.command, e.details, e.boot_id, e.boot_ns FROM job_events e JOIN hosts h ON h.id = e.host_id`},
	{"rollups", `SELECT h.name, r.timestamp, r.samples, r.covers, r.boot_id, r.boot_ns, r.interval_ns, r.daemon_pid, r.daemon_rss_kib,
		r.cpus, r.memory_total_kib, r.memory_used_mean, r.memory_used_max, r.memory_used_p95, r.load1_mean, r.load1_max, r.load1_p95,
		r.load5, r.load15, r.cpu_mean, r.cpu_max, r.cpu_p95, r.process_count, r.zombie_count, r.pressure_level, r.running_jobs,
		r.active_sheets, r.partial, r.gpus FROM rollups r JOIN hosts h ON h.id = r.host_id`},
	{"process_rollups", `SELECT h.name, r.timestamp, p.boot_id, p.pid, p.start_ticks, p.ppid, p.command, p.job_id, p.sheet_num, p.uid,
		m.samples, m.cpu_mean, m.cpu_max, m.cpu_p95, m.rss_mean, m.rss_max, m.rss_p95, m.last_boot_ns, m.state, m.vms_kib, m.threads,
		m.open_fds, m.cpu_ms FROM process_rollups m JOIN rollups r ON r.id = m.rollup_id
		JOIN rollup_processes p ON p.id = m.process_id JOIN hosts h ON h.id = r.host_id`},
	{"job_pids", `SELECT '', NULL, job_id, pid FROM job_pids`},
	{"job_syscalls", `SELECT '', NULL, job_id, name, time_pct_x100, rank FROM job_syscalls`},
	// Not the gaps of a stream: whether a log lost its end is not part of what it tells.
	// When the numbers that are missing were missed depends on the log's own clock.
	{"gaps", `SELECT h.name, NULL, g.instance, g.kind, g.reason, g.first_seq, g.last_seq, g.count,
		CASE WHEN g.first_seq IS NULL THEN g.from_time END, CASE WHEN g.first_seq IS NULL THEN g.to_time END,
		CASE WHEN g.first_seq IS NULL THEN g.details END FROM gaps g JOIN hosts h ON h.id = g.host_id`},
	{"producers", `SELECT h.name, NULL, p.instance, p.kind, p.boot_id, p.next_seq, p.stored, p.quarantined, p.missing, p.dropped
		FROM producers p JOIN hosts h ON h.id = p.host_id`},
	{"quarantine", `SELECT coalesce(host, ''), NULL, subject, reason, size, sha256, message_id FROM quarantine`},
}

// Content hashes all that the database holds. It is read in one transaction for each table; a database that is
// being written while it is read has no one content.
func (d *DB) Content(ctx context.Context) (Content, error) {
	content := Content{}
	for _, c := range contents {
		if err := hashTable(ctx, d.db, c.table, c.query, content); err != nil {
			return nil, fmt.Errorf("read %s: %w", c.table, err)
		}
	}
	return content, nil
}

// Older is what a database and another one that was folded from a log have that the other cannot: what was trimmed from
// the log, and what retention has taken from the database and not yet from the log.
type Older struct {
	Snapshots int64 `json:"snapshots"` // that the log no longer has
	Events    int64 `json:"events"`
	Expired   int64 `json:"expired"` // snapshots, events and rollups that the log still has
}

// shared is, by table, which rows two databases have to have in common: {it} is the other than the one that is looked at,
// {live} the live one and {anew} the one that was folded anew. A row of the live one that the log is too short for
// is left out, and so is one of the log that retention has taken from the live one.
var shared = map[string]string{
	"snapshots": snapshotShared, "samples": snapshotShared,
	"process_events": `((e.instance, e.event_type, e.seq) IN (SELECT instance, event_type, seq FROM {it}.process_events)
		OR e.timestamp >= max(` + first("process_events", "{live}") + `, ` + first("process_events", "{anew}") + `))`,
	"job_events": `e.timestamp >= max(` + first("job_events", "{live}") + `, ` + first("job_events", "{anew}") + `)`,
	"rollups":    rollupShared, "process_rollups": rollupShared,
	// Jobs of which all is in both: that began after both do, and of which no process was there before.
	"jobs": jobShared, "job_sheets": jobShared, "job_syscalls": jobShared, "job_pids": jobShared,
}

const (
	snapshotShared = `((s.instance, s.seq) IN (SELECT instance, seq FROM {it}.snapshots)
		OR NOT EXISTS (SELECT 1 FROM {live}.rollups r WHERE r.host_id = s.host_id AND r.timestamp = CAST(s.timestamp AS INTEGER) / 60 * 60)
		AND s.timestamp >= (SELECT min(timestamp) FROM {anew}.snapshots))`
	rollupShared = `r.timestamp >= max((SELECT coalesce(min(timestamp), 9e99) FROM {live}.rollups), (SELECT coalesce(min(timestamp), 9e99) FROM {anew}.rollups))`
	jobShared    = `job_id IN (SELECT j.job_id FROM {live}.jobs j WHERE
		coalesce(j.first_seen, 9e99) > (SELECT coalesce(min(timestamp), 9e99) FROM {anew}.snapshots)
		AND coalesce(j.first_event, 9e99) > (SELECT min(t) FROM (SELECT min(timestamp) AS t FROM {anew}.process_events
			UNION ALL SELECT min(timestamp) FROM {anew}.job_events))
		AND NOT EXISTS (SELECT 1 FROM {live}.processes p JOIN {live}.processes q ON q.pid = p.pid AND q.start_ticks = p.start_ticks
			AND q.host_id = p.host_id AND q.boot_id = p.boot_id
			WHERE p.job_id = j.job_id AND q.first_snapshot < (SELECT min(s.id) FROM {live}.snapshots s
				WHERE (s.instance, s.seq) IN (SELECT instance, seq FROM {anew}.snapshots))))`
)

func first(table, schema string) string {
	return `(SELECT coalesce(min(timestamp), 9e99) FROM ` + schema + `.` + table + `)`
}

// Shared hashes what the database has in common with another one, of which one was folded anew from a log that no
// longer begins where the other did, or that retention has not trimmed yet. Of what spans more than both have, as an
// old job's figures do, nothing is compared.
func (d *DB) Shared(ctx context.Context, replayed *DB) (mine, theirs Content, older Older, err error) {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return nil, nil, older, err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `ATTACH ? AS other`, schema.ReaderDSN(replayed.path)); err != nil {
		return nil, nil, older, fmt.Errorf("attach %s: %w", replayed.path, err)
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), `DETACH other`)
	if older, err = countOlder(ctx, conn); err != nil {
		return nil, nil, older, fmt.Errorf("count what is older: %w", err)
	}
	mine, theirs = Content{}, Content{}
	for _, side := range []struct {
		content  Content
		this, it string
	}{{mine, "main", "other"}, {theirs, "other", "main"}} {
		for _, c := range contents {
			where, ok := shared[c.table]
			if !ok {
				continue
			}
			where = strings.NewReplacer("{it}", side.it, "{live}", "main", "{anew}", "other").Replace(where)
			query := within(c.query, side.this) + ` WHERE ` + where
			if err := hashTable(ctx, conn, c.table, query, side.content); err != nil {
				return nil, nil, older, fmt.Errorf("read %s: %w", c.table, err)
			}
		}
	}
	return mine, theirs, older, nil
}

// within is a query over the tables of one of two databases.
func within(query, schema string) string {
	return tableName.ReplaceAllString(query, "${1}"+schema+".${2}")
}

var tableName = regexp.MustCompile(`(\b(?:FROM|JOIN)\s+)([a-z])`)

func countOlder(ctx context.Context, conn *sql.Conn) (older Older, err error) {
	const missing = `SELECT count(*) FROM %[1]s.snapshots WHERE (instance, seq) NOT IN (SELECT instance, seq FROM %[2]s.snapshots)`
	const events = `SELECT count(*) FROM %[1]s.process_events WHERE (instance, event_type, seq) NOT IN (SELECT instance, event_type, seq FROM %[2]s.process_events)`
	const rollups = `SELECT count(*) FROM %[1]s.rollups r JOIN %[1]s.hosts h ON h.id = r.host_id
		WHERE (h.name, r.timestamp) NOT IN (SELECT h.name, r.timestamp FROM %[2]s.rollups r JOIN %[2]s.hosts h ON h.id = r.host_id)`
	for _, c := range []struct {
		query, this, it string
		n               *int64
	}{{missing, "main", "other", &older.Snapshots}, {events, "main", "other", &older.Events}, {missing, "other", "main", &older.Expired},
		{events, "other", "main", &older.Expired}, {rollups, "other", "main", &older.Expired}} {
		var n int64
		if err := conn.QueryRowContext(ctx, fmt.Sprintf(c.query, c.this, c.it)).Scan(&n); err != nil {
			return older, err
		}
		*c.n += n
	}
	return older, nil
}

// Only is the part of a content that is of some tables.
func (c Content) Only(tables ...string) Content {
	only := Content{}
	for b, h := range c {
		if slices.Contains(tables, b.Table) {
			only[b] = h
		}
	}
	return only
}

func hashTable(ctx context.Context, db queryer, table, query string, content Content) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	values, columns := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		columns[i] = &values[i]
	}
	var buf []byte
	for rows.Next() {
		if err := rows.Scan(columns...); err != nil {
			return err
		}
		buf = buf[:0]
		for _, v := range values[2:] {
			buf = appendValue(buf, v)
		}
		host, _ := values[0].(string)
		b := Bucket{table, host, day(values[1])}
		h := content[b]
		h.add(sha256.Sum256(buf))
		content[b] = h
	}
	return rows.Err()
}

func day(v any) string {
	t, ok := v.(float64)
	if !ok {
		return ""
	}
	return time.Unix(int64(t), 0).UTC().Format(time.DateOnly)
}

// appendValue appends a value so that no two rows of different values look the same.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, 'n')
	case int64:
		return binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v))
	case float64:
		return binary.BigEndian.AppendUint64(append(b, 'f'), math.Float64bits(v))
	case string:
		return append(binary.BigEndian.AppendUint64(append(b, 's'), uint64(len(v))), v...)
	case []byte:
		return append(binary.BigEndian.AppendUint64(append(b, 'b'), uint64(len(v))), v...)
	}
	return fmt.Appendf(append(b, '?'), "%T:%v", v, v)
}

// Tables is the content by table alone.
func (c Content) Tables() map[string]Hash {
	tables := map[string]Hash{}
	for _, t := range contents {
		tables[t.table] = Hash{}
	}
	for b, h := range c {
		t := tables[b.Table]
		t.Rows += h.Rows
		for i := range t.Sum {
			t.Sum[i] += h.Sum[i]
		}
		tables[b.Table] = t
	}
	return tables
}

// Difference is a part of the content that two databases do not share.
type Difference struct {
	Bucket
	Rows    int64 `json:"rows"`
	Against int64 `json:"against_rows"`
}

// Diff lists where two contents differ, by table, host and day. Equal contents differ nowhere.
func (c Content) Diff(against Content) []Difference {
	all := maps.Clone(c)
	maps.Copy(all, against)
	var diffs []Difference
	for b := range all {
		if c[b] != against[b] {
			diffs = append(diffs, Difference{b, c[b].Rows, against[b].Rows})
		}
	}
	slices.SortFunc(diffs, func(x, y Difference) int {
		return cmp.Or(cmp.Compare(x.Table, y.Table), cmp.Compare(x.Host, y.Host), cmp.Compare(x.Day, y.Day))
	})
	return diffs
}

// Snapshot writes a copy of the database as it is now to a new file at path, for whatever wants it to stand still.
func (d *DB) Snapshot(ctx context.Context, path string) error {
	// SQLite refuses to copy through a handle that may not write, though the copy only reads.
	db, err := sql.Open("sqlite", schema.CopierDSN(d.path))
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, path); err != nil {
		return fmt.Errorf("copy database %s: %w", d.path, err)
	}
	return nil
}

// Check has SQLite look over the whole file. It returns what is wrong, in SQLite's words; nothing when all is well.
func (d *DB) Check(ctx context.Context) ([]string, error) {
	var found []string
	err := d.each(ctx, `PRAGMA integrity_check(20)`, nil, func(r *sql.Rows) error {
		var s string
		if err := r.Scan(&s); err != nil {
			return err
		}
		if s != "ok" {
			found = append(found, s)
		}
		return nil
	})
	return found, err
}
