package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// agent is a client of the protocol, of the SDK, that has started the program and asks it.
type agent struct {
	t       *testing.T
	session *sdk.ClientSession
}

// newAgent starts the program on a recording, as an agent's client does.
func newAgent(t *testing.T, args ...string) *agent {
	t.Helper()
	cmd := exec.Command("proctape", append([]string{"mcp"}, args...)...)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	cmd.Stderr = os.Stderr
	session, err := sdk.NewClient(&sdk.Implementation{Name: "agent", Version: "1"}, nil).Connect(t.Context(), &sdk.CommandTransport{Command: cmd}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return &agent{t, session}
}

// ask asks a tool, and returns what it says and whether that is an error.
func (a *agent) ask(tool string, input map[string]any) (map[string]any, bool) {
	a.t.Helper()
	r, err := a.session.CallTool(a.t.Context(), &sdk.CallToolParams{Name: tool, Arguments: input})
	if err != nil {
		a.t.Fatalf("%s %v: %v", tool, input, err)
	}
	text := r.Content[0].(*sdk.TextContent).Text
	var value map[string]any
	if err := json.Unmarshal([]byte(text), &value); err != nil && !r.IsError {
		a.t.Fatalf("%s %v: %v in %s", tool, input, err, text)
	} else if err != nil { // the SDK's own, of an input that does not fit
		value = map[string]any{"error": text}
	} else if !reflect.DeepEqual(r.StructuredContent, any(value)) {
		a.t.Errorf("%s %v: the text and the structure differ: %s and %v", tool, input, text, r.StructuredContent)
	}
	return value, r.IsError
}

// sampleQuestions are questions to the fixed recording, and the command lines that ask the same of it in JSON.
var sampleQuestions = []struct {
	tool  string
	input map[string]any
	line  string
	items string // the key of the list that the command prints a line each of; empty where it prints the answer in one
}{
	{"jobs", map[string]any{}, "jobs", "items"},
	{"jobs", map[string]any{"job": "build-7"}, "jobs build-7", "items"},
	{"report", map[string]any{"job": "build-7"}, "report build-7", ""},
	{"report", map[string]any{"job": "agent-7f3", "run": "1"}, "report agent-7f3 --run 1", ""},
	{"report", map[string]any{"job": "build-7", "run": "all"}, "report build-7 --run all", ""},
	{"why", map[string]any{"pid": 3951, "host": "build-07"}, "why 3951 --host build-07", ""},
	{"why", map[string]any{"job": "build-7"}, "why build-7", ""},
	{"why", map[string]any{"event": 17408}, "why --event 17408", ""},
	{"top", map[string]any{"at": "2026-11-23T03:10:45", "host": "build-07", "by": "command"}, "top --once --at 2026-11-23T03:10:45 --host build-07 --by command", "rows"},
	{"top", map[string]any{"since": "2026-11-23T03:10:00", "until": "2026-11-23T03:11:01", "sort": "mem"}, "top --once --since 2026-11-23T03:10:00 --until 2026-11-23T03:11:01 --sort mem", "rows"},
	{"tree", map[string]any{"at": "2026-11-23T03:10:45", "host": "build-07"}, "tree --at 2026-11-23T03:10:45 --host build-07", "trees"},
	{"compare", map[string]any{"job": "build-7", "other": "agent-7f3", "against": "1"}, "compare build-7 agent-7f3 --against 1", ""},
	{"compare_times", map[string]any{"since": "2026-11-23T03:10:30", "until": "2026-11-23T03:11:00", "limit": 4}, "compare --since 2026-11-23T03:10:30 --until 2026-11-23T03:11:00 --limit 4", ""},
	{"correlate", map[string]any{"job": "build-7"}, "correlate build-7", ""},
	{"estimate", map[string]any{"job": "build-7", "since": "2026-11-23"}, "estimate build-7 --since 2026-11-23", ""},
	{"events", map[string]any{"since": "2026-11-23", "until": "2026-11-24", "order": "oldest"}, "events --since 2026-11-23 --until 2026-11-24", "items"},
	{"events", map[string]any{"since": "2026-11-23", "until": "2026-11-24", "signal": 9}, "events --since 2026-11-23 --until 2026-11-24 --signal KILL --newest", "items"},
	{"events", map[string]any{"since": "2026-11-23", "job": "build-7", "failed": true, "order": "oldest"}, "events --since 2026-11-23 --job build-7 --failed", "items"},
	{"gaps", map[string]any{"since": "2026-11-23T03:10:00", "until": "2026-11-23T03:11:01"}, "gaps --since 2026-11-23T03:10:00 --until 2026-11-23T03:11:01", "items"},
	{"orphans", map[string]any{"at": "2026-11-23T03:10:55", "host": "build-07"}, "orphans --at 2026-11-23T03:10:55 --host build-07", "items"},
}

// TestMCP_AnswersAsTheCommands asks the program that an agent's client starts what people ask with commands.
func TestMCP_AnswersAsTheCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	dir := filepath.Join(t.TempDir(), "data")
	record(t, dir, fixedStart)
	t.Run("here", func(t *testing.T) { answersAsTheCommands(t, newAgent(t, "--data", dir), dir) })
	t.Run("elsewhere", func(t *testing.T) {
		if testing.Short() {
			t.Skip("SKIPPED: the same questions once more, which make test asks")
		}
		url := serveData(t, dir)
		answersAsTheCommands(t, newAgent(t, "--url", url, "--token-file", filepath.Join(dir, "creds", "http.token")), dir)
	})
}

