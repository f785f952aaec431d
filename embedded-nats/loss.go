package embeddednats

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/proctape/proctape/embedded-nats/block"
	"github.com/proctape/proctape/schema"
)

// loss is what a stream lost in one place.
type loss struct {
	after, before     uint64 // the last sequence before and the first behind it that are there; 0 where that is not known
	fromTime, toTime  int64  // about when they were stored, nanoseconds of Unix time; 0 where that is not known
	atEnd, beginsHere bool   // nothing is behind it, or nothing is before it
	ids               []string
	file              string // the file that was damaged; empty when one is missing
}

// count is how many messages are lost, where that is known. Messages up to removed had been removed before.
func (l *loss) count(removed uint64) schema.Opt[int64] {
	if l.before == 0 || l.after == 0 && !l.beginsHere {
		return schema.Opt[int64]{}
	}
	return schema.Some(int64(l.before - min(l.before, max(l.after, removed)+1)))
}

// gap is the loss as a gap of the record.
func (l *loss) gap(stream string, removed uint64, aside string) schema.Gap {
	to := l.toTime
	if to == 0 {
		to = time.Now().UnixNano()
	}
	return schema.Gap{Kind: schema.GapLogDamaged, Count: l.count(removed), FromWall: cmp.Or(l.fromTime, to), ToWall: to, Details: l.details(stream, removed, aside)}
}

// details says where the loss is, whose messages they were as far as their ids can be read, and where the damaged file is.
func (l *loss) details(stream string, removed uint64, aside string) string {
	var b strings.Builder
	from, n := max(l.after, removed)+1, l.count(removed)
	switch {
	case n.Known && n.V == 1:
		fmt.Fprintf(&b, "message %d of %s", from, stream)
	case n.Known:
		fmt.Fprintf(&b, "messages %d to %d of %s", from, l.before-1, stream)
	case l.before > 0:
		fmt.Fprintf(&b, "messages of %s before %d, nobody knows how many", stream, l.before)
	default:
		fmt.Fprintf(&b, "messages of %s behind %d, nobody knows how many", stream, l.after)
	}
	if whose := producersOf(l.ids); len(whose) > 0 {
		b.WriteString("; among them")
		for i, name := range slices.Sorted(maps.Keys(whose)) {
			if i == 10 {
				b.WriteString(" and others")
				break
			}
			fmt.Fprintf(&b, " %d of %s,", whose[name], name)
		}
	}
	if l.file == "" {
		fmt.Fprint(&b, "; a file of the log is missing")
	} else {
		fmt.Fprintf(&b, "; file %s was damaged and is kept as %s", l.file, aside)
	}
	return strings.ReplaceAll(b.String(), ",;", ";")
}

// producersOf counts message ids by instance and kind.
func producersOf(ids []string) map[string]int {
	whose := map[string]int{}
	for _, id := range ids {
		if at := strings.LastIndexByte(id, '.'); at > 0 {
			whose[strings.Replace(id[:at], ".", " ", 1)]++
		}
	}
	return whose
}

// readBlock is a file of messages and what was read of it.
type readBlock struct {
	blockFile
	*block.File
}

// history is what is known of a stream's messages before its files are compared.
type history struct {
	index    block.Index
	hasIndex bool
	whole    bool // the server wrote the index when it stopped, and nothing since
	all      bool // every file of the stream was read
	holes    bool // messages are removed from the middle too, so that jumps between files say nothing
}

// lossesOf finds what is missing in files that lie one behind another. removed is the highest sequence below which messages
// were removed.
func lossesOf(files []readBlock, h history) (losses []loss, removed uint64) {
	for _, f := range files {
		removed = max(removed, f.Removed)
	}
	if h.hasIndex && h.index.First > 0 {
		removed = max(removed, h.index.First-1)
	}
	last, lastTime := uint64(0), int64(0)
	begins := h.all && len(files) > 0 && (files[0].number == 1 || removed > 0)
	open := -1 // the loss of which the end is not known yet
	for _, f := range files {
		if open >= 0 && f.First > 0 && (len(f.Holes) == 0 || f.Holes[0].After > 0) {
			losses[open].before, losses[open].toTime, open = f.First, f.FirstTime, -1
		} else if open < 0 && !h.holes && last > 0 && f.First > last+1 && (len(f.Holes) == 0 || f.Holes[0].After > 0) {
			losses = append(losses, loss{after: last, before: f.First, fromTime: lastTime, toTime: f.FirstTime})
		}
		for _, hole := range f.Holes {
			l := loss{after: hole.After, before: hole.Before, fromTime: hole.AfterTime, toTime: hole.BeforeTime, ids: hole.IDs, file: f.path}
			if l.after == 0 {
				l.after, l.fromTime, l.beginsHere = last, lastTime, begins && last == 0
			}
			if open >= 0 { // the end of a file and the beginning of the next
				losses[open].before, losses[open].toTime = l.before, l.toTime
				losses[open].ids = append(losses[open].ids, l.ids...)
			} else {
				losses = append(losses, l)
				open = len(losses) - 1
			}
			if hole.Before > 0 {
				open = -1
			} else if hole.Counted && f.number == files[len(files)-1].number {
				losses[open].before = losses[open].after + uint64(hole.Count) + 1
			}
		}
		if f.Last > 0 {
			last, lastTime = f.Last, f.LastTime
		}
	}
	return endOf(losses, open, h, max(last, removed), lastTime), removed
}

// endOf completes the losses by what the index knows of the stream's end.
func endOf(losses []loss, open int, h history, last uint64, lastTime int64) []loss {
	if !h.hasIndex || h.index.Last <= last {
		if open >= 0 {
			losses[open].atEnd = true
		}
		return losses
	}
	if open < 0 {
		losses = append(losses, loss{after: last, fromTime: lastTime, beginsHere: last == 0})
		open = len(losses) - 1
	}
	l := &losses[open]
	l.atEnd, l.toTime = true, h.index.LastTime
	if h.whole || l.before <= h.index.Last {
		l.before = h.index.Last + 1
	}
	return losses
}
