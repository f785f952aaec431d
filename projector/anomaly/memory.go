package anomaly

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/wire"
)

// memoryVersion is the form of a memory. One of another form is forgotten.
const memoryVersion = 1

// The most that a memory may hold, of each list, and bytes of a text.
const (
	mostItems = 1 << 22
	mostBytes = 1 << 20
)

// save is the memory as bytes, for load.
func save(mem *memory) []byte {
	w := wire.NewWriter()
	w.Begin(nil)
	w.Array(9)
	w.Uint(memoryVersion)
	w.String(mem.bootID)
	w.Int(mem.boot)
	w.Int(mem.wall)
	w.Int(mem.interval)
	w.Int(mem.previous)
	if mem.forks.Known {
		w.Int(mem.forks.V)
	} else {
		w.Nil()
	}
	saveStates(mem, w)
	w.Array(len(mem.rules))
	for i := range mem.rules {
		j := mem.of.list[i]
		w.Array(3)
		w.String(j.Name)
		w.String(j.digest)
		mem.rules[i].save(w, mem.boot)
	}
	return w.Take()
}

func saveStates(mem *memory, w *wire.Writer) {
	keys := sorted(mem.states.since)
	w.Array(len(keys))
	for _, key := range keys {
		s := mem.states.since[key]
		w.Array(5)
		w.Int(key.id)
		w.Uint(key.start)
		w.Uint(uint64(s.letter))
		w.Int(s.at)
		w.Uint(s.done)
	}
}

// sorted are the keys of a map in an order that is always the same.
func sorted[V any](m map[subject]V) []subject {
	keys := make([]subject, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b subject) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.start, b.start), cmp.Compare(a.name, b.name))
	})
	return keys
}

func (m *ruleMemory) save(w *wire.Writer, boot int64) {
	keys := sorted(m.states)
	w.Array(len(keys))
	for _, key := range keys {
		s := m.states[key]
		w.Array(6)
		w.Int(key.id)
		w.Uint(key.start)
		w.Uint(key.name)
		w.Int(boot - s.window.last)
		w.Array(3 * len(s.window.points))
		for _, p := range s.window.points {
			w.Int(p.at)
			saveNumber(w, p.v)
		}
		if s.episode == nil {
			w.Nil()
			continue
		}
		b, _ := json.Marshal(s.episode) // numbers and texts always encode
		w.Bytes(b)
	}
}

// saveNumber writes a number: as a whole number of 1024ths where it is one, as sizes are, and else its bits; a truth before it says which.
func saveNumber(w *wire.Writer, v float64) {
	scaled := v * 1024
	whole := scaled == math.Trunc(scaled) && math.Abs(scaled) < 1<<52
	w.Bool(whole)
	if whole {
		w.Int(int64(scaled))
		return
	}
	w.Uint(math.Float64bits(v))
}

func readNumber(r *wire.Reader) float64 {
	if r.Bool() {
		return float64(r.Int()) / 1024
	}
	return math.Float64frombits(r.Uint())
}

// load takes over what another remembered. What is remembered for a rule that is gone, or says something else now, is forgotten; episodes of such a
// rule end, and are added to what was found.
func load(mem *memory, saved []byte, host string) error {
	r := wire.NewReader(saved)
	r.Open(mostItems)
	if r.Uint() != memoryVersion {
		return nil
	}
	mem.bootID = r.String(mostBytes)
	mem.boot, mem.wall, mem.interval, mem.previous = r.Int(), r.Int(), r.Int(), r.Int()
	if !r.Nil() {
		mem.forks = schema.Some(r.Int())
	}
	loadStates(mem, r)
	mem.now = moment{wall: mem.wall, boot: mem.boot}
	n, _ := r.Open(mostItems)
	for range n {
		if err := loadRule(mem, r, host); err != nil {
			return err
		}
	}
	return r.Err()
}

func loadStates(mem *memory, r *wire.Reader) {
	mem.states.since = map[subject]stateSince{}
	n, list := r.Open(mostItems)
	for range n {
		fields, one := r.Open(mostItems)
		key := subject{id: r.Int(), start: r.Uint()}
		s := stateSince{letter: byte(r.Uint()), at: r.Int()}
		if fields > 4 { // older memories have not got it
			s.done = r.Uint()
		}
		mem.states.since[key] = s
		r.Close(one)
	}
	r.Close(list)
}

func loadRule(mem *memory, r *wire.Reader, host string) error {
	_, outer := r.Open(mostItems)
	name, digest := r.String(mostBytes), r.String(mostBytes)
	at := slices.IndexFunc(mem.of.list, func(j *compiled) bool { return j.Name == name && j.digest == digest })
	n, list := r.Open(mostItems)
	for range n {
		key, s, err := loadState(r, mem.boot)
		switch {
		case err != nil:
			return err
		case at >= 0:
			rules := &mem.rules[at]
			s2 := rules.at(key, true)
			if *s2 = *s; s.episode != nil {
				rules.open++
			}
		default:
			tellGone(mem, s, host)
		}
	}
	r.Close(list)
	r.Close(outer)
	return nil
}

// tellGone ends an episode whose rule is gone or says something else now.
func tellGone(mem *memory, s *state, host string) {
	e := s.end(schema.EndRuleChanged, max(mem.wall, 1), mem.now)
	if e == nil {
		return
	}
	e.Type = orElse(e.Type, schema.KindAnomaly.AnomalyType())
	mem.found = append(mem.found, e.message(host, mem.now))
}

func loadState(r *wire.Reader, boot int64) (subject, *state, error) {
	s := &state{}
	_, outer := r.Open(mostItems)
	key := subject{id: r.Int(), start: r.Uint(), name: r.Uint()}
	s.window.last = boot - r.Int()
	n, list := r.Open(mostItems)
	for range n / 3 {
		s.window.points = append(s.window.points, point{r.Int(), readNumber(r)})
		if r.Err() != nil {
			break
		}
	}
	r.Close(list)
	if !r.Nil() {
		if err := json.Unmarshal(r.Bytes(mostBytes), &s.episode); err != nil && r.Err() == nil {
			return key, nil, fmt.Errorf("read an episode that the rules remember: %w", err)
		}
	}
	r.Close(outer)
	return key, s, r.Err()
}
