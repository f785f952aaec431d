package schema

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/proctape/proctape/schema/metric"
)

// migrateMetrics gives the tables the columns of metrics that they lack, and the contract's view all that is shown.
// Metrics are only ever added, so no numbered step of migration is needed for one.
func migrateMetrics(ctx context.Context, db *sql.Conn) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, table := range measuredTables {
		if err := addColumns(ctx, tx, table.name, table.columns); err != nil {
			return fmt.Errorf("table %s: %w", table.name, err)
		}
	}
	if err := remakeView(ctx, tx); err != nil {
		return fmt.Errorf("view process_metrics: %w", err)
	}
	return tx.Commit()
}

// measuredTables are the tables that have columns of metrics.
var measuredTables = []struct {
	name    string
	columns []string
}{{"samples", metric.Names(metric.Samples)}, {"process_rollups", metric.RollupNames()}}

// withMetrics puts the columns of metrics into the tables that a migration makes. A database of an older build gets them one by one, which
// reads all tables anew for each: half of the work of a new database.
func withMetrics(ddl string) string {
	for _, table := range measuredTables {
		mark := "/* and further metrics of " + table.name + " */"
		before, after, found := strings.Cut(ddl, mark)
		if !found {
			continue
		}
		_, made, _ := strings.Cut(before, "CREATE TABLE "+table.name+" (")
		words := strings.FieldsFunc(made, func(r rune) bool { return r == ' ' || r == '\n' || r == ',' })
		for _, column := range table.columns {
			if !slices.Contains(words, column) {
				before += ",\n  " + column + " INTEGER"
			}
		}
		ddl = before + after
	}
	return ddl
}

// addColumns adds those of the columns that a table lacks. Rows that are there have NULL in them: unknown.
func addColumns(ctx context.Context, tx *sql.Tx, table string, columns []string) error {
	var there string
	err := tx.QueryRowContext(ctx, `SELECT group_concat(name) FROM pragma_table_info(?)`, table).Scan(&there)
	if err != nil {
		return err
	}
	names := strings.Split(there, ",")
	for _, column := range columns {
		if slices.Contains(names, column) {
			continue
		}
		if _, err := tx.ExecContext(ctx, `ALTER TABLE `+table+` ADD COLUMN `+column+` INTEGER`); err != nil {
			return err
		}
	}
	return nil
}

// remakeView makes the view anew when it is another than this build's.
func remakeView(ctx context.Context, tx *sql.Tx) error {
	var there string
	err := tx.QueryRowContext(ctx, `SELECT coalesce(max(sql), '') FROM sqlite_master WHERE name = 'process_metrics'`).Scan(&there)
	if err != nil || there == processMetrics {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DROP VIEW IF EXISTS process_metrics`); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, processMetrics)
	return err
}

// MetricsView is the statement that makes the contract's view of this build. It names each metric.
func MetricsView() string { return processMetrics }

// processMetrics makes the contract's view.
//
// SQLite may begin with any of the three tables and looks the others up: with processes for a pid or a job (the span of
// snapshots in a process's row gives the ids of its samples), with snapshots for a snapshot, a time or the order of
// snapshots, and with samples for an id or the order of ids. So the conditions lead in each direction.
//
// The likelihoods change no result. They are for SQLite's planner, which cannot know how many samples a range of ids holds:
// with them it begins with snapshots or with samples as the order asks, and does not sort all samples.
var processMetrics = `CREATE VIEW process_metrics AS
SELECT m.id AS id, sn.id AS snapshot_id, p.pid AS pid, p.ppid AS ppid, p.command AS command,
` + shownColumns() + `  (sn.boot_ns - p.start_ticks * 10000000) / 1e9 AS age_seconds,
  p.job_id AS job_id, p.sheet_num AS sheet_num,
  coalesce(m.syscall_counts, '{}') AS syscall_counts,
  coalesce(m.syscall_time_pct, '{}') AS syscall_time_pct,
  p.host_id AS host_id, p.id AS process_id, p.start_ticks AS start_ticks, p.uid AS uid, p.fleet AS fleet
FROM processes p
JOIN snapshots sn ON sn.host_id = p.host_id AND sn.id BETWEEN p.first_snapshot AND p.last_snapshot
JOIN samples m ON m.process_id = p.id AND m.id = (sn.id << 22) | p.pid AND sn.id = (m.id - p.pid) >> 22
  AND likelihood(m.id >= sn.id << 22, 0.001) AND likelihood(m.id <= (sn.id << 22) | 4194303, 0.001)
  AND likelihood(+m.id > +sn.id, 0.25)`

// shownColumns are the view's columns of what was measured, a line each.
func shownColumns() string {
	var b strings.Builder
	for _, id := range metric.Shown {
		m := &metric.Table[id]
		value := "m." + m.Name
		switch {
		case m.Kind == metric.Letter:
			value = fmt.Sprintf("coalesce(m.%s, '%c')", m.Name, rune(m.Default))
		case m.Unit.Per > 1:
			value += fmt.Sprintf(" / %d.0", m.Unit.Per)
		}
		fmt.Fprintf(&b, "  %s AS %s, -- %s\n", value, m.Key, m.Doc)
	}
	return b.String()
}

// NumberFromSQL returns a metric's value that a row has, as database/sql scans it into an any. NULL is unknown, or a
// letter's default.
func NumberFromSQL(id metric.ID, v any) Opt[int64] {
	m := &metric.Table[id]
	switch v := v.(type) {
	case int64:
		return Some(v)
	case string:
		if m.Kind == metric.Letter {
			return optNumber(letterNumber(v))
		}
	case nil:
		if m.Kind == metric.Letter {
			return Some(m.Default)
		}
	}
	return Opt[int64]{}
}
