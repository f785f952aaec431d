package schema

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/proctape/proctape/schema/metric"
)

const metricDocument = "../docs/metrics.md"

// docs/metrics.md is made from the table of metrics.
func TestMetrics_Document(t *testing.T) {
	checkDocument(t, metricDocument, writeMetricDocument(), "schema/metric/table.go says", "TestMetrics_Document")
}

// checkDocument checks that a document is what it is made from, and says how to write it anew. -update writes it.
func checkDocument(t *testing.T, file, want, source, test string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("%s is not what %s (%v). Write it anew: go test ./schema -run %s -update", strings.TrimPrefix(file, "../"), source, err, test)
	}
}

func writeMetricDocument() string {
	var b strings.Builder
	b.WriteString(`<!-- Written by go test ./schema -run TestMetrics_Document -update from schema/metric/table.go. Do not edit it. -->
# Metrics

What a snapshot says of a process. A *gauge* is a value of the moment. A *counter* grows from the process's start on. The wire and the
tables have whole numbers in the first unit; the view ` + "`process_metrics`" + `, the lines of ` + "`monitor.jsonl`" + ` and the answers of commands
(` + "`--json`" + `) have numbers in the second, under one name. [wire.md](wire.md) says how messages are written.

## What was measured

| name in the view, lines and answers | meaning | kind | unit: stored, shown | where it is not known |
|---|---|---|---|---|
`)
	for _, id := range metric.Shown {
		m := &metric.Table[id]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Key, m.Doc, kindName(m), unitName(m), unknownName(id))
	}
	b.WriteString(`
Where a value is not known, the tables have NULL. The view has NULL too, but for the state. Lines and answers give the number of the last
column for a metric that the contract names, and lack the key of any other. The key ` + "`unknown`" + ` of an answer names what of these was not known of
its process.

| name | column of ` + "`samples`, key in JSON on the wire" + ` | wire column | largest value | after full resolution: columns of ` + "`process_rollups`" + ` |
|---|---|---|---|---|
`)
	for _, id := range metric.Shown {
		m := &metric.Table[id]
		fmt.Fprintf(&b, "| `%s` | `%s` | %d | %d | %s |\n", m.Key, m.Name, id, m.Limit, rollupName(m))
	}
	b.WriteString(`
## Which process it is

These are columns of the wire too. The table ` + "`processes`" + ` has them once for each process, and not for each snapshot. A process is known
by its host, its boot, its pid and its start.

| name on the wire | meaning | kind | wire column | largest value, or length in bytes | may be unknown |
|---|---|---|---|---|---|
`)
	for id := range metric.Count {
		if m := &metric.Table[id]; !m.Measured() {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %d | %d | %s |\n", m.Name, m.Doc, kindName(m), id, m.Limit, yesNo(m.MayBeUnknown()))
		}
	}
	return b.String()
}

func kindName(m *metric.Metric) string {
	return map[metric.Kind]string{metric.Identity: "number", metric.Text: "text", metric.Gauge: "gauge", metric.Counter: "counter",
		metric.Letter: "letter", metric.Flag: "true or false"}[m.Kind]
}

func unitName(m *metric.Metric) string {
	switch {
	case m.Unit.Name == "":
		return "–"
	case m.Unit.Name == m.Unit.Shown:
		return m.Unit.Name
	}
	return m.Unit.Name + ", " + m.Unit.Shown
}

// unknownName says what lines and answers have for a value that is not known.
func unknownName(id metric.ID) string {
	m := &metric.Table[id]
	switch {
	case m.Kind == metric.Letter:
		return fmt.Sprintf("`%c`, in the view too", rune(m.Default))
	case id.InContract():
		return fmt.Sprintf("`%d`", m.Default)
	case !m.MayBeUnknown():
		return "always known in a message"
	}
	return "no key"
}

func rollupName(m *metric.Metric) string {
	switch m.Rollup {
	case metric.Last:
		return "last: `" + m.Name + "`"
	case metric.Spread:
		return fmt.Sprintf("mean, largest, 95th percentile: `%[1]s_mean`, `%[1]s_max`, `%[1]s_p95`", m.Spread)
	}
	return "not kept"
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
