package query

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"slices"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// The two halves of a process in a snapshot. What describes it, over the alias p of processes, stays the same from snapshot to
// snapshot and is read once. What was measured, over the alias m of samples, is read for each.
const processColumns = `p.id, p.pid, p.ppid, p.command, p.job_id, p.fleet, p.sheet_num, p.start_ticks, p.uid`

// cgroupColumn is a process's control group, which rollups do not have.
const cgroupColumn = `, nullif(p.cgroup, '')`

var sampleColumns = `m.syscall_counts, m.syscall_time_pct, ` + metric.Columns("m", metric.Samples)

// scanProcess scans processColumns into a process's description, and what comes after them into more.
func scanProcess(rows *sql.Rows, id *int64, p *Process, more ...any) error {
	var v processValues
	err := rows.Scan(append(v.into(make([]any, 0, len(v)+len(more))), more...)...)
	*id = v.describe(p)
	return err
}

// processValues are processColumns as the driver gives them, of the one type that database/sql fills without reflection.
type processValues [9]any

// into appends where to scan them to.
func (v *processValues) into(dst []any) []any {
	for i := range v {
		dst = append(dst, &v[i])
	}
	return dst
}

// describe sets a process's description, and returns the id of its row.
func (v *processValues) describe(p *Process) (id int64) {
	p.PID, p.PPID, p.Command, p.JobID = integerOf(v[1]), integerOf(v[2]), textOf(v[3]), optionalOf[string](v[4])
	p.Fleet, p.Sheet, p.StartTicks, p.UID = integerOf(v[5]) != 0, optionalOf[int64](v[6]), integerOf(v[7]), optionalOf[int64](v[8])
	return integerOf(v[0])
}

func integerOf(v any) int64 {
	n, _ := v.(int64)
	return n
}

func textOf(v any) string {
	s, _ := v.(string)
	return s
}

// optionalOf is a value that may be NULL.
func optionalOf[T int64 | string](v any) *T {
	if of, ok := v.(T); ok {
		return &of
	}
	return nil
}

// sampleScanner scans rows of sampleColumns. Its destinations are made once, and are of the one type that
// database/sql fills without reflection: a page has a quarter of a million values.
type sampleScanner struct {
	counts, times any
	values        []any // of metric.Samples
	dst           []any
}

// newSampleScanner makes a scanner for rows in which lead stands before the sample's columns.
func newSampleScanner(lead ...any) *sampleScanner {
	s := &sampleScanner{values: make([]any, len(metric.Samples))}
	s.dst = append(lead, &s.counts, &s.times)
	for i := range s.values {
		s.dst = append(s.dst, &s.values[i])
	}
	return s
}

// scan reads a row, and sets in p what was measured.
func (s *sampleScanner) scan(rows *sql.Rows, p *Process) error {
	if err := rows.Scan(s.dst...); err != nil {
		return err
	}
	for i, id := range metric.Samples {
		p.measure(id, schema.NumberFromSQL(id, s.values[i]))
	}
	p.SyscallCounts, p.SyscallTimes = jsonObject(s.counts), jsonObject(s.times)
	return nil
}

// jsonObject is a column's JSON object, an empty one for NULL.
func jsonObject(v any) json.RawMessage {
	if s, ok := v.(string); ok {
		return json.RawMessage(s)
	}
	return noMap
}

// noMap is the JSON object of a map that is absent. Nobody writes to it.
var noMap = json.RawMessage("{}")

// setDescription sets what the samples of a process have in common, and its age when the boot clock said boot.
func (p *Process) setDescription(description *Process, boot int64) {
	p.PID, p.PPID, p.Command, p.StartTicks = description.PID, description.PPID, description.Command, description.StartTicks
	p.JobID, p.Fleet, p.Sheet, p.UID, p.Cgroup = description.JobID, description.Fleet, description.Sheet, description.UID, description.Cgroup
	p.Age = float64(boot-p.StartTicks*(1e9/schema.TicksPerSecond)) / 1e9
}

// description is what describes a process, as a reader keeps it: a [Process] is four times as large.
type description struct {
	pid, ppid, start int64
	command          string
	job, cgroup      *string
	sheet, uid       *int64
	fleet            bool
}

// describe keeps what describes a process.
func describe(p *Process) *description {
	return &description{p.PID, p.PPID, p.StartTicks, p.Command, p.JobID, p.Cgroup, p.Sheet, p.UID, p.Fleet}
}

// process is the process of which nothing but its description is known.
func (d *description) process() *Process {
	return &Process{PID: d.pid, PPID: d.ppid, StartTicks: d.start, Command: d.command, JobID: d.job, Cgroup: d.cgroup, Sheet: d.sheet, UID: d.uid, Fleet: d.fleet}
}

// processReader reads the processes of snapshots. It keeps the descriptions of those that it read last.
type processReader struct {
	described map[int64]*description // by the id of the row
	size      int                    // how many processes the last snapshot had
}

func newProcessReader() *processReader { return &processReader{described: map[int64]*description{}} }

// mostDescribed is how many descriptions a reader keeps: more than a fleet has processes at one time, so that a long listing
// stays as small as a short one.
const mostDescribed = 20_000

// read returns the processes of a snapshot, by pid. boot is the snapshot's boot clock.
func (r *processReader) read(ctx context.Context, tx *sql.Tx, snapshot, boot int64) ([]Process, error) {
	if len(r.described) > mostDescribed {
		clear(r.described)
	}
	procs := make([]Process, 0, r.size+r.size/16)
	rowIDs := make([]int64, 0, cap(procs)) // of each process
	var id int64
	var unknown []int64
	scanner := newSampleScanner(&id)
	first, last := schema.SampleIDs(snapshot)
	err := each(ctx, tx, `SELECT m.process_id, `+sampleColumns+` FROM samples m WHERE m.id BETWEEN ? AND ?`, []any{first, last}, func(rows *sql.Rows) error {
		procs = append(procs, Process{})
		err := scanner.scan(rows, &procs[len(procs)-1])
		rowIDs = append(rowIDs, id)
		if r.described[id] == nil {
			unknown = append(unknown, id)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	r.size = len(procs)
	if err := r.readDescriptions(ctx, tx, unknown); err != nil {
		return nil, err
	}
	for i := range procs {
		if d := r.described[rowIDs[i]]; d != nil {
			procs[i].setDescription(d.process(), boot)
		}
	}
	// As in the view process_metrics, a sample without a row that describes it is left out.
	procs = slices.DeleteFunc(procs, func(p Process) bool { return p.PID == 0 })
	slices.SortFunc(procs, func(a, b Process) int { return cmp.Compare(a.PID, b.PID) })
	return procs, nil
}

// readDescriptions reads the rows that describe processes.
func (r *processReader) readDescriptions(ctx context.Context, tx *sql.Tx, rowIDs []int64) error {
	for some := range slices.Chunk(rowIDs, 500) {
		args := make([]any, len(some))
		for i, id := range some {
			args[i] = id
		}
		err := each(ctx, tx, `SELECT `+processColumns+cgroupColumn+` FROM processes p WHERE p.id IN (`+placeholders(len(some))+`)`, args, func(rows *sql.Rows) error {
			var id int64
			var p Process
			err := scanProcess(rows, &id, &p, &p.Cgroup)
			r.described[id] = describe(&p)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
