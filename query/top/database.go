package top

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/proctape/proctape/query"
)

// Database is a source that reads a database. A recorder may write it meanwhile.
type Database struct {
	db   *query.DB
	tell Teller

	mu     sync.Mutex
	reader *query.ProcessReader
	cache  []*snapshot // the last used last
}

// snapshot is what was read of a snapshot, or of a minute, with its processes. None of these changes.
type snapshot struct {
	*query.HostAt
	cpu float64 // of all its processes, in percent of a core
	// rows are of its processes, with their rates since the snapshot before them; nil until they were asked for.
	rows   []Row
	before int64 // the id of that snapshot; 0 for none
}

// Teller tells what is known of a process or a run, as text of several lines.
type Teller func(ctx context.Context, q AskStory) (string, error)

// NewDatabase returns a source over an open database, which stays the caller's to close. tell is asked for stories.
func NewDatabase(db *query.DB, tell Teller) *Database {
	db.LimitCache(pagesKept)
	return &Database{db: db, tell: tell, reader: query.NewProcessReader()}
}

const (
	// Pages of the database that each connection keeps: what a screen reads again it keeps itself.
	pagesKept = 2 << 20
	// Snapshots are kept: of a host one and the one before it, and more as long as they have few processes.
	cached          = 8
	cachedProcesses = 20_000
	trendOf         = 10   // snapshots that the sparklines of the header show
	coveredFor      = 3600 // seconds of which the coverage is shown
	mostEnded       = 500  // rows of processes that ended
	lastDeaths      = 8
	// An end is shown for an interval, and for so many seconds at least: a live screen is drawn no more often.
	shortestEnd = 2
)

// Now is the time now.
func (d *Database) Now() float64 { return float64(time.Now().UnixNano()) / 1e9 }

// processes are the processes of a snapshot, read once.
func (d *Database) processes(ctx context.Context, m *query.HostAt) (*snapshot, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	same := func(c *snapshot) bool {
		return c.Host == m.Host && c.Timestamp == m.Timestamp && c.ID == m.ID && c.Resolution == m.Resolution
	}
	if i := slices.IndexFunc(d.cache, same); i >= 0 {
		c := d.cache[i]
		d.cache = append(slices.Delete(d.cache, i, i+1), c)
		return c, nil
	}
	h := *m
	if err := d.reader.Add(ctx, d.db, &h); err != nil {
		return nil, err
	}
	c := &snapshot{HostAt: &h}
	for i := range h.Processes {
		c.cpu += h.Processes[i].CPUPercent
	}
	d.cache = append(d.cache, c)
	kept, of := 0, map[string]int{}
	for i := range slices.Backward(d.cache) {
		kept += len(d.cache[i].Processes)
		of[d.cache[i].Host]++
		if n := len(d.cache) - i; n > cached || of[d.cache[i].Host] > 2 && kept > cachedProcesses {
			d.cache = slices.Delete(d.cache, 0, i+1)
			break
		}
	}
	return c, nil
}

// deaths reads exits, each with its cause.
func (d *Database) deaths(ctx context.Context, f query.Filter) ([]query.Event, error) {
	f.Types = []string{"exit", "kill", "oom", "signal"}
	events, err := query.Events(ctx, d.db, f)
	if err != nil {
		return nil, err
	}
	return joined(events)
}

// joined joins the two events of a death by a signal into one.
func joined(events []query.Event) ([]query.Event, error) {
	return query.All(query.WithCauses(func(yield func(query.Event, error) bool) {
		for i := range events {
			if !yield(events[i], nil) {
				return
			}
		}
	}))
}
