package query

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proctape/proctape/schema"
)

// SeriesPoint is a cell of a series: what a host did from Timestamp on, for as long as a cell is. What is not known is nil.
type SeriesPoint struct {
	Timestamp float64  `json:"timestamp"`          // Unix seconds, the start of the cell
	CPU       *float64 `json:"cpu_cores"`          // of all processes, cores, mean
	CPUMax    *float64 `json:"cpu_cores_max"`      // largest of a snapshot
	Memory    *float64 `json:"memory_used_mb"`     // in use, MiB, mean
	MemoryMax *float64 `json:"memory_used_mb_max"` // largest of a snapshot
	MemoryHas *float64 `json:"memory_total_mb"`    // of the host
	Samples   int64    `json:"samples"`            // snapshots in it
	Starts    int64    `json:"starts"`             // processes that were seen to start
	Ends      int64    `json:"ends"`               // that were seen to end
	Deaths    int64    `json:"deaths"`             // of these by a signal
}

// HostSeries is a series of one host. A cell of which nothing is known is not in it.
type HostSeries struct {
	Host   string        `json:"host"`
	Points []SeriesPoint `json:"points"`
}

// Series is what hosts did over a range, in cells.
type Series struct {
	Cell     float64      `json:"cell_seconds"`
	Of       string       `json:"of"`       // what it is made of: samples, minutes or hours
	Hosts    []HostSeries `json:"hosts"`    // by name
	Coverage []Coverage   `json:"coverage"` // of the range, up to now, on each host
}

// What a series is made of.
const (
	OfSamples = "samples"
	OfMinutes = "minutes"
	OfHours   = "hours"
)

const hourSeconds = 60 * Minute

// cells are the lengths that a cell may have, in seconds.
var cells = []float64{1, 2, 5, 10, 30, Minute, 2 * Minute, 5 * Minute, 10 * Minute, 30 * Minute, hourSeconds, 2 * hourSeconds, 6 * hourSeconds, 24 * hourSeconds}

// CellFor is the length of a cell, in seconds, so that a range has no more than most of them: one of a few round lengths.
func CellFor(seconds float64, most int) float64 {
	for _, c := range cells {
		if seconds <= c*float64(max(most, 1)) {
			return c
		}
	}
	return cells[len(cells)-1]
}

// ReadSeries returns what each host did in a range, which has an end, in no more than most cells if cells of a day are so few. Cells below half a minute are read
// from the snapshots of which there are any; longer ones are of a minute at least, and read from minutes, those of an hour or more from hours and from the
// minutes that are younger. A cell begins at a multiple of its length, so the first and the last may reach beyond the range; what they tell is of the range
// alone. Limit, order and cursor of the range mean nothing here.
func ReadSeries(ctx context.Context, db *DB, r Range, most int) (Series, error) {
	s := Series{Cell: CellFor(r.Until-r.Since, most), Of: OfMinutes, Hosts: []HostSeries{}}
	if s.Cell >= Minute/2 { // half as many cells, for a twentieth of the reading
		s.Cell = max(s.Cell, Minute)
	}
	parts := []seriesPart{minuteSeries(r)}
	switch {
	case s.Cell < Minute:
		s.Of, parts = OfSamples, []seriesPart{sampleSeries(r)}
	case s.Cell == hourSeconds:
		s.Of, parts = OfHours, []seriesPart{hourSeries(r), youngMinuteSeries(r)}
	case s.Cell > hourSeconds:
		s.Of, parts = OfHours, []seriesPart{hourSeries(r).and(youngMinuteSeries(r))}
	}
	err := view(ctx, db, func(tx *sql.Tx) error { return s.read(ctx, tx, parts, r.Host) })
	if err != nil {
		return Series{}, fmt.Errorf("read a series of %s: %w", s.Of, err)
	}
	slices.SortFunc(s.Hosts, func(a, b HostSeries) int { return strings.Compare(a.Host, b.Host) })
	s.Coverage, err = HostCoverage(ctx, db, Range{Since: r.Since, Until: min(r.Until, schema.Timestamp(time.Now().UnixNano())), Host: r.Host})
	return s, err
}

// read reads the parts of a series, in a view of one moment: an hour that is made of minutes meanwhile is neither missing nor there twice.
func (s *Series) read(ctx context.Context, tx *sql.Tx, parts []seriesPart, host string) error {
	names, of := map[int64]string{}, map[int64]int{}
	err := each(ctx, tx, `SELECT id, name FROM hosts WHERE ? IN ('', name)`, []any{host}, func(rows *sql.Rows) error {
		var id int64
		var name string
		err := rows.Scan(&id, &name)
		names[id] = name
		return err
	})
	if err != nil {
		return err
	}
	for _, p := range parts {
		query, args := p.cells(s.Cell, host)
		if err := each(ctx, tx, query, args, func(rows *sql.Rows) error { return s.scan(rows, of, names) }); err != nil {
			return err
		}
	}
	return nil
}

// seriesPart is what a series, or a part of it, is read from: a query of seriesColumns, by time.
type seriesPart struct {
	query  string
	args   []any
	length float64 // of what a row tells of, in seconds; 0 for a moment
}

