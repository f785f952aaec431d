package query

import (
	"cmp"
	"context"
	"database/sql"
	"math"
	"slices"
	"strings"

	"github.com/proctape/proctape/schema"
)

// Usage is what processes used within a range. A sum holds what is known; nil is a figure of which nothing is known.
type Usage struct {
	CPUSeconds  float64  `json:"cpu_seconds"`
	Memory      float64  `json:"rss_mb"`             // MiB, resident: the most of one process, and of a group the sum of these, which may not have come at once
	Growth      float64  `json:"growth_mb"`          // MiB, resident, from the first to the last sample
	Read        *float64 `json:"read_mb"`            // MiB from storage
	Write       *float64 `json:"write_mb"`           // MiB to storage
	Sent        *float64 `json:"sent_mb"`            // MiB over the network; of a process that ended what its last sample knew
	Received    *float64 `json:"received_mb"`        // MiB from the network, likewise
	MinorFaults *int64   `json:"minor_faults"`       // page faults without a read from disk
	MajorFaults *int64   `json:"major_faults"`       // page faults with one
	Forks       int64    `json:"forks"`              // processes that were started; by process and by parent, of whoever started them
	Processes   int64    `json:"process_count"`      // that were seen
	AtLeast     []string `json:"at_least,omitempty"` // keys of figures that are lower bounds: their sums stopped at [schema.MaxSum]
}

func (u *Usage) add(v Usage) {
	u.CPUSeconds, u.Memory, u.Growth = u.CPUSeconds+v.CPUSeconds, u.Memory+v.Memory, u.Growth+v.Growth
	u.Read, u.Write = plus(u.Read, v.Read), plus(u.Write, v.Write)
	u.Sent, u.Received = plus(u.Sent, v.Sent), plus(u.Received, v.Received)
	u.MinorFaults, u.MajorFaults = plusCount(u.MinorFaults, v.MinorFaults), plusCount(u.MajorFaults, v.MajorFaults)
	u.Forks, u.Processes = u.Forks+v.Forks, u.Processes+v.Processes
	u.AtLeast = lowerBounds(namedCount{"minor_faults", deref(u.MinorFaults, 0)}, namedCount{"major_faults", deref(u.MajorFaults, 0)})
}

// plus adds what is known.
func plus(a, b *float64) *float64 {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	sum := *a + *b
	return &sum
}

// plusCount adds what is known. The sum stops at [schema.MaxSum].
func plusCount(a, b *int64) *int64 {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	sum := schema.AddSaturated(*a, *b)
	return &sum
}

// counters are what a process has used since it started, and its memory, at a sample.
type counters struct {
	rss, cpu, read, write, minor, major, sent, received sql.Null[int64]
}

// countersOf are counters as the driver gives them, of the one type that database/sql fills without reflection.
func countersOf(values *[8]any) counters {
	number := func(v any) (n sql.Null[int64]) {
		n.V, n.Valid = v.(int64)
		return n
	}
	return counters{number(values[0]), number(values[1]), number(values[2]), number(values[3]), number(values[4]), number(values[5]), number(values[6]), number(values[7])}
}

// part is what one description of a process used within a range.
type part struct {
	Process
	host        string
	hostID      int64
	boot        string
	first, last int64 // snapshots
	peak        sql.Null[int64]
	begin, end  counters
	exact       bool // the range holds all of it, so that peak is of the range
	outside     bool // it ended at the last snapshot before the range, and is what the next part is counted from
	usage       Usage
}

// edge is where a range begins and ends for one boot of a host.
type edge struct {
	host        string
	hostID      int64
	boot        string
	first, last int64   // snapshots of it
	booted      float64 // Unix seconds
}

