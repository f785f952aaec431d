package projector

import (
	"errors"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// output is what a session writes: rows of the database and lines of the files. What is folded waits in the batch until it
// is flushed.
type output struct {
	store *store.Store
	files *ndjson.Files // nil when no files are kept
	batch *store.Batch
	lines lines
}

// appendLines appends the lines of the rows that were added to the batch since it was last called.
func (o *output) appendLines() { o.lines.append(o.files, o.batch) }

// flush commits the batch: rows, then lines, then how far both have come. It returns what was committed, and the batch is
// empty afterwards.
func (o *output) flush() (Stats, error) {
	if err := o.store.Write(o.writeBatch); err != nil {
		return Stats{}, err
	}
	o.batch.Stats.Commits++
	committed := o.batch.Stats
	o.batch.Reset()
	o.lines = lines{}
	return committed, nil
}

func (o *output) writeBatch(tx *store.Tx) error {
	if err := tx.WriteBatch(o.batch); err != nil {
		return err
	}
	return o.files.Flush(tx.WriteFileState)
}

// writeFileState stores how far a file is.
func (o *output) writeFileState(path string, state ndjson.State) error {
	return o.store.Write(func(tx *store.Tx) error { return tx.WriteFileState(path, state) })
}

func (o *output) close() error { return errors.Join(o.files.Close(), o.store.Close()) }

// lines is how many rows of a batch have their lines already.
type lines struct{ gaps, snapshots, events, execs int }

// append appends the lines of the rows that were added to a batch since. A message's gaps come before its events.
func (l *lines) append(files *ndjson.Files, batch *store.Batch) {
	for i := range batch.Gaps[l.gaps:] {
		if g := &batch.Gaps[l.gaps+i]; g.Change == store.GapNoticed {
			files.AppendGap(gapLine(&g.Gap))
		}
	}
	for _, row := range batch.Snapshots[l.snapshots:] {
		files.AppendSnapshot(row.Message)
	}
	for _, row := range batch.Events[l.events:] {
		files.AppendEvent(row.Message, row.Event)
	}
	for _, row := range batch.Execs[l.execs:] {
		files.AppendExec(row.Message, row.Exec)
	}
	*l = lines{len(batch.Gaps), len(batch.Snapshots), len(batch.Events), len(batch.Execs)}
}

func gapLine(g *store.Gap) ndjson.Gap {
	return ndjson.Gap{Timestamp: schema.Timestamp(g.Noticed), Host: g.Host, Stream: g.Key.Stream, Kind: g.Kind, Count: g.Count,
		FromTime: schema.Timestamp(g.From), ToTime: schema.Timestamp(g.To), Details: g.Details}
}
