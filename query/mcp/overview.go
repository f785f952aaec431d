package mcp

import (
	"context"
	"slices"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// How much an overview tells.
const (
	lastHour     = 3600 // seconds before the newest message
	lastJobs     = 10
	lastFailures = 10
)

// overviewed is what an agent is told first.
type overviewed struct {
	Now      float64        `json:"now"` // when the question was asked
	Hosts    []recordedHost `json:"hosts"`
	MoreHost int            `json:"more_hosts"`
	Jobs     []query.Job    `json:"last_jobs"`     // with the last run of each, the newest first
	Died     []query.Event  `json:"last_failures"` // ends by a signal or with another exit code than 0 in the last hour that was recorded, the newest first
	Gaps     []gapCount     `json:"gaps"`          // of the last hour that was recorded
}

// recordedHost is what is recorded of a host.
type recordedHost struct {
	Host      string   `json:"host"`
	First     *float64 `json:"first_time"` // of the oldest snapshot that is kept at full resolution
	Last      float64  `json:"last_time"`  // of the newest message
	Snapshots int64    `json:"snapshots"`  // kept at full resolution
	Stored    int64    `json:"stored_items"`
	Missing   int64    `json:"missing_items"`
}

// gapCount is how many gaps of a kind there are.
type gapCount struct {
	Kind schema.GapKind `json:"kind"`
	Gaps int            `json:"gaps"`
}

// overview answers what is recorded.
func overview(ctx context.Context, a *asked, _ *struct{}) (*reply, error) {
	o := &overviewed{Now: a.unix(), Hosts: []recordedHost{}, Gaps: []gapCount{}, Jobs: []query.Job{}}
	hosts, err := query.Hosts(ctx, a.db)
	if err != nil {
		return nil, err
	}
	hour := query.Range{Newest: true, Reverse: true, Limit: lastFailures}
	for _, h := range hosts {
		if h.Host == schema.Fleet {
			continue
		}
		hour.Until = max(hour.Until, h.LastTime)
		if len(o.Hosts) == mostHosts {
			o.MoreHost++
			continue
		}
		first, err := firstSnapshot(ctx, a.db, h.Host)
		if err != nil {
			return nil, err
		}
		o.Hosts = append(o.Hosts, recordedHost{h.Host, first, h.LastTime, h.Snapshots, h.Stored, h.Missing})
	}
	if hour.Until = min(hour.Until, o.Now); hour.Until <= 0 {
		return &reply{value: o}, nil
	}
	hour.Since = hour.Until - lastHour
	if o.Died, err = query.Events(ctx, a.db, query.Filter{Range: hour, Failed: true}); err != nil {
		return nil, err
	}
	if o.Jobs, err = newestJobs(ctx, a.db, query.Range{Limit: lastJobs}); err != nil {
		return nil, err
	}
	if o.Gaps, err = countGaps(ctx, a.db, query.Range{Since: hour.Since, Until: hour.Until}); err != nil {
		return nil, err
	}
	covers, err := lastKnown(ctx, a)
	return &reply{value: o, covers: covers, cut: o.MoreHost > 0}, err
}

// firstSnapshot is the time of the oldest snapshot of a host; nil when there is none.
func firstSnapshot(ctx context.Context, db *query.DB, host string) (*float64, error) {
	for s, err := range query.SnapshotSeq(ctx, db, query.Filter{Range: query.Range{Host: host, Limit: 1}}) {
		return &s.Timestamp, err
	}
	return nil, nil
}

// newestJobs are the jobs that were seen last, with their last runs and what they used, the newest first.
func newestJobs(ctx context.Context, db *query.DB, r query.Range) ([]query.Job, error) {
	r.Newest = true
	list, err := query.Jobs(ctx, db, r)
	if err != nil {
		return nil, err
	}
	if err := query.AddLastRuns(ctx, db, list); err != nil {
		return nil, err
	}
	slices.Reverse(list)
	return list, query.AddBest(ctx, db, list)
}

// countGaps counts the gaps of a range by kind, in the order in which the kinds are described.
func countGaps(ctx context.Context, db *query.DB, r query.Range) ([]gapCount, error) {
	all, err := query.Gaps(ctx, db, r, "")
	if err != nil {
		return nil, err
	}
	count := map[schema.GapKind]int{}
	for i := range all {
		count[all[i].Kind]++
	}
	counts := []gapCount{}
	for _, k := range schema.GapKinds() {
		if n := count[k.Kind]; n > 0 {
			counts = append(counts, gapCount{k.Kind, n})
			delete(count, k.Kind)
		}
	}
	for kind, n := range count { // a newer producer's
		counts = append(counts, gapCount{kind, n})
	}
	return counts, nil
}

// lastKnown is how much is known of the last hour that was recorded.
func lastKnown(ctx context.Context, a *asked) ([]query.Coverage, error) {
	hosts, err := query.Hosts(ctx, a.db)
	until := 0.0
	for i := range hosts {
		until = max(until, hosts[i].LastTime)
	}
	if until = min(until, a.unix()); err != nil || until == 0 {
		return nil, err
	}
	return query.HostCoverage(ctx, a.db, query.Range{Since: until - lastHour, Until: until})
}
