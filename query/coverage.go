package query

import (
	"context"
	"fmt"
	"slices"
)

// Coverage is how much of a time the record knows of a host. A share is that of the time in which all of a kind is known; where only
// some of the processes were seen, of that time as much as of the processes. So it is between 0 and 100, and 100 only where
// nothing is known to be missing.
type Coverage struct {
	Host      string  `json:"host"`
	From      float64 `json:"from_time"` // of the time that is meant, Unix seconds
	To        float64 `json:"to_time"`
	Complete  bool    `json:"complete"`         // nothing is known to be missing: there are no reasons
	Percent   float64 `json:"coverage_percent"` // the least of those that follow
	Snapshots float64 `json:"snapshots_percent"`
	Events    float64 `json:"starts_and_ends_percent"`
	CPU       float64 `json:"cpu_percent"`
	IO        float64 `json:"io_percent"`
	Gaps      int64   `json:"gaps"` // that overlap the time
	// Missing is at least how many processes of the host are not in the record; nil when that is not known.
	Missing *int64 `json:"missing_processes"`
	// Forks is how many processes and threads the kernel has started on the host in gaps of starts and ends, less those that are in the record;
	// nil when that is not known.
	Forks   *int64   `json:"missing_starts"`
	Reasons []Reason `json:"reasons"` // why it is not complete, the worst first
	// HostsHeld are the patterns of the hosts that the database is of, with commas in between: of others in its log it has nothing. It is
	// empty, and absent in JSON, for a database of all hosts.
	HostsHeld string `json:"hosts_held,omitempty"`
	// ProvenUntil is up to when the database is known to be what was written, as [Proven] has it; Unix seconds.
	ProvenUntil *float64 `json:"proven_until"`
}

// HostCoverage returns how much of a range is known of each host that was recorded before the range ends, and of which something came
// within a day before it or later; of a host that was first recorded later than the range begins, from then on. The range must have both ends, and its end must not be in the future.
func HostCoverage(ctx context.Context, db *DB, r Range) ([]Coverage, error) {
	return coverageOf(ctx, db, r, false)
}

// FullCoverage returns how much of all of a range is known of the range's host, or of each host, also of what was before the record
// of it began: for what is known to have been there, such as a run.
func FullCoverage(ctx context.Context, db *DB, r Range) ([]Coverage, error) {
	return coverageOf(ctx, db, r, true)
}

// MomentCoverage returns how much is known of a time, in Unix seconds: of what was there then, on each host that was recorded before, or on one.
func MomentCoverage(ctx context.Context, db *DB, at float64, host string) ([]Coverage, error) {
	return HostCoverage(ctx, db, Range{Since: at - moment, Until: at, Host: host})
}

// moment is for how many seconds a time stands that is asked about: as clocks are read.
const moment = 1.0

// gone is for how many seconds nothing has come of a host that is none of the hosts any more, unless it is named.
const gone = 24 * 3600

// coverageOf reads what the database has of the range, and makes coverages of it.
func coverageOf(ctx context.Context, db *DB, r Range, full bool) ([]Coverage, error) {
	covers, err := keptCoverage(ctx, db, r, full)
	if err != nil {
		return nil, fmt.Errorf("read the coverage: %w", err)
	}
	proven := NotedProof(db).Until
	held, err := db.held(ctx)
	if err != nil {
		return nil, fmt.Errorf("read which hosts the database is of: %w", err)
	}
	for i := range covers {
		covers[i].ProvenUntil, covers[i].HostsHeld = proven, held(covers[i].Host)
	}
	return covers, nil
}

// keptCoverage makes coverages of what the database has of the range, unless it did so of the same revision: the questions that make one picture have the same range, and come at
// the same time. Where none are kept, or the revision is not known, it makes them each time.
func keptCoverage(ctx context.Context, db *DB, r Range, full bool) ([]Coverage, error) {
	if db.covers == nil {
		return workOut(ctx, db, r, full)
	}
	revision, err := Revision(ctx, db, Range{Since: r.Since, Until: r.Until})
	switch {
	case err != nil:
		return nil, err
	case revision == "":
		return workOut(ctx, db, r, full)
	}
	type key struct {
		since, until   float64
		host, revision string
		full           bool
	}
	covers, err := db.covers.get(key{r.Since, r.Until, r.Host, revision, full}, func() (any, error) { return workOut(ctx, db, r, full) })
	if err != nil {
		return nil, err
	}
	return slices.Clone(covers.([]Coverage)), nil
}

// workOut makes coverages of what the database has of the range.
func workOut(ctx context.Context, db *DB, r Range, full bool) ([]Coverage, error) {
	hosts, err := readEvidence(ctx, db, r)
	if err != nil {
		return nil, err
	}
	covers := []Coverage{}
	for _, e := range hosts {
		if !full {
			if e.began >= r.Until || r.Host == "" && e.ended() < r.Since-gone {
				continue
			}
			e.from = max(e.from, e.began)
		}
		covers = append(covers, e.coverage())
	}
	return covers, nil
}

// coverage is how much of its time the evidence covers.
func (e *evidence) coverage() Coverage {
	c := Coverage{Host: e.host, From: e.from, To: e.to, Gaps: int64(len(e.gaps)), Percent: 100, Reasons: []Reason{}}
	for data, percent := range map[Data]*float64{DataSnapshots: &c.Snapshots, DataEvents: &c.Events, DataCPU: &c.CPU, DataIO: &c.IO} {
		*percent = e.percent(data)
	}
	c.Reasons = append(c.Reasons, e.reasons()...)
	c.Complete = len(c.Reasons) == 0
	for _, percent := range []*float64{&c.Snapshots, &c.Events, &c.CPU, &c.IO} {
		if c.Complete { // a snapshot that came a little late is no loss
			*percent = 100
		}
		c.Percent = min(c.Percent, *percent)
	}
	c.Missing, c.Forks = e.missing(), e.forks
	return c
}
