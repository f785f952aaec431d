package bundle

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/proctape/proctape/schema"
)

// copied is a table that a bundle takes rows of, and which: a condition on the alias s. What stands in braces is in part.conditions. The tables stand in
// the order in which they are copied: conditions may name what is there already.
var copied = []struct{ table, rows string }{
	{"meta", `true`},
	{"checkpoints", `true`},
	{"hosts", `s.id IN ({ids})`},
	{"producers", `{host}`},
	{"rosters", `{host}`},
	{"boots", `{host}`},
	{"retention_passes", `true`},
	{"gaps", `(s.host_id IS NULL OR {host}) AND coalesce(s.from_time, s.to_time, s.timestamp) <= {to} AND coalesce(s.to_time, s.from_time, s.timestamp) >= {from}
		OR s.from_time IS NULL AND s.kind IN ('before_log', 'trimmed_unread', 'database_damaged')`},
	{"snapshots", `{time} AND {host}`},
	{"samples", `s.id IN (SELECT m.id FROM {sampled})`},
	{"processes", `s.id IN ({processes})`},
	{"process_events", `{time} AND {host} OR {job}`},
	{"process_execs", `{time} AND {host} OR {job}`},
	{"job_events", `{time} AND {host} OR {job}`},
	{"anomalies", `s.started < {to} AND coalesce(s.ended, s.last_seen) >= {from} AND {host} OR {job}`},
	{"jobs", `{job rows}`},
	{"job_sheets", `{of job}`},
	{"job_pids", `{of job}`},
	{"job_syscalls", `{of job}`},
	{"runs", `{of job}`},
	{"run_steps", `{of job}`},
	{"run_records", `{of job}`},
	{"rollups", `{minute}`},
	{"process_rollups", `s.rollup_id IN ({rollups})`},
	{"rollup_processes", `s.id IN ({rolled})`},
	{"host_minutes", `s.timestamp > {from} - 60 AND s.timestamp < {to} AND {host}`},
	{"host_hours", `s.timestamp >= {from} AND s.timestamp + 3600 <= {to} AND {host}`},
	{"step_minutes", `s.timestamp > {from} - 60 AND s.timestamp < {to} AND {host}`},
	{"program_minutes", `s.timestamp > {from} - 60 AND s.timestamp < {to} AND {host}`},
	{"lives", `s.start_ms < {to} * 1000 AND coalesce(s.end_ms, 9e18) >= {from} * 1000 AND {host}`},
}

// leftOut are the tables of which a bundle has no rows: what a projector and retention need to go on, and messages that nobody could read.
var leftOut = []string{"files", "retention_hosts", "retention_databases", "quarantine", "quarantine_counts", "lanes", "rule_memories", "found_anomalies"}

// part is what a bundle takes.
type part struct {
	from, to float64 // Unix seconds
	job      string  // empty for all jobs of the time
	hosts    []int64 // hosts.id
}

// here and elsewhere say how conditions name what is copied already: of a database that is attached as source by the copy, and of one that answers statements
// alone by what picked it there.
var (
	here = []string{"{sampled}", `main.snapshots n JOIN source.samples m ON ` + ofSnapshot, "{processes}", `SELECT process_id FROM main.samples`,
		"{jobs}", `SELECT job_id FROM main.jobs`, "{rollups}", `SELECT id FROM main.rollups`, "{rolled}", `SELECT process_id FROM main.process_rollups`}
	elsewhere = []string{"{sampled}", `(SELECT id FROM snapshots s WHERE {time} AND {host}) n JOIN samples m ON ` + ofSnapshot, "{processes}", `SELECT m.process_id FROM {sampled}`,
		"{jobs}", `SELECT job_id FROM jobs s WHERE {job rows}`, "{rollups}", `SELECT id FROM rollups s WHERE {minute}`,
		"{rolled}", `SELECT process_id FROM process_rollups WHERE rollup_id IN ({rollups})`}
)

const ofSnapshot = `m.id BETWEEN n.id << 22 AND (n.id << 22) | 4194303`

