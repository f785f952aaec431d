package trouble

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Trouble is what goes wrong now, or went wrong.
type Trouble struct {
	Kind    Kind             `json:"kind"`
	About   string           `json:"about,omitempty"` // the folder, stream, database or host that has it; empty for the process itself
	Since   time.Time        `json:"since"`           // by the wall clock
	Reason  string           `json:"reason"`
	Figures map[string]int64 `json:"figures,omitempty"` // by name, such as free_bytes and wanted_bytes
}

// Reporter is where the parts of a process tell of trouble. It has one line in the log when trouble begins, whoever else tells
// of it and how often, and one when it ends. Any goroutine may use it. A nil Reporter reports nothing.
type Reporter struct {
	log *slog.Logger

	mu     sync.Mutex
	open   map[key]*entry
	losses func() uint64
	noted  map[key]*note
}

// key is what makes two reports one trouble.
type key struct {
	kind  Kind
	about string
}

// entry is trouble that goes on.
type entry struct {
	Trouble
	parts map[string]bool // that have it
	said  bool            // its begin is in the log
	lost  uint64          // what was lost in the process's life when it began
}

// note is something that happens again and again, each time for a moment.
type note struct {
	said time.Time
	more int // that came since
}

// NewReporter returns a reporter to a log.
func NewReporter(log *slog.Logger) *Reporter {
	return &Reporter{log: cmp.Or(log, slog.Default()), open: map[key]*entry{}, noted: map[key]*note{}}
}

// CountLosses tells the reporter how many items the process has lost so far in its life: what was lost while trouble went on is
// what it cost. Without it the end of trouble says nothing of losses unless who ends it does.
func (r *Reporter) CountLosses(losses func() uint64) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.losses = losses
}

// Begin tells that a part has trouble: of what kind, with what, and why. The first to tell has its reason in the log. Who tells
// again says no more than how it is now: the reason and the figures are taken over. A kind that follows from others has no
// line while one of those goes on.
func (r *Reporter) Begin(part string, t Trouble) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	k := key{t.Kind, t.About}
	e := r.open[k]
	if e == nil {
		e = &entry{Trouble: t, parts: map[string]bool{}}
		if e.Since.IsZero() {
			e.Since = time.Now()
		}
		if r.losses != nil {
			e.lost = r.losses()
		}
		r.open[k] = e
	}
	e.Reason, e.parts[part] = t.Reason, true
	if t.Figures != nil {
		e.Figures = t.Figures
	}
	if !e.said && !r.follows(t.Kind) {
		e.said = true
		r.say(e)
	}
}

// follows reports whether a kind is the consequence of trouble that goes on.
func (r *Reporter) follows(k Kind) bool {
	own, _ := k.Info()
	for other := range r.open {
		if info, _ := other.kind.Info(); info.rank < own.rank && info.Level == Standing {
			return true
		}
	}
	return false
}

// say has the line of trouble that begins.
func (r *Reporter) say(e *entry) {
	args := []any{"kind", string(e.Kind)}
	if e.About != "" {
		args = append(args, "about", e.About)
	}
	args = append(args, "reason", e.Reason)
	for _, name := range slices.Sorted(maps.Keys(e.Figures)) {
		args = append(args, name, e.Figures[name])
	}
	info, _ := e.Kind.Info()
	r.log.Warn(info.Doc, args...)
}

// Again has another line of trouble that goes on: somebody did something about it, and it was not enough.
func (r *Reporter) Again(k Kind, about string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.open[key{k, about}]; e != nil && e.said {
		r.say(e)
	}
}

// End tells that a part no longer has trouble. When no part has it any more it is over. cost says what it cost, where the part
// knows; empty where the reporter is to tell from the losses of the process. Trouble that no part told of does not end.
func (r *Reporter) End(part string, k Kind, about, cost string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.open[key{k, about}]
	if e == nil || !e.parts[part] {
		return
	}
	if delete(e.parts, part); len(e.parts) > 0 {
		return
	}
	delete(r.open, key{k, about})
	if !e.said {
		return
	}
	args := []any{"kind", string(e.Kind)}
	if e.About != "" {
		args = append(args, "about", e.About)
	}
	info, _ := e.Kind.Info()
	args = append(args, "took", rounded(time.Since(e.Since)), "cost", cmp.Or(cost, r.cost(e), "not known here"))
	r.log.Warn(info.over, args...)
}

// cost is what was lost since trouble began.
func (r *Reporter) cost(e *entry) string {
	if r.losses == nil {
		return ""
	}
	return Lost(r.losses() - e.lost)
}

// Lost is a number of lost items in words.
func Lost(items uint64) string {
	switch items {
	case 0:
		return "nothing lost"
	case 1:
		return "1 item lost"
	}
	return fmt.Sprintf("%d items lost", items)
}

// rounded is a duration in as many digits as a reader needs.
func rounded(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}

// Open returns the trouble that goes on, the oldest first.
func (r *Reporter) Open() []Trouble {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	open := make([]Trouble, 0, len(r.open))
	for _, e := range r.open {
		t := e.Trouble
		t.Figures = maps.Clone(e.Figures)
		open = append(open, t)
	}
	slices.SortFunc(open, func(a, b Trouble) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.About, b.About))
	})
	return open
}