// readEdges reads where a range begins and ends for each boot of each host.
func readEdges(ctx context.Context, db *DB, f *Filter) ([]edge, error) {
	until := f.Until
	if until == 0 {
		until = 9e99
	}
	query, args := `SELECT (SELECT name FROM hosts WHERE id = t.host_id), t.host_id, t.boot_id, min(t.id), max(t.id), min(t.timestamp - t.boot_ns / 1e9) FROM snapshots t
		WHERE t.timestamp >= ? AND t.timestamp < ?`, []any{f.Since, until}
	if f.Host != "" {
		query, args = query+db.ofHost(), append(args, f.Host)
	}
	return collect(ctx, db, query+` GROUP BY t.host_id, t.boot_id`, args, func(r *sql.Rows, e *edge) error {
		return r.Scan(&e.host, &e.hostID, &e.boot, &e.first, &e.last, &e.booted)
	})
}

// partColumns are a description of a process with its counters at both ends of a range, which is from the snapshot ?1 to ?2 of the
// boot ?4 of the host ?3. A process of before the range is counted from the last snapshot before it. Of one that started in it, from the tick ?5 on, all counters
// were nought, and its row has the memory of its first sample: that is not looked up.
const (
	partColumns = `SELECT ` + processColumns + cgroupColumn + `, p.first_snapshot, p.last_snapshot, p.peak_rss_kib, CASE WHEN {noted} THEN p.first_rss_kib ELSE a.rss_kib END,
		a.cpu_ms, a.read_kib, a.write_kib, a.minor_faults, a.major_faults, a.sent_kib, a.received_kib, z.rss_kib, z.cpu_ms, z.read_kib, z.write_kib, z.minor_faults, z.major_faults, z.sent_kib, z.received_kib`
	partStart = ` LEFT JOIN samples a ON a.id = CASE WHEN NOT {noted} THEN max(p.first_snapshot, ?1) << 22 | p.pid END AND a.process_id = p.id
		WHERE p.host_id = ?3 AND p.boot_id = ?4 AND p.first_snapshot <= ?2 AND p.last_snapshot >= ?1`
)

// The descriptions of a range are those that live, and those that have ended since it began; of a single snapshot those that it has.
const (
	partsSpan  = partColumns + ` FROM processes p LEFT JOIN samples z ON z.id = min(p.last_snapshot, ?2) << 22 | p.pid AND z.process_id = p.id` + partStart
	partsAlive = partsSpan + ` AND p.last_snapshot = 4611686018427387904`
	partsEnded = partsSpan + ` AND p.ended >= ?6`
	partsOfOne = partColumns + ` FROM samples z CROSS JOIN processes p ON p.id = z.process_id` + partStart + ` AND z.id BETWEEN ?2 << 22 AND ?2 << 22 | 4194303`
)

// notedFirst is the condition that the row of a process has the memory of its first sample, and counters were nought before.
func notedFirst(db *DB) string {
	if !db.goesOn { // an older build did not note it
		return `(p.start_ticks >= ?5 AND 0)`
	}
	return `(p.start_ticks >= ?5 AND p.first_snapshot > ?1 AND p.first_rss_kib IS NOT NULL)`
}

// bornFrom is the first tick after boot that is in a range.
func (e *edge) bornFrom(since float64) int64 {
	if since <= e.booted {
		return 0
	}
	within := func(tick int64) bool { return e.booted+float64(tick)/100 >= since }
	tick := int64(math.Ceil((since - e.booted) * 100))
	for within(tick - 1) {
		tick--
	}
	for !within(tick) {
		tick++
	}
	return tick
}

