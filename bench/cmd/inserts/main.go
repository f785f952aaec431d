// Command inserts is a yardstick for the projection. It inserts the rows of a recording, each by a prepared statement, into
// tables laid out as readers see them, and prints the cost as JSON.
//
//	inserts -from monitor.db -to new.db [-rows N]
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// The tables that readers rely on, with an index for each way in which readers look rows up.
const tables = `
CREATE TABLE snapshots (id INTEGER PRIMARY KEY, timestamp REAL NOT NULL, daemon_pid INTEGER, system_memory_total_mb REAL,
	system_memory_available_mb REAL, system_memory_used_mb REAL, daemon_rss_mb REAL, child_count INTEGER, zombie_count INTEGER,
	load_avg_1 REAL, load_avg_5 REAL, load_avg_15 REAL, gpu_count INTEGER, gpu_utilization_pct TEXT, gpu_memory_used_mb TEXT,
	gpu_temperature TEXT, pressure_level TEXT, running_jobs INTEGER, active_sheets INTEGER);
CREATE INDEX snapshots_by_time ON snapshots(timestamp);
CREATE TABLE process_metrics (id INTEGER PRIMARY KEY, snapshot_id INTEGER NOT NULL, pid INTEGER NOT NULL, ppid INTEGER, command TEXT,
	state TEXT, cpu_percent REAL, rss_mb REAL, vms_mb REAL, threads INTEGER, open_fds INTEGER, age_seconds REAL, job_id TEXT,
	sheet_num INTEGER, syscall_counts TEXT, syscall_time_pct TEXT);
CREATE INDEX metrics_by_snapshot ON process_metrics(snapshot_id);
CREATE INDEX metrics_by_job ON process_metrics(job_id);
CREATE INDEX metrics_by_pid ON process_metrics(pid);`

var (
	snapshotColumns = []string{"id", "timestamp", "daemon_pid", "system_memory_total_mb", "system_memory_available_mb",
		"system_memory_used_mb", "daemon_rss_mb", "child_count", "zombie_count", "load_avg_1", "load_avg_5", "load_avg_15", "gpu_count",
		"gpu_utilization_pct", "gpu_memory_used_mb", "gpu_temperature", "pressure_level", "running_jobs", "active_sheets"}
	processColumns = []string{"snapshot_id", "pid", "ppid", "command", "state", "cpu_percent", "rss_mb", "vms_mb", "threads", "open_fds",
		"age_seconds", "job_id", "sheet_num", "syscall_counts", "syscall_time_pct"}
)

// batch is how many snapshots a transaction holds.
const batch = 20

func main() {
	from := flag.String("from", "", "`database` of a recorder, at rest")
	to := flag.String("to", "", "`file` to make")
	rows := flag.Int("rows", 1_000_000, "stop after `so many` process rows")
	flag.Parse()
	if err := run(context.Background(), *from, *to, *rows); err != nil {
		fmt.Fprintln(os.Stderr, "inserts:", err)
		os.Exit(1)
	}
}

// result is the cost of the inserts. Reading the rows is not in it.
type result struct {
	Rows    int     `json:"rows"`
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_seconds"`
	Bytes   int64   `json:"bytes"` // of the database, its log written back
}

func run(ctx context.Context, from, to string, rows int) error {
	if _, err := os.Stat(to); err == nil {
		return fmt.Errorf("%s exists", to)
	}
	source, err := sql.Open("sqlite", "file:"+from+"?mode=ro")
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := sql.Open("sqlite", "file:"+to+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	defer target.Close()
	target.SetMaxOpenConns(1)
	if _, err := target.ExecContext(ctx, tables); err != nil {
		return err
	}
	w := writer{db: target}
	if err := errors.Join(w.prepare(ctx), w.copy(ctx, source, rows)); err != nil {
		return err
	}
	if _, err := target.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		return err
	}
	info, err := os.Stat(to)
	if err != nil {
		return err
	}
	w.took.Bytes = info.Size()
	return json.NewEncoder(os.Stdout).Encode(w.took)
}

// writer inserts snapshots and their processes.
type writer struct {
	db                *sql.DB
	snapshot, process *sql.Stmt
	took              result
}

func (w *writer) prepare(ctx context.Context) (err error) {
	if w.snapshot, err = w.db.PrepareContext(ctx, insertInto("snapshots", snapshotColumns)); err != nil {
		return err
	}
	w.process, err = w.db.PrepareContext(ctx, insertInto("process_metrics", processColumns))
	return err
}

func insertInto(table string, columns []string) string {
	return `INSERT INTO ` + table + `(` + strings.Join(columns, ",") + `) VALUES (?` + strings.Repeat(",?", len(columns)-1) + `)`
}

// copy inserts batches of snapshots until there are no more, or enough rows.
func (w *writer) copy(ctx context.Context, source *sql.DB, rows int) error {
	for last := int64(0); w.took.Rows < rows; {
		snapshots, err := read(ctx, source, `SELECT `+strings.Join(snapshotColumns, ",")+` FROM snapshots WHERE id > ? ORDER BY id LIMIT ?`, last, batch)
		if err != nil || len(snapshots) == 0 {
			return err
		}
		var processes [][]any
		for _, s := range snapshots {
			last = s[0].(int64)
			of, err := read(ctx, source, `SELECT `+strings.Join(processColumns, ",")+` FROM process_metrics WHERE snapshot_id = ?`, last)
			if err != nil {
				return err
			}
			processes = append(processes, of...)
		}
		if err := w.insert(ctx, snapshots, processes); err != nil {
			return err
		}
	}
	return nil
}

// insert inserts a batch in a transaction, and times it.
func (w *writer) insert(ctx context.Context, snapshots, processes [][]any) error {
	began, before := time.Now(), cpu()
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	err = errors.Join(execAll(ctx, tx.StmtContext(ctx, w.snapshot), snapshots), execAll(ctx, tx.StmtContext(ctx, w.process), processes))
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	w.took.Seconds += time.Since(began).Seconds()
	w.took.CPU += (cpu() - before).Seconds()
	w.took.Rows += len(processes)
	return nil
}

func execAll(ctx context.Context, stmt *sql.Stmt, rows [][]any) error {
	for _, row := range rows {
		if _, err := stmt.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
	return nil
}

func read(ctx context.Context, db *sql.DB, query string, args ...any) ([][]any, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all [][]any
	for rows.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// cpu returns the CPU time that this process has used.
func cpu() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u) // it cannot fail here
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