// serveData serves a recording over HTTP, and returns where.
func serveData(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.Command("proctape", "serve", "--data", dir, "--http", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	first, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(first)
}

// answersAsTheCommands asks an agent's tools and the commands the same of the fixed recording.
func answersAsTheCommands(t *testing.T, a *agent, dir string) {
	t.Helper()
	for _, q := range sampleQuestions {
		answer, failed := a.ask(q.tool, q.input)
		if failed {
			t.Errorf("%s %v: %v", q.tool, q.input, answer)
			continue
		}
		var lines []any
		for d := json.NewDecoder(strings.NewReader(answerOf(t, append(strings.Fields(q.line), "--json", "--data", dir)...))); ; {
			var line map[string]any
			if err := d.Decode(&line); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", q.line, err)
			}
			if line["coverage_percent"] == nil { // which is how gaps ends
				lines = append(lines, unmarked(line))
			}
		}
		got, want := unmarked(answer["answer"]), any(nil)
		if len(lines) > 0 {
			want = lines[0]
		}
		if q.items != "" {
			got, want = got.(map[string]any)[q.items], lines
		}
		if q.line == "jobs" || strings.HasSuffix(q.line, "--newest") { // people have the newest at the end
			slices.Reverse(lines)
		}
		if q.tool == "tree" {
			got, want = got.([]any)[0].(map[string]any)["roots"], lines[0].(map[string]any)["roots"]
		}
		if indented(got) != indented(want) {
			t.Errorf("%s %v:\n%s\nthe command %q:\n%s", q.tool, q.input, indented(got), q.line, indented(want))
		}
		if covers := answer["coverage"].(map[string]any); covers["percent"] == nil {
			t.Errorf("%s %v: no coverage: %s", q.tool, q.input, indented(covers))
		}
	}
}

// unmarked is a value without the marks of its keys, and without coverage, which commands have elsewhere.
func unmarked(value any) any {
	switch v := value.(type) {
	case []any:
		list := []any{}
		for _, item := range v {
			list = append(list, unmarked(item))
		}
		return list
	case map[string]any:
		o := map[string]any{}
		for key, item := range v {
			if key != "coverage" {
				o[strings.TrimPrefix(key, "untrusted_")] = unmarked(item)
			}
		}
		return o
	}
	return value
}