// readParts reads what the processes of a boot used within a range, the descriptions of one process one behind the other.
func readParts(ctx context.Context, db *DB, e edge, since float64) ([]*part, error) {
	base, from := e.first, since
	err := each(ctx, db.db, `SELECT id, timestamp FROM snapshots WHERE host_id = ? AND id < ? ORDER BY id DESC LIMIT 1`, []any{e.hostID, e.first},
		func(r *sql.Rows) error { return r.Scan(&base, &from) })
	if err != nil {
		return nil, err
	}
	var parts []*part
	bornFrom := e.bornFrom(since)
	of := []any{base, e.last, e.hostID, e.boot, bornFrom}
	ended := append(of[:5:5], min(from, since))
	statements := map[string][]any{partsAlive: of, partsEnded: ended}
	if e.first == e.last { // and what was described otherwise by the snapshot before
		statements = map[string][]any{partsOfOne: of, partsEnded + ` AND p.ended <= ?6`: ended}
	}
	var described processValues
	var span [4]any
	var begin, end [8]any
	into := described.into(nil)
	for _, values := range [][]any{span[:], begin[:], end[:]} {
		for i := range values {
			into = append(into, &values[i])
		}
	}
	for statement, args := range statements {
		err := each(ctx, db.db, strings.ReplaceAll(statement, `{noted}`, notedFirst(db)), args, func(r *sql.Rows) error {
			if err := r.Scan(into...); err != nil {
				return err
			}
			p := &part{host: e.host, hostID: e.hostID, boot: e.boot, first: integerOf(span[1]), last: integerOf(span[2]), begin: countersOf(&begin), end: countersOf(&end)}
			described.describe(&p.Process)
			p.Cgroup = optionalOf[string](span[0])
			p.peak.V, p.peak.Valid = span[3].(int64)
			parts = append(parts, p)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(parts, func(a, b *part) int {
		return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(a.StartTicks, b.StartTicks), cmp.Compare(a.first, b.first))
	})
	for i, p := range parts {
		p.exact, p.outside = p.first > base && p.last <= e.last, p.last < e.first
		var earlier *part
		if i > 0 && parts[i-1].PID == p.PID && parts[i-1].StartTicks == p.StartTicks {
			earlier = parts[i-1]
		}
		p.count(earlier, p.StartTicks >= bornFrom && p.first > base)
	}
	return parts, nil
}

// count sets what a part used: what its counters rose by since the part before it, or since the range began. Of a process that
// started within the range that is all; of one whose first sample is of the range though it is older, what it used
// before nobody can tell, and it is not counted.
func (p *part) count(earlier *part, born bool) {
	from := p.begin
	switch {
	case earlier != nil:
		from = earlier.end
		from.rss = p.begin.rss
	case born:
		zero := sql.Null[int64]{Valid: true}
		from = counters{p.begin.rss, zero, zero, zero, zero, zero, zero, zero}
	}
	p.usage.Processes = 1
	if earlier != nil {
		p.usage.Processes = 0
	}
	if used := rise(from.cpu, p.end.cpu, 1000); used != nil {
		p.usage.CPUSeconds = *used
	}
	p.usage.setRises(from, p.end)
	p.usage.Growth = float64(p.end.rss.V-p.begin.rss.V) / 1024
	p.usage.Memory = float64(max(p.begin.rss.V, p.end.rss.V)) / 1024
	if p.exact && p.peak.Valid {
		p.usage.Memory = float64(p.peak.V) / 1024
	}
}

// setRises sets by how much counters of I/O, of the network and of faults rose.
func (u *Usage) setRises(from, to counters) {
	u.Read, u.Write = rise(from.read, to.read, 1024), rise(from.write, to.write, 1024)
	u.Sent, u.Received = rise(from.sent, to.sent, 1024), rise(from.received, to.received, 1024)
	u.MinorFaults, u.MajorFaults = whole(rise(from.minor, to.minor, 1)), whole(rise(from.major, to.major, 1))
}

// rise is how much a counter rose, divided by per; nil when one of its ends is unknown.
func rise(from, to sql.Null[int64], per float64) *float64 {
	if !from.Valid || !to.Valid {
		return nil
	}
	v := float64(max(0, to.V-from.V)) / per
	return &v
}

func whole(v *float64) *int64 {
	if v == nil {
		return nil
	}
	n := int64(*v)
	return &n
}
