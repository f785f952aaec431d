package query

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// PastSnapshots passes on the snapshots of a range as the messages that they were made of, as far as some metrics of processes and the values of the
// host go, in the order in which they were stored; without processes where these are not asked for. A message is valid until visit returns. Where
// snapshots have left full resolution, their minutes come first, each as one snapshot of the minute's means.
func PastSnapshots(ctx context.Context, db *DB, r Range, processes bool, ids []metric.ID, visit func(*schema.Message) error) (n PastCounts, err error) {
	p := &past{db: db, without: !processes, ids: ids, described: map[int64]*described{}}
	p.visit = func(m *schema.Message) error {
		n.Minutes++
		return visit(m)
	}
	if n.MinuteSamples, err = p.minutes(ctx, r); err == nil {
		p.visit = func(m *schema.Message) error {
			n.Snapshots++
			return visit(m)
		}
		n.Samples, err = p.snapshots(ctx, r)
	}
	if err != nil {
		return n, fmt.Errorf("read the past: %w", err)
	}
	return n, nil
}

// PastCounts is how much was read of the past: snapshots with samples of processes, and minutes with means of processes, where snapshots are no longer kept.
type PastCounts struct {
	Snapshots     int64 `json:"snapshots"`
	Samples       int64 `json:"samples"`
	Minutes       int64 `json:"minutes"`
	MinuteSamples int64 `json:"minute_samples"`
}

// past reads the past.
type past struct {
	db        *DB
	without   bool // processes
	ids       []metric.ID
	described map[int64]*described // processes, by the id of the row
	visit     func(*schema.Message) error
	processes schema.Processes // of the snapshot that is passed on

	rows []int64 // of a chunk: snapshot, process row, then the metrics
}

// described is what describes a process.
type described struct {
	identity             [6]int64 // of identityMetrics
	command, cgroup, job string
}

// pastChunk is how many snapshots are read at a time, and mostPastDescribed how many descriptions are kept.
const (
	pastChunk         = 128
	mostPastDescribed = 100_000
)

// identityMetrics are the columns that a description gives.
var identityMetrics = []metric.ID{metric.PID, metric.PPID, metric.StartTicks, metric.UID, metric.Sheet, metric.Fleet}

const pastHeads = `SELECT t.id, t.timestamp, t.wall_ns, h.name, t.boot_id, t.boot_ns, t.interval_ns, coalesce(t.cpus, -1), coalesce(t.system_memory_total_mb, -1), coalesce(t.system_memory_available_mb, -1),
	coalesce(t.load_avg_1, -1), coalesce(t.load_avg_5, -1), coalesce(t.load_avg_15, -1), t.pressure, t.gpus, t.host_values FROM snapshots t JOIN hosts h ON h.id = t.host_id
	WHERE t.id > ? AND t.timestamp >= ? AND t.timestamp < ? AND (? = '' OR h.name = ?) ORDER BY t.id LIMIT ?`

func (p *past) snapshots(ctx context.Context, r Range) (n int64, err error) {
	until := r.Until
	if until == 0 {
		until = math.MaxFloat64
	}
	for after := int64(0); ; {
		heads, err := collect(ctx, p.db, pastHeads, []any{after, r.Since, until, r.Host, r.Host, pastChunk}, scanPastHead)
		if err != nil || len(heads) == 0 {
			return n, err
		}
		after = heads[len(heads)-1].id
		first, _ := schema.SampleIDs(heads[0].id)
		_, last := schema.SampleIDs(after)
		columns := "m.id >> 22, m.process_id"
		if len(p.ids) > 0 { // who counts processes asks for none
			columns += ", " + metric.Columns("m", p.ids)
		}
		query := `SELECT ` + columns + ` FROM samples m WHERE m.id BETWEEN ? AND ? ORDER BY m.id`
		if err := p.read(ctx, query, first, last); err != nil {
			return n, err
		}
		if err := p.describe(ctx, `SELECT id, pid, coalesce(ppid, 0), start_ticks, coalesce(uid, -1), coalesce(sheet_num, -1), iif(fleet, 1, -1), coalesce(command, ''),
			coalesce(cgroup, ''), coalesce(job_id, '') FROM processes WHERE id IN `); err != nil {
			return n, err
		}
		sent, err := p.send(heads)
		if n += sent; err != nil {
			return n, err
		}
	}
}

// pastHead is a snapshot, or a minute, without its processes.
type pastHead struct {
	id int64
	m  *schema.Message
}