func indented(value any) string {
	b, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// TestMCP_Offers looks at what the program offers: every tool only reads and says what it takes, and the resources are there.
func TestMCP_Offers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	record(t, dir, fixedStart)
	a := newAgent(t, "--data", dir)
	offered, err := a.session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range offered.Tools {
		names = append(names, tool.Name)
		if hints := tool.Annotations; !hints.ReadOnlyHint || hints.DestructiveHint == nil || *hints.DestructiveHint || *hints.OpenWorldHint {
			t.Errorf("%s: hints %+v", tool.Name, hints)
		}
		described := tool.InputSchema.(map[string]any)
		if described["additionalProperties"] == nil {
			t.Errorf("%s takes what it does not know", tool.Name)
		}
		properties, _ := described["properties"].(map[string]any)
		for name, p := range properties {
			if p := p.(map[string]any); p["description"] == nil || p["type"] == "integer" && p["maximum"] == nil || p["type"] == "string" && p["maxLength"] == nil {
				t.Errorf("%s: the input %s has no description or no bound: %v", tool.Name, name, p)
			}
		}
	}
	if want := strings.Fields("compare compare_times correlate estimate events gaps jobs orphans overview report sql top tree why"); !slices.Equal(names, want) {
		t.Errorf("tools %v, want %v", names, want)
	}
	for uri, has := range map[string]string{"proctape://schema": `"table":"process_metrics"`, "proctape://gap-kinds": `"kind":"missed_ticks"`} {
		r, err := a.session.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: uri})
		if err != nil || len(r.Contents) != 1 || !strings.Contains(r.Contents[0].Text, has) {
			t.Errorf("%s: %v %v", uri, r, err)
		}
	}
	if told := a.session.InitializeResult().Instructions; !strings.Contains(told, "overview first") || !strings.Contains(told, "untrusted_") {
		t.Errorf("instructions: %s", told)
	}
	overview, _ := a.ask("overview", nil)
	if hosts := overview["answer"].(map[string]any)["hosts"].([]any); len(hosts) != 2 {
		t.Errorf("hosts of the overview: %v", hosts)
	}
}

// TestMCP_Piped pipes questions in whose input ends before they are answered, with lines between them that are no messages: each question is
// answered, and each such line costs itself only.
func TestMCP_Piped(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	record(t, dir, fixedStart)
	long := strings.Repeat("x", 2<<20)
	slow := `{"name":"sql","arguments":{"statement":"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 200000) SELECT count(*) FROM n"}}`
	in := strings.Join([]string{"garbage", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`, "[]", long, "", `{"jsonrpc":"2.0","id":{},"method":"x"}`, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":` + slow + `}`,
		`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"overview","arguments":{}}}`, `{"jsonrpc":"2.0","id":4,"method":"nonsense"}`}, "\n")
	var out, errs strings.Builder
	if code := execute(t.Context(), []string{"mcp", "--data", dir}, strings.NewReader(in), &out, &errs); code != 0 || errs.String() != "" {
		t.Fatalf("it ends with %d and says %s", code, &errs)
	}
	var answered []string
	for line := range strings.Lines(out.String()) {
		var m struct{ ID, Result, Error json.RawMessage }
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		answered = append(answered, fmt.Sprintf("%s %v", m.ID, m.Error == nil))
	}
	slices.Sort(answered)
	if want := "[1 true 2 true 3 true 4 false null false null false null false null false]"; fmt.Sprint(answered) != want {
		t.Errorf("answered %v, want %s", answered, want)
	}
}

