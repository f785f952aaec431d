package projector

import (
	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// lines is how many rows of a batch have their lines already.
type lines struct{ gaps, snapshots, events int }

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
	*l = lines{len(batch.Gaps), len(batch.Snapshots), len(batch.Events)}
}

func gapLine(g *store.Gap) ndjson.Gap {
	return ndjson.Gap{Timestamp: schema.Timestamp(g.Noticed), Host: g.Host, Stream: g.Key.Stream, Reason: g.Reason, Count: g.Count,
		FromTime: schema.Timestamp(g.From), ToTime: schema.Timestamp(g.To), Details: g.Details}
}