func scanPastHead(rows *sql.Rows, h *pastHead) error {
	s := &schema.Snapshot{}
	h.m = &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindSnapshot, Seq: 1}, Snapshot: s}
	var at, total, available float64
	var load [3]float64
	var pressure, gpus, hostValues []byte
	if err := rows.Scan(&h.id, &at, &h.m.Wall, &h.m.Host, &h.m.BootID, &h.m.Boot, &s.Interval, &s.CPUs, &total, &available, &load[0], &load[1], &load[2],
		&pressure, &gpus, &hostValues); err != nil {
		return err
	}
	setPastHost(s, total*1024, available*1024, load)
	if err := readPastJSON(s, pressure, gpus); err != nil {
		return err
	}
	var values struct {
		Limit *float64 `json:"group_memory_limit_mb"`
		Used  *float64 `json:"group_memory_used_mb"`
		Forks *float64 `json:"forks"`
	}
	err := json.Unmarshal(hostValues, &values)
	v := &s.HostValues
	v.GroupLimit, v.GroupUsed, v.Forks = unscaled(values.Limit, 1024), unscaled(values.Used, 1024), unscaled(values.Forks, 1)
	return err
}

// setPastHost sets the host's numbers; those below 0 are not known.
func setPastHost(s *schema.Snapshot, total, available float64, load [3]float64) {
	unknown := func(is bool, v schema.HostValue) {
		if is {
			s.HostValues.Unknown = append(s.HostValues.Unknown, v)
		}
	}
	unknown(total < 0, schema.HostMemoryTotal)
	unknown(available < 0, schema.HostMemoryAvail)
	unknown(load[0] < 0, schema.HostLoad)
	unknown(s.CPUs < 0, schema.HostCPUs)
	s.MemoryTotal, s.MemoryAvail, s.CPUs = uint64(max(total, 0)), uint64(max(available, 0)), max(s.CPUs, 0)
	for i := range load {
		s.Load[i] = int64(math.Round(max(load[i], 0) * 100))
	}
}

func readPastJSON(s *schema.Snapshot, pressure, gpus []byte) error {
	if pressure != nil {
		var p struct {
			CPUSome    *float64 `json:"cpu_some"`
			MemorySome *float64 `json:"memory_some"`
			MemoryFull *float64 `json:"memory_full"`
			IOSome     *float64 `json:"io_some"`
			IOFull     *float64 `json:"io_full"`
		}
		if err := json.Unmarshal(pressure, &p); err != nil {
			return err
		}
		s.Pressure = &schema.Pressure{CPUSome: unscaled(p.CPUSome, 100), MemorySome: unscaled(p.MemorySome, 100), MemoryFull: unscaled(p.MemoryFull, 100),
			IOSome: unscaled(p.IOSome, 100), IOFull: unscaled(p.IOFull, 100)}
	}
	if string(gpus) == "[]" {
		return nil
	}
	var list []struct {
		Index       int      `json:"index"`
		Utilization *float64 `json:"utilization_pct"`
		Used        *float64 `json:"memory_used_mb"`
		Total       *float64 `json:"memory_total_mb"`
		Temperature *float64 `json:"temperature_c"`
	}
	err := json.Unmarshal(gpus, &list)
	for _, g := range list {
		s.GPUs = append(s.GPUs, schema.GPU{Index: g.Index, Utilization: unscaled(g.Utilization, 10), MemoryUsed: unscaled(g.Used, 1024),
			MemoryTotal: unscaled(g.Total, 1024), Temperature: unscaled(g.Temperature, 10)})
	}
	return err
}

func unscaled(v *float64, per float64) schema.Opt[int64] {
	if v == nil {
		return schema.Opt[int64]{}
	}
	return schema.Some(int64(math.Round(*v * per)))
}

// read reads the rows of a chunk. It asks the driver itself: database/sql costs as much again for each row.
func (p *past) read(ctx context.Context, query string, args ...any) error {
	if p.rows = p.rows[:0]; p.without {
		return nil
	}
	conn, err := p.db.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error {
		named := make([]driver.NamedValue, len(args))
		for i, v := range args {
			named[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
		}
		rows, err := c.(driver.QueryerContext).QueryContext(ctx, query, named)
		if err != nil {
			return err
		}
		defer rows.Close()
		values := make([]driver.Value, 2+len(p.ids))
		for {
			if err := rows.Next(values); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
			for i, v := range values {
				number, ok := v.(int64)
				if !ok && i >= 2 {
					number = schema.NumberFromSQL(p.ids[i-2], v).Or(-1)
				}
				p.rows = append(p.rows, number)
			}
		}
	})
}