// TestMCP_Refuses asks what cannot be answered.
func TestMCP_Refuses(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	dir := filepath.Join(t.TempDir(), "data")
	record(t, dir, fixedStart)
	a := newAgent(t, "--data", dir, "--timeout", "2s")
	before, err := os.ReadFile(filepath.Join(dir, "monitor.db"))
	if err != nil {
		t.Fatal(err)
	}
	endless := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT "
	for _, c := range []struct {
		tool  string
		input map[string]any
		says  string
	}{
		{"report", map[string]any{"job": "biuld-7"}, `"untrusted_did_you_mean": [ "build-7"`},
		{"report", map[string]any{}, `missing properties: ["job"]`},
		{"report", map[string]any{"job": "build-7", "run": "9"}, "the job has no such run"},
		{"events", map[string]any{"host": "bild-07"}, `"untrusted_did_you_mean": [ "build-07"`},
		{"events", map[string]any{"colour": "red"}, "colour"},
		{"events", map[string]any{"limit": 1001}, "1001"},
		{"events", map[string]any{"pid": -1}, "-1"},
		{"events", map[string]any{"since": "when it was dark"}, "it is not a time|is not a time"},
		{"events", map[string]any{"since": "2026-11-23", "until": "2026-11-22"}, "it is not after since"},
		{"events", map[string]any{"after": "nonsense"}, "it is no cursor"},
		{"events", map[string]any{"command": strings.Repeat("x", 5000)}, "maxLength"},
		{"why", map[string]any{"pid": 1, "job": "build-7"}, "give one of them"},
		{"why", map[string]any{"pid": 99999}, "nothing is recorded of such a process"},
		{"top", map[string]any{"by": "colour"}, "colour"},
		{"gaps", map[string]any{"kind": "missed_tick"}, "did you mean missed_ticks?"},
		{"compare", map[string]any{"job": "build-7"}, "there is no run to compare with"},
		{"compare_times", map[string]any{"until": "now"}, "it is missing, or not before until"},
		{"compare_times", map[string]any{"since": "-1h", "about": []string{"colour"}}, "it is not one of what differences are about"},
		{"sql", map[string]any{"statement": "DELETE FROM hosts"}, "only a statement that reads rows is answered"},
		{"sql", map[string]any{"statement": "SELECT 1; SELECT 2"}, "only one statement at a time"},
		{"sql", map[string]any{"statement": "ATTACH 'x.db' AS x"}, "only a statement that reads rows is answered"},
		{"sql", map[string]any{"statement": "SELECT nothing FROM nowhere"}, "SQLite refuses the statement"},
		{"sql", map[string]any{"statement": endless + "count(*) FROM n"}, "it was stopped after 2s"},
		{"sql", map[string]any{"statement": "SELECT 1", "rows": 10_001}, "10001"},
	} {
		answer, failed := a.ask(c.tool, c.input)
		said := strings.Join(strings.Fields(indented(answer)), " ")
		if text, is := answer["error"].(string); is {
			said += text
		}
		if !failed || !slices.ContainsFunc(strings.Split(c.says, "|"), func(says string) bool { return strings.Contains(said, says) }) {
			t.Errorf("%s %.100v: failed %v, and it says %s, not %q", c.tool, c.input, failed, said, c.says)
		}
	}
	if after, err := os.ReadFile(filepath.Join(dir, "monitor.db")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the database is not as it was: %v", err)
	}
	// The control: the program goes on after all that.
	if _, failed := a.ask("sql", map[string]any{"statement": "SELECT 1"}); failed {
		t.Error("a statement is refused that reads")
	}
}

// TestMCP_Bounds asks for more than an answer holds: what it leaves out is told, and can be asked for.
func TestMCP_Bounds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	record(t, dir, fixedStart)
	a := newAgent(t, "--data", dir)
	numbers := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i"
	for _, c := range []struct {
		statement string
		rows      int
		least     int // rows that come
		most      int
		cut       bool
	}{{numbers + " FROM n LIMIT 20000", 10_000, 10_000, 10_000, true}, {numbers + " FROM n LIMIT 10000", 10_000, 10_000, 10_000, false}, {numbers + " FROM n", 0, 100, 100, true},
		{numbers + ", printf('%.*c', 5000, 'x') FROM n", 10_000, 20, 200, true}} {
		input := map[string]any{"statement": c.statement}
		if c.rows > 0 {
			input["rows"] = c.rows
		}
		answer, failed := a.ask("sql", input)
		if failed {
			t.Errorf("%s: %v", c.statement, answer)
			continue
		}
		n := len(answer["answer"].(map[string]any)["untrusted_rows"].([]any))
		if n < c.least || n > c.most || answer["truncated"] != c.cut {
			t.Errorf("%s: %d rows, truncated %v", c.statement, n, answer["truncated"])
		}
	}
	var all, paged []any
	whole, _ := a.ask("events", map[string]any{"since": "2026-11-23", "limit": 1000})
	all = whole["answer"].(map[string]any)["items"].([]any)
	for input := (map[string]any{"since": "2026-11-23", "limit": 2}); ; {
		page, failed := a.ask("events", input)
		if failed {
			t.Fatal(page)
		}
		paged = append(paged, page["answer"].(map[string]any)["items"].([]any)...)
		if page["truncated"] != true {
			break
		}
		input["after"] = page["next"]
	}
	if whole["truncated"] != false || len(all) < 10 || indented(all) != indented(paged) {
		t.Errorf("%d events at once, %d page by page", len(all), len(paged))
	}
	tree, _ := a.ask("tree", map[string]any{"at": "2026-11-23T03:10:45", "host": "build-07", "limit": 2})
	of := tree["answer"].(map[string]any)["trees"].([]any)[0].(map[string]any)
	if text := indented(of); tree["truncated"] != true || strings.Count(text, `"pid"`) != 2 || of["process_count"].(float64) < 5 {
		t.Errorf("a tree of two processes: truncated %v, %s", tree["truncated"], text)
	}
}
