package lifecycle

import "github.com/proctape/proctape/schema"

// pendingLoss is a loss that waits to be taken.
type pendingLoss struct {
	noticed, from, to int64 // boot times
	count             int64 // 0 when not known
}

// lossLog holds the losses that wait to be taken, by their kinds of gap.
type lossLog struct {
	*trackerState
	losses map[schema.GapKind]*pendingLoss
}

// noteLoss notes that count, or an unknown number if 0, were lost between the boot time since and now.
func (l *lossLog) noteLoss(kind schema.GapKind, since, count int64) {
	h := l.losses[kind]
	if h == nil {
		if since == 0 { // before the first poll
			since = l.boot
		}
		h = &pendingLoss{noticed: l.boot, from: since}
		l.losses[kind] = h
	}
	h.to = l.boot
	h.count += count
}

// takeLosses returns the losses that were noticed by the boot time until, and forgets them.
func (l *lossLog) takeLosses(until int64) []schema.Gap {
	if len(l.losses) == 0 {
		return nil
	}
	var gaps []schema.Gap
	for _, k := range schema.GapKinds() {
		h := l.losses[k.Kind]
		if h == nil || h.noticed > until {
			continue
		}
		gap := schema.Gap{
			Kind: k.Kind, FromWall: l.wall(h.from), ToWall: l.wall(h.to), Details: k.Doc,
		}
		if h.count > 0 {
			gap.Count = schema.Some(h.count)
		}
		gaps = append(gaps, gap)
		delete(l.losses, k.Kind)
	}
	return gaps
}
