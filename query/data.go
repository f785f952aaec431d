package query

import (
	"math"
	"slices"

	"github.com/proctape/proctape/schema"
)

// Data is a kind of what is recorded of a host.
type Data string

// The kinds of data, in the order in which they are told.
const (
	DataSnapshots Data = "snapshots"       // which processes there are, and what they use
	DataEvents    Data = "starts_and_ends" // every start and end of a process, however short its life
	DataCPU       Data = "cpu"             // of every process to its end
	DataIO        Data = "io"              // of every process to its end
)

// AllData are the kinds of data.
var AllData = [...]Data{DataSnapshots, DataEvents, DataCPU, DataIO}

// beginless are the kinds of gaps of what came before the record: as in the query of [Gaps].
var beginless = []schema.GapKind{schema.GapBeforeLog, schema.GapTrimmedUnread, schema.GapDatabaseDamaged}

// extent is the time of a gap, as far as it is known. One that is of what came before the record has no beginning.
func extent(g *Gap) stretch {
	to := deref(g.To, deref(g.From, g.Timestamp))
	from := deref(g.From, to)
	if g.From == nil && slices.Contains(beginless, g.Kind) {
		from = math.Inf(-1)
	}
	return stretch{min(from, to), to}
}

// hides reports whether a gap hides some of a kind of data.
func hides(g *Gap, data Data) bool {
	info, known := g.Kind.Info()
	switch {
	case !known: // a newer producer knows what it is
		return true
	case info.Loss == schema.LossPossible && g.Count != nil && *g.Count == 0 && g.Kind != schema.GapRestart:
		return false
	}
	events := data != DataSnapshots
	switch info.Hides {
	case schema.HidesAll:
		return true
	case schema.HidesSnapshots:
		return !events
	case schema.HidesEvents:
		return events
	case schema.HidesTotals:
		return data == DataCPU || data == DataIO
	case schema.HidesStream:
		return g.Stream == schema.StreamEvents && events || g.Stream == schema.StreamSnapshots && !events
	case schema.HidesItems:
		return g.MessageKind == nil || hidesItems(schema.Kind(*g.MessageKind), data)
	}
	return false
}

// hidesItems reports whether items of a kind of message tell of a kind of data.
func hidesItems(kind schema.Kind, data Data) bool {
	switch kind {
	case schema.KindSnapshot, schema.KindRollup:
		return data == DataSnapshots
	case schema.KindExit:
		return data != DataSnapshots
	}
	return data == DataEvents
}
