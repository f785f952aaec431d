package anomaly_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/producer/simulate"
	"github.com/proctape/proctape/projector/anomaly"
	"github.com/proctape/proctape/schema"
)

var update = flag.Bool("update", false, "write the table of docs/anomalies.md anew")

// builtIn are the built-in rules, compiled.
func builtIn(t testing.TB) *anomaly.Rules {
	t.Helper()
	rules, err := anomaly.Compile(anomaly.BuiltIn())
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// fleet is hosts with a kind of trouble, or without any.
func fleet(t testing.TB, kind string, hosts int) (*simulate.Fleet, simulate.Config) {
	t.Helper()
	cfg := simulate.Config{Hosts: hosts, Processes: 60, Interval: 5 * time.Second, Churn: 0.1, Jobs: 1, Seed: 7, Trouble: kind, Start: time.Unix(1_795_000_000, 0)}
	f, err := simulate.NewFleet(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f, cfg
}

// find has the rules look at a fleet for a time, and returns what was last told of each episode.
func find(t testing.TB, rules *anomaly.Rules, f *simulate.Fleet, steps int) map[schema.Instance]*schema.Message {
	t.Helper()
	found := map[schema.Instance]*schema.Message{}
	engine := anomaly.NewEngine(rules)
	for range steps {
		for i := range f.Len() {
			for _, m := range f.Host(i).Step() {
				for _, e := range engine.Observe(&m) {
					if err := e.Validate(); err != nil {
						t.Fatal(err)
					}
					found[e.Instance] = e
				}
			}
		}
	}
	return found
}

// score is how well a rule does on the troubles of its kind.
type score struct {
	troubles, found, right, wrong int // wrong: episodes of the rule that are of no trouble of its kind
	delay                         time.Duration
}

// Each built-in rule finds each trouble of its kind, once, and says nothing without one.
func TestBuiltIn_FindTroubles(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	const hosts = 4
	scores := map[string]*score{}
	for _, r := range anomaly.BuiltIn() {
		scores[r.Name] = &score{}
	}
	rules := builtIn(t)
	for _, trouble := range simulate.Troubles {
		f, cfg := fleet(t, trouble.Kind, hosts)
		steps := int((trouble.Begin + trouble.Length + 10*time.Minute) / cfg.Interval)
		perHost := map[string]int{}
		for _, m := range find(t, rules, f, steps) {
			a := m.Anomaly
			if !isOf(trouble.Kind, a) {
				scores[a.Rule].wrong++
				t.Logf("%s: %s on %s: %s", trouble.Kind, a.Rule, m.Host, a.Description)
				continue
			}
			s := scores[a.Rule]
			s.right++
			perHost[m.Host]++
			if !a.Ended.Known {
				t.Errorf("%s on %s: the episode did not end: %+v", trouble.Kind, m.Host, a)
			}
			s.delay = max(s.delay, time.Duration(a.Noticed-a.Started))
		}
		s := scores[trouble.Kind]
		s.troubles += hosts
		s.found += len(perHost)
		for host, n := range perHost {
			if n != 1 {
				t.Errorf("%s on %s: %d episodes of one trouble", trouble.Kind, host, n)
			}
		}
	}
	table := scoreTable(scores)
	t.Log("\n" + table)
	for name, s := range scores {
		if s.found < s.troubles || s.wrong > 0 {
			t.Errorf("%s: found %d of %d troubles, and %d episodes of none", name, s.found, s.troubles, s.wrong)
		}
	}
	checkTable(t, tableBegin, table)
}

// isOf reports whether an episode is of a trouble: of the rule of its name, and about what is in trouble.
func isOf(kind string, a *schema.Anomaly) bool {
	return a.Rule == kind && (a.About.Kind != schema.AboutProcess && a.About.Kind != schema.AboutGroup || strings.Contains(a.About.Command, "/opt/trouble/"))
}

const (
	document    = "../../docs/anomalies.md"
	tableBegin  = "<!-- table of precision and recall: go test ./projector/anomaly -run FindTroubles -update -->\n"
	tracesBegin = "<!-- table of traces: go test ./projector/anomaly -run Traces -update -->\n"
	tableEnd    = "<!-- end of the table -->"
)

// scoreTable is the table of precision and recall.
func scoreTable(scores map[string]*score) string {
	var b strings.Builder
	b.WriteString("| rule | troubles | found | episodes of no trouble | precision | recall |\n|---|---|---|---|---|---|\n")
	for _, r := range anomaly.BuiltIn() {
		s := scores[r.Name]
		precision, recall := "–", "–"
		if n := s.right + s.wrong; n > 0 {
			precision = fmt.Sprintf("%.2f", float64(s.right)/float64(n))
		}
		if s.troubles > 0 {
			recall = fmt.Sprintf("%.2f", float64(s.found)/float64(s.troubles))
		}
		fmt.Fprintf(&b, "| `%s` | %d | %d | %d | %s | %s |\n", r.Name, s.troubles, s.found, s.wrong, precision, recall)
	}
	return b.String()
}

// checkTable compares a table with that of the document.
func checkTable(t *testing.T, begin, table string) {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", document)
	}
	want := before + begin + table + tableEnd + after
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Errorf("%s has another table. Write it anew: %s", document, begin)
	}
}

// The rules that the document shows are right, and it tells of each built-in one.
func TestDocument_Rules(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	shown, _, ok := strings.Cut(rest, "```")
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte(shown), 0o600); err != nil || !ok {
		t.Fatal(err, ok)
	}
	rules, err := anomaly.ReadRules(file)
	if err == nil {
		_, err = anomaly.Compile(rules)
	}
	if err != nil || len(rules) != len(anomaly.BuiltIn())+1 {
		t.Errorf("%d rules, error %v", len(rules), err)
	}
	for _, r := range anomaly.BuiltIn() {
		if !strings.Contains(string(text), "`"+r.Name+"`") {
			t.Errorf("%s says nothing of %s", document, r.Name)
		}
	}
}
