package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// transcript are the questions of an agent that looks into a build that died, in its words and in the protocol's.
var transcript = []struct {
	says  string
	tool  string
	input map[string]any
	shows string // the keys of the answer that the document shows; empty for all
}{
	{"What is recorded here?", "overview", nil, "hosts gaps now"},
	{"build-7 failed. What did it use?", "report", map[string]any{"job": "build-7"},
		"untrusted_job_id run exit_code untrusted_status started ended wall_seconds total_cpu_seconds cpu_source peak_rss_mb peak_source peak_together_mb failed_count lower_bound advice"},
	{"Why did the linker die?", "why", map[string]any{"pid": 3951, "at": "2026-11-23T03:10:51Z"}, "cause untrusted_verdict moments used untrusted_unknown_of_it"},
	{"Who had the memory just then?", "top", map[string]any{"at": "2026-11-23T03:10:45Z", "sort": "mem", "by": "command", "limit": 2}, "from_time to_time rows lines"},
	{"Is something missing from that minute?", "gaps", map[string]any{"since": "2026-11-23T03:10:00Z", "until": "2026-11-23T03:11:00Z"}, ""},
	{"Did the agent's own session leave something running?", "orphans", map[string]any{"job": "agent-7f3", "at": "2026-11-23T03:10:55Z"}, ""},
	{"How many processes did each user start?", "sql", map[string]any{"statement": "SELECT uid, count(DISTINCT pid) AS processes FROM process_events GROUP BY uid"}, ""},
	{"Delete the old events.", "sql", map[string]any{"statement": "DELETE FROM process_events"}, ""},
}

const transcriptFile = "../../docs/agents-transcript.md"

// TestMCP_Transcript asks the questions of docs/agents-transcript.md, and writes that file with -update.
func TestMCP_Transcript(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	record(t, dir, fixedStart)
	a := newAgent(t, "--data", dir)
	var b strings.Builder
	b.WriteString(`# What an agent asks after a build has died

` + "`go test ./cmd/proctape -run TestMCP_Transcript -update`" + ` writes this page: it starts ` + "`proctape mcp`" + ` on a recording of one minute of two machines, and asks as an
agent's client does. Answers are shortened here: … stands for what is left out, and null (not known), and the units of all answers but the first, are not shown. What each tool
answers with is in [agents.md](agents.md).
`)
	for i, q := range transcript {
		answer, _ := a.ask(q.tool, q.input)
		if i > 0 {
			delete(answer, "about")
			delete(answer, "units")
		}
		if known, is := answer["coverage"].(map[string]any); is && q.tool != "gaps" {
			answer["coverage"] = map[string]any{"complete": known["complete"], "percent": known["percent"], "hosts": []any{"…"}, "units": "…"}
		}
		if of, is := answer["answer"].(map[string]any); is && q.shows != "" {
			for key := range of {
				if !slices.Contains(strings.Fields(q.shows), key) {
					delete(of, key)
				}
			}
			of["…"] = "…"
		}
		fmt.Fprintf(&b, "\n## %s\n\n<!-- of the transcript -->\n```json\n%s %s\n\n%s\n```\n", q.says, q.tool, strings.Replace(compactJSON(q.input), "null", "{}", 1), laterTimes(shortened(answer, "", 0)))
	}
	if *update {
		if err := os.WriteFile(transcriptFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(transcriptFile)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("%s differs; where the change is meant, -update writes it. Got:\n%s", transcriptFile, b.String())
	}
}

// Bounds of what a transcript shows.
const (
	shownItems = 2
	shownDepth = 4
	shownLine  = 150
)

// shortened is a value as people read it: of lists the first items, of what is deep nothing, and no nulls.
func shortened(value any, indent string, depth int) string {
	if text := compactJSON(trimmed(value, depth)); len(indent)+len(text) <= shownLine {
		return text
	}
	var lines []string
	switch v := trimmed(value, depth).(type) {
	case []any:
		for _, item := range v {
			lines = append(lines, indent+"  "+shortened(item, indent+"  ", depth+1))
		}
		return "[\n" + strings.Join(lines, ",\n") + "\n" + indent + "]"
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			lines = append(lines, fmt.Sprintf("%s  %q: %s", indent, key, shortened(v[key], indent+"  ", depth+1)))
		}
		return "{\n" + strings.Join(lines, ",\n") + "\n" + indent + "}"
	}
	return compactJSON(value)
}

// trimmed is a value without what is not shown of it.
func trimmed(value any, depth int) any {
	switch v := value.(type) {
	case []any:
		list := []any{}
		for i, item := range v {
			if i == shownItems && item != "…" {
				return append(list, "…")
			}
			list = append(list, trimmed(item, depth+1))
		}
		return list
	case map[string]any:
		if depth > shownDepth {
			return "…"
		}
		o := map[string]any{}
		for key, item := range v {
			if item != nil {
				o[key] = trimmed(item, depth+1)
			}
		}
		return o
	}
	return value
}

func compactJSON(value any) string {
	b, err := plainJSON(value)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
