package retention

import (
	"cmp"
	"log/slog"
	"slices"
)

// hostTroubles are what could not be done for single hosts. It costs those hosts, and no other's retention. Each has a
// line when it begins and one when it ends, however many passes it lasts.
type hostTroubles struct {
	log    *slog.Logger
	before map[hostTrouble]bool         // those of the pass before
	now    map[hostTrouble]*troubleKind // those of this pass
}

// hostTrouble is what is wrong with what a host, or a table where no host is known, holds.
type hostTrouble struct{ of, what string }

// troubleKind is how often one came in a pass, and how it was the first time.
type troubleKind struct {
	count int
	first []any // for the log
}

func newHostTroubles(log *slog.Logger) *hostTroubles {
	return &hostTroubles{log: log, now: map[hostTrouble]*troubleKind{}}
}

// note takes in one that came. first is more of it, as slog has it.
func (t *hostTroubles) note(of, what string, first ...any) {
	k := t.now[hostTrouble{of, what}]
	if k == nil {
		k = &troubleKind{first: first}
		t.now[hostTrouble{of, what}] = k
	}
	k.count++
}

// endPass tells which hostTroubles have begun in a pass, and which have ended.
func (t *hostTroubles) endPass() {
	sorted := func(of []hostTrouble) []hostTrouble {
		slices.SortFunc(of, func(a, b hostTrouble) int { return cmp.Or(cmp.Compare(a.of, b.of), cmp.Compare(a.what, b.what)) })
		return of
	}
	var begun, ended []hostTrouble
	still := map[hostTrouble]bool{}
	for k := range t.now {
		if still[k] = true; !t.before[k] {
			begun = append(begun, k)
		}
	}
	for k := range t.before {
		if !still[k] {
			ended = append(ended, k)
		}
	}
	for _, k := range sorted(begun) {
		t.log.Warn(k.what+"; the retention of others goes on", append([]any{"of", k.of, "count", t.now[k].count}, t.now[k].first...)...)
	}
	for _, k := range sorted(ended) {
		t.log.Info("no longer: "+k.what, "of", k.of)
	}
	t.before, t.now = still, map[hostTrouble]*troubleKind{}
}