// conditions fills in the conditions that tables share, each behind the word in braces for it.
func (p *part) conditions(place []string) func(string) string {
	var ids []string
	for _, id := range p.hosts {
		ids = append(ids, strconv.FormatInt(id, 10))
	}
	from, to, host := fmt.Sprintf("%.9f", p.from), fmt.Sprintf("%.9f", p.to), `s.host_id IN ({ids})`
	job := `s.job_id = {name}` // none where no job is asked for
	jobs := job
	if p.job == "" {
		jobs = host + ` AND max(coalesce(s.last_seen, 0), coalesce(s.last_event, 0)) >= ` + from + ` AND min(coalesce(s.first_seen, 9e99), coalesce(s.first_event, 9e99)) < ` + to
	}
	words := strings.NewReplacer(append([]string{"{from}", from, "{to}", to, "{ids}", strings.Join(ids, ","), "{host}", host, "{time}", `s.timestamp >= {from} AND s.timestamp < {to}`,
		"{minute}", `s.timestamp > {from} - 60 AND s.timestamp < {to} AND {host}`, "{job}", job, "{job rows}", jobs, "{of job}", `s.job_id IN ({jobs})`}, place...)...)
	name := `'` + strings.ReplaceAll(p.job, `'`, `''`) + `'`
	return func(rows string) string {
		for before := ""; rows != before; { // what a word stands for may hold others
			before, rows = rows, words.Replace(rows)
		}
		return strings.ReplaceAll(rows, "{name}", name) // the last: a name may hold anything
	}
}

// copyRows copies the rows of all tables, from the database that is attached as source.
func (p *part) copyRows(ctx context.Context, conn *sql.Conn) error {
	filled := p.conditions(here)
	for _, t := range copied {
		if err := copyTable(ctx, conn, t.table, filled(t.rows)); err != nil {
			return fmt.Errorf("copy table %s: %w", t.table, err)
		}
	}
	return nil
}

// copyTable copies the columns that a table has in both databases: the source may be of an earlier version, and have no such table.
func copyTable(ctx context.Context, conn *sql.Conn, table, rows string) error {
	here, _, err := columnsOf(ctx, conn, "main", table)
	if err != nil {
		return err
	}
	there, _, err := columnsOf(ctx, conn, "source", table)
	if err != nil || len(there) == 0 {
		return err
	}
	both := slices.DeleteFunc(here, func(name string) bool { return !slices.Contains(there, name) })
	_, err = conn.ExecContext(ctx, `INSERT INTO main."`+table+`" (`+quoted(both)+`) SELECT `+quoted(both)+` FROM source."`+table+`" s WHERE `+rows)
	return err
}

// clip has the bundle say of the time of the record that is not in it that it is not, and has the spans of processes begin with a snapshot that there is.
func (p *part) clip(ctx context.Context, conn *sql.Conn) error {
	for _, statement := range []string{
		`UPDATE rosters SET last_snapshot = coalesce((SELECT max(id) FROM snapshots n WHERE n.host_id = rosters.host_id), last_snapshot)`,
		`CREATE TEMP TABLE firsts (process INTEGER PRIMARY KEY, snapshot INTEGER NOT NULL)`, // samples have no index by process
		`INSERT INTO temp.firsts SELECT process_id, min(id >> 22) FROM samples GROUP BY process_id`,
		`UPDATE processes SET first_rss_kib = NULL, first_snapshot = (SELECT snapshot FROM temp.firsts WHERE process = processes.id)
			WHERE first_snapshot NOT IN (SELECT id FROM snapshots)`,
	} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("cut to the time: %w", err)
		}
	}
	const began, last = `min(first_ns) / 1e9`, `max(last_ns) / 1e9`
	for n, outside := range []struct{ from, to, when string }{
		{began, fmt.Sprintf("%.9f", p.from), began + fmt.Sprintf(" < %.9f", p.from)},
		{fmt.Sprintf("%.9f", p.to), last, last + fmt.Sprintf(" > %.9f", p.to)},
	} {
		_, err := conn.ExecContext(ctx, `INSERT INTO gaps (stream, epoch, at_seq, n, timestamp, kind, host_id, from_time, to_time)
			SELECT '', 0, row_number() OVER (ORDER BY host_id), ?, `+outside.to+`, ?, host_id, `+outside.from+`, `+outside.to+`
			FROM producers WHERE first_ns > 0 GROUP BY host_id HAVING `+outside.when, n, schema.GapNotBundled)
		if err != nil {
			return fmt.Errorf("say what is left out: %w", err)
		}
	}
	return nil
}