// and is both parts as one.
func (p seriesPart) and(q seriesPart) seriesPart {
	return seriesPart{p.query + ` UNION ALL ` + q.query, append(p.args, q.args...), 0}
}

// cells is the query of a part's cells. Rows that are cells already are not summed up: sorting them is most of the work.
func (p seriesPart) cells(cell float64, host string) (string, []any) {
	query, args := `SELECT *, CAST(floor(timestamp / ?) AS INTEGER) AS cell FROM (`+p.query+`)`, append([]any{cell}, p.args...)
	if host != "" {
		query, args = query+` WHERE host_id = (SELECT id FROM hosts WHERE name = ?)`, append(args, host)
	}
	if p.length == cell {
		return `SELECT host_id, cell, ` + strings.TrimPrefix(seriesColumns, `timestamp, host_id, `) + ` FROM (` + query + `)`, args
	}
	return `SELECT host_id, cell, ` + seriesSums + ` FROM (` + query + `) GROUP BY host_id, cell`, args
}

const seriesColumns = `timestamp, host_id, samples, cpu_samples, cpu_sum, cpu_max, memory_samples, memory_sum, memory_max, memory_total_kib, starts, ends, deaths`

const seriesSums = `sum(samples), sum(cpu_samples), total(cpu_sum), max(cpu_max), sum(memory_samples), total(memory_sum), max(memory_max), max(memory_total_kib),
	sum(starts), sum(ends), sum(deaths)`

// scan adds a cell to its host, whose place among the series is in of.
func (s *Series) scan(rows *sql.Rows, of map[int64]int, names map[int64]string) error {
	var host, cell, cpuSamples, memorySamples int64
	var cpu, memory float64
	var cpuMax, memoryMax, memoryHas *float64
	var p SeriesPoint
	if err := rows.Scan(&host, &cell, &p.Samples, &cpuSamples, &cpu, &cpuMax, &memorySamples, &memory, &memoryMax, &memoryHas,
		&p.Starts, &p.Ends, &p.Deaths); err != nil {
		return err
	}
	per := func(v *float64, n float64) *float64 {
		if v == nil {
			return nil
		}
		of := *v / n
		return &of
	}
	p.Timestamp = float64(cell) * s.Cell
	if cpuSamples > 0 {
		p.CPU, p.CPUMax = per(&cpu, 1000*float64(cpuSamples)), per(cpuMax, 1000)
	}
	if memorySamples > 0 {
		p.Memory, p.MemoryMax, p.MemoryHas = per(&memory, 1024*float64(memorySamples)), per(memoryMax, 1024), per(memoryHas, 1024)
	}
	at, known := of[host]
	if !known {
		at, of[host] = len(s.Hosts), len(s.Hosts)
		s.Hosts = append(s.Hosts, HostSeries{Host: names[host]})
	}
	s.Hosts[at].Points = append(s.Hosts[at].Points, p)
	return nil
}

// minuteSeries reads the minutes of a range.
func minuteSeries(r Range) seriesPart {
	return seriesPart{`SELECT ` + seriesColumns + ` FROM host_minutes WHERE timestamp >= ? AND timestamp < ?`, []any{r.Since, r.Until}, Minute}
}

// hourSeries reads the hours of a range.
func hourSeries(r Range) seriesPart {
	return seriesPart{`SELECT ` + seriesColumns + ` FROM host_hours WHERE timestamp >= ? AND timestamp < ?`, []any{r.Since, r.Until}, hourSeconds}
}

// youngMinuteSeries reads the minutes of a range that are younger than all hours.
func youngMinuteSeries(r Range) seriesPart {
	return seriesPart{`SELECT ` + seriesColumns + ` FROM host_minutes WHERE timestamp >= max(?, (SELECT coalesce(max(timestamp) + 3600, -9e99) FROM host_hours))
		AND timestamp < ?`, []any{r.Since, r.Until}, Minute}
}

// sampleSeries reads the snapshots of a range, and the starts and ends in it.
func sampleSeries(r Range) seriesPart {
	lives := slices.Repeat([]string{"0"}, 8)
	return seriesPart{`SELECT s.timestamp, s.host_id, 1 AS samples, busy IS NOT NULL AS cpu_samples, coalesce(busy, 0) AS cpu_sum, busy AS cpu_max,
		system_memory_used_mb IS NOT NULL AS memory_samples, coalesce(system_memory_used_mb, 0) * 1024 AS memory_sum, system_memory_used_mb * 1024 AS memory_max,
		system_memory_total_mb * 1024 AS memory_total_kib, 0 AS starts, 0 AS ends, 0 AS deaths FROM (SELECT s.*, (SELECT sum(m.cpu_permille) FROM samples m
		WHERE m.id BETWEEN s.id << 22 AND s.id << 22 | 4194303) AS busy FROM snapshots s WHERE s.timestamp >= ? AND s.timestamp < ?) s
		UNION ALL SELECT timestamp, host_id, ` + strings.Join(lives, ", ") + `, event_type = 'spawn', event_type = 'exit', event_type = 'exit' AND signal_num IS NOT NULL
		FROM process_events WHERE timestamp >= ? AND timestamp < ? AND event_type IN ('spawn', 'exit')`, []any{r.Since, r.Until, r.Since, r.Until}, 0}
}