// describe reads the descriptions of the processes of a chunk that are not known.
func (p *past) describe(ctx context.Context, query string) error {
	if len(p.described) > mostPastDescribed {
		clear(p.described)
	}
	var missing []any
	ask := func() error {
		if len(missing) == 0 {
			return nil
		}
		err := each(ctx, p.db.db, query+`(`+placeholders(len(missing))+`)`, missing, func(r *sql.Rows) error {
			var id int64
			d := &described{}
			n := &d.identity
			err := r.Scan(&id, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &d.command, &d.cgroup, &d.job)
			p.described[id] = d
			return err
		})
		missing = missing[:0]
		return err
	}
	for at := 0; at < len(p.rows); at += 2 + len(p.ids) {
		if id := p.rows[at+1]; p.described[id] == nil {
			p.described[id] = &described{} // it is asked for once
			if missing = append(missing, id); len(missing) == 500 {
				if err := ask(); err != nil {
					return err
				}
			}
		}
	}
	return ask()
}

// send passes on the messages of a chunk.
func (p *past) send(heads []pastHead) (n int64, err error) {
	ids := append(append([]metric.ID{}, identityMetrics...), p.ids...)
	width, at := 2+len(p.ids), 0
	var numbers []int64
	for i := range heads {
		s := heads[i].m.Snapshot
		p.processes.Reset()
		for ; at < len(p.rows) && p.rows[at] <= heads[i].id; at += width {
			if p.rows[at] != heads[i].id { // of a snapshot of another host
				continue
			}
			d := p.described[p.rows[at+1]]
			numbers = append(append(numbers[:0], d.identity[:]...), p.rows[at+2:at+width]...)
			schema.AppendColumns(&p.processes, ids, numbers, d.command, d.cgroup, d.job)
			n++
		}
		s.Processes = p.processes
		if err := p.visit(heads[i].m); err != nil {
			return n, err
		}
	}
	return n, nil
}

const pastMinutes = `SELECT t.id, t.timestamp, CAST(t.timestamp * 1e9 AS INTEGER) + 30000000000, h.name, t.boot_id, t.boot_ns, 60000000000, coalesce(t.cpus, -1), t.memory_total_kib / 1024.0,
	coalesce((t.memory_total_kib - t.memory_used_mean) / 1024.0, -1), coalesce(t.load1_mean / 100.0, -1), coalesce(t.load5 / 100.0, -1), coalesce(t.load15 / 100.0, -1), NULL, t.gpus, '{}'
	FROM rollups t JOIN hosts h ON h.id = t.host_id WHERE (t.timestamp > ? OR t.timestamp = ? AND t.id > ?) AND t.timestamp >= ? AND t.timestamp < ? AND (? = '' OR h.name = ?)` +
	withoutSnapshots + ` ORDER BY t.timestamp, t.id LIMIT ?`

func (p *past) minutes(ctx context.Context, r Range) (n int64, err error) {
	until := r.Until
	if until == 0 {
		until = math.MaxFloat64
	}
	var columns []string
	for _, id := range p.ids {
		switch m := &metric.Table[id]; m.Rollup {
		case metric.Spread:
			columns = append(columns, "m."+m.Spread+"_mean")
		case metric.Last:
			columns = append(columns, "m."+m.Name)
		default:
			columns = append(columns, "NULL")
		}
	}
	columns = append([]string{"m.rollup_id", "m.process_id"}, columns...)
	query := `SELECT ` + strings.Join(columns, ", ") + ` FROM process_rollups m JOIN rollup_processes p ON p.id = m.process_id WHERE m.rollup_id = ? ORDER BY p.pid, p.start_ticks`
	at, id := math.Inf(-1), int64(0)
	for {
		heads, err := collect(ctx, p.db, pastMinutes, []any{at, at, id, r.Since, until, r.Host, r.Host, pastChunk}, scanPastHead)
		if err != nil || len(heads) == 0 {
			return n, err
		}
		for i := range heads {
			if err := p.read(ctx, query, heads[i].id); err != nil {
				return n, err
			}
			clear(p.described)
			if err := p.describe(ctx, `SELECT id, pid, coalesce(ppid, 0), start_ticks, coalesce(uid, -1), coalesce(sheet_num, -1), iif(fleet, 1, -1), coalesce(command, ''), '', coalesce(job_id, '')
				FROM rollup_processes WHERE id IN `); err != nil {
				return n, err
			}
			sent, err := p.send(heads[i : i+1])
			if n += sent; err != nil {
				return n, err
			}
		}
		last := heads[len(heads)-1]
		at, id = float64(last.m.Wall-30_000_000_000)/1e9, last.id
		clear(p.described)
	}
}
