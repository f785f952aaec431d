package projector

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// measuredProcess has a value of its own in every metric: a multiple of 4, so that whatever is written in pages is too.
func measuredProcess(pid int) schema.Process {
	p := schema.Process{PID: pid, PPID: 1, Command: "measured"}
	for _, id := range metric.Numbers {
		if metric.Table[id].Measured() {
			p.SetNumber(id, schema.Some(valueOf(id)))
		}
	}
	return p
}

func valueOf(id metric.ID) int64 {
	if metric.Table[id].Kind == metric.Letter {
		return 'D'
	}
	return 4000 + 4*int64(id)
}

// shownOf is a metric's value as the view, lines and answers have it.
func shownOf(id metric.ID) any {
	m := &metric.Table[id]
	if m.Kind == metric.Letter {
		return string(rune(valueOf(id)))
	}
	return float64(valueOf(id)) / float64(m.Unit.Per)
}

// loss says at what place of its way a metric is lost, and where that is mended.
type loss struct {
	id          metric.ID
	place, mend string
}

func (l loss) String() string {
	return fmt.Sprintf("metric %s is lost on its way into %s: %s", metric.Table[l.id].Name, l.place, l.mend)
}

const (
	inTable  = "see its entry in schema/metric/table.go"
	generate = "run go generate ./schema/metric"
)

// measuredIDs are the metrics that are measured.
func measuredIDs() []metric.ID {
	return slices.DeleteFunc(slices.Clone(metric.Numbers), func(id metric.ID) bool { return !metric.Table[id].Measured() })
}

// Every metric of a snapshot comes into samples, the view, the line and the answers.
func TestMetrics_EachComesThrough(t *testing.T) {
	for _, l := range lossesOf(t, measuredProcess(7)) {
		t.Error(l)
	}
	// The control: a process of which one metric is not known.
	spoilt := measuredProcess(7)
	spoilt.RSS = schema.Opt[int64]{}
	for _, l := range lossesOf(t, spoilt) {
		if l.id != metric.RSS {
			t.Error(l)
		}
	}
	if len(lossesOf(t, spoilt)) != 4 {
		t.Errorf("got losses %v, want one in each of four places", lossesOf(t, spoilt))
	}
}

// lossesOf follows each metric of a process from its snapshot on.
func lossesOf(t *testing.T, process schema.Process) (losses []loss) {
	t.Helper()
	h := newHost("h")
	h.start(process)
	m := h.snapshot()
	p := newTape(t, 1<<20)
	p.fold(newLog().publish(m))
	line := jsonProcess(t, []byte(p.files()[ndjson.SnapshotsFile]))
	answer, err := json.Marshal(query.SnapshotFromMessage(m))
	if err != nil {
		t.Fatal(err)
	}
	live := jsonProcess(t, answer)
	for _, id := range measuredIDs() {
		info := &metric.Table[id]
		if !info.Sampled || info.Key == "" {
			losses = append(losses, loss{id, "samples, the view and the answers", inTable + ": set Sampled and Key"})
			continue
		}
		if got := p.rows(`SELECT ` + info.Name + ` FROM samples`); !slices.Equal(got, []string{fmt.Sprint(letterOr(id, valueOf(id)))}) {
			losses = append(losses, loss{id, "samples", fmt.Sprintf("got %q; %s", got, inTable)})
		}
		if got := p.rows(`SELECT ` + info.Key + ` FROM process_metrics`); !slices.Equal(got, []string{fmt.Sprint(shownOf(id))}) {
			losses = append(losses, loss{id, "process_metrics", fmt.Sprintf("got %q, want %v; %s", got, shownOf(id), inTable)})
		}
		if got := live[info.Key]; got != shownOf(id) {
			losses = append(losses, loss{id, "an answer made of a message", fmt.Sprintf("got %v, want %v; %s", got, shownOf(id), generate)})
		}
		if got := line[info.Key]; (id.InContract() || info.InLine) && got != shownOf(id) {
			losses = append(losses, loss{id, "the line of monitor.jsonl", fmt.Sprintf("got %v, want %v; %s", got, shownOf(id), inTable)})
		}
	}
	return losses
}

// letterOr is a number, or the letter that a code stands for.
func letterOr(id metric.ID, v int64) any {
	if metric.Table[id].Kind == metric.Letter {
		return string(rune(v))
	}
	return v
}

// jsonProcess is the only process of a snapshot in JSON.
func jsonProcess(t *testing.T, b []byte) map[string]any {
	t.Helper()
	var s struct {
		Processes []map[string]any `json:"processes"`
	}
	if err := json.Unmarshal(b, &s); err != nil || len(s.Processes) != 1 {
		t.Fatalf("got %d processes, error %v in %.200s", len(s.Processes), err, b)
	}
	return s.Processes[0]
}

// Every metric is still there when its snapshots have become a minute, in the tables and in the answers.
func TestMetrics_EachOutlivesFullResolution(t *testing.T) {
	w := newWorld(t)
	h := w.host("h", measuredProcess(7))
	w.run(13*minute, 20*second, func(*simHost) {}, h)
	d := w.open("db", short)
	d.settle()
	if removed := d.retain(); removed.RollupsMade == 0 {
		t.Fatalf("no rollup was made: %+v", removed)
	}
	d.settle()
	db, err := query.Open(t.Context(), d.path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	points, err := query.History(t.Context(), db, 7, query.Range{})
	if err != nil || len(points) == 0 || points[0].Resolution != query.Minute {
		t.Fatalf("got %d points, error %v, want a minute first", len(points), err)
	}
	b, err := json.Marshal(points[0])
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(b, &answer); err != nil {
		t.Fatal(err)
	}
	for _, id := range measuredIDs() {
		info := &metric.Table[id]
		if info.Rollup == metric.NoRollup {
			t.Error(loss{id, "the rollup", inTable + ": say in Rollup what is kept of it"})
			continue
		}
		column := info.Name
		if info.Rollup == metric.Spread {
			column = info.Spread + "_mean"
		}
		if got := d.rows(`SELECT DISTINCT ` + column + ` FROM process_rollups`); !slices.Equal(got, []string{fmt.Sprint(letterOr(id, valueOf(id)))}) {
			t.Error(loss{id, "process_rollups", fmt.Sprintf("got %q; %s", got, inTable)})
		}
		if got := answer[info.Key]; !same(got, shownOf(id)) {
			t.Error(loss{id, "an answer about a minute", fmt.Sprintf("got %v, want %v; %s", got, shownOf(id), generate)})
		}
	}
}

func same(got, want any) bool {
	a, ok := got.(float64)
	b, number := want.(float64)
	if ok && number {
		return math.Abs(a-b) < 1e-9
	}
	return got == want
}
