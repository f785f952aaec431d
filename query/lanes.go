package query

import (
	"context"
	"fmt"
	"time"

	"github.com/proctape/proctape/schema"
)

// ReadLanes returns the bars of a range, which has an end, for a picture of px pixels. Of the filter, the range, its host, the job and the step pick. Processes
// that are shorter than two pixels come as cells of four or more; of the others the longest 4000 have bars, and Total says how many there are.
//
// What it costs grows with the lives in the range, not with those stored: for each class of lengths it reads those that began in the range or so
// shortly before that they may reach into it; and where the short ones are very many, minutes are read in their place.
func ReadLanes(ctx context.Context, db *DB, f Filter, px int) (*Lanes, error) {
	px = max(px, cellWidth)
	span := f.Until - f.Since
	l := &Lanes{From: f.Since, To: f.Until, Runs: []RunBar{}, Groups: []LaneGroup{}, Bars: []LifeBar{}, Cells: []LifeCell{}}
	r := &laneReader{Lanes: l, filter: &f, index: map[laneKey]int{}, shortest: shortestBar(leastWidth * span / float64(px) * 1000)}
	cells, runs := &cellReader{r}, &runReader{r}
	for _, read := range []func(context.Context, *DB) error{r.readBars, r.readUntold, func(ctx context.Context, db *DB) error { return cells.readCells(ctx, db, px/cellWidth) }, runs.readRuns} {
		if err := read(ctx, db); err != nil {
			return nil, fmt.Errorf("read lanes: %w", err)
		}
	}
	r.sort()
	var err error
	l.Coverage, err = HostCoverage(ctx, db, Range{Since: f.Since, Until: min(f.Until, schema.Timestamp(time.Now().UnixNano())), Host: f.Host})
	return l, err
}
