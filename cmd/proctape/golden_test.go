package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query/term"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenCases are questions to the fixed recording, by the name of the file with the answer. Each is about times that are fixed.
var goldenCases = map[string]string{
	"snapshots.txt":          "snapshots --since 2026-11-23 --until 2026-11-23T03:10:31 --newest --limit 4",
	"snapshots_wide.txt":     "snapshots --since 2026-11-23T03:10:20 --until 2026-11-23T03:10:31 --host build-07 --wide --top 2",
	"snapshots.csv":          "snapshots --since 2026-11-23T03:10:20 --until 2026-11-23T03:10:31 --host build-07 --csv --sort rss",
	"snapshots.json":         "snapshots --since 2026-11-23T03:10:20 --until 2026-11-23T03:10:24 --host build-07 --json",
	"events.txt":             "events --since 2026-11-23 --until 2026-11-24",
	"events_failed.txt":      "events --since 2026-11-23 --until 2026-11-24 --failed --columns time,pid,outcome,command --sort -pid",
	"events.csv":             "events --since 2026-11-23 --until 2026-11-24 --csv --job build-7 --run 1",
	"events.json":            "events --since 2026-11-23 --until 2026-11-24 --json --signal KILL",
	"execs.txt":              "execs --since 2026-11-23 --until 2026-11-24",
	"execs.json":             "execs --since 2026-11-23 --until 2026-11-24 --json",
	"history.txt":            "history 3951 --host build-07 --since 2026-11-23 --until 2026-11-24",
	"history.csv":            "history 3951 --since 2026-11-23 --until 2026-11-24 --csv",
	"history.json":           "history 3951 --since 2026-11-23T03:10:45 --until 2026-11-24 --json",
	"top_at.txt":             "top --once --at 2026-11-23T03:10:45 --host build-07",
	"top_range.txt":          "top --once --since 2026-11-23T03:10:00 --until 2026-11-23T03:11:01 --by user --sort mem",
	"top_job.txt":            "top --once --since 2026-11-23T03:10:00 --until 2026-11-23T03:11:01 --by job",
	"top.json":               "top --once --at 2026-11-23T03:10:45 --host build-07 --by command --json",
	"top.csv":                "top --once --at 2026-11-23T03:10:45 --host build-07 --csv",
	"tree.txt":               "tree --at 2026-11-23T03:10:45 --host build-07",
	"tree_job.txt":           "tree build-7 --at 2026-11-23T03:10:45",
	"tree.json":              "tree 3950 --at 2026-11-23T03:10:45 --host build-07 --json",
	"diff.txt":               "diff 2026-11-23T03:10:10 2026-11-23T03:10:55 --host build-07",
	"diff.json":              "diff 2026-11-23T03:10:10 2026-11-23T03:10:55 --host build-07 --json",
	"orphans.txt":            "orphans --at 2026-11-23T03:10:55 --host build-07",
	"orphans.json":           "orphans --at 2026-11-23T03:10:55 --host build-07 --json",
	"why_pid.txt":            "why 3951 --at 2026-11-23T03:10:51",
	"why_job.txt":            "why build-7",
	"why_run.txt":            "why build-7 --run 1",
	"history_run.txt":        "history 3951 --job build-7 --run 1 --columns time,rss",
	"top_run.txt":            "top --job build-7 --run 1 --sort mem",
	"profile_run.txt":        "profile build-7 --run 1",
	"profile_run.json":       "profile build-7 --run 1 --json",
	"misuse_run.txt":         "history 3951 --job build-7 --run 9",
	"misuse_step.txt":        "events --job build-7 --step 7",
	"why.json":               "why 3951 --host build-07 --json",
	"jobs.txt":               "jobs",
	"jobs_wide.txt":          "jobs --wide",
	"jobs.csv":               "jobs --csv",
	"jobs_since.txt":         "jobs --since 2026-11-23T03:10:56 --limit 5",
	"jobs.json":              "jobs --json",
	"runs.txt":               "jobs build-7",
	"runs.json":              "jobs build-7 --json",
	"profile.txt":            "profile build-7",
	"profile.json":           "profile build-7 --json",
	"report.txt":             "report build-7",
	"report_all.txt":         "report build-7 --run all",
	"report_agent.txt":       "report agent-7f3 --run 1",
	"report.md":              "report build-7 --format markdown",
	"report.json":            "report build-7 --format json",
	"report_groups.txt":      "report --group-by step",
	"report_groups.md":       "report * --group-by array --since 2026-11-20 --until 2026-11-30 --format markdown",
	"report_groups.json":     "report build-* --group-by outcome --json",
	"misuse_groups.txt":      "report build-* --group-by steps",
	"compare.txt":            "compare build-7 agent-7f3 --against 1",
	"compare.md":             "compare build-7 agent-7f3 --against 1 --format markdown",
	"compare.json":           "compare build-7 agent-7f3 --against 1 --json",
	"correlate.txt":          "correlate build-7 --all",
	"correlate.json":         "correlate build-7 --json",
	"estimate.txt":           "estimate build-7",
	"estimate.json":          "estimate build-7 --json",
	"misuse_correlate.txt":   "correlate build-7 --last 0",
	"misuse_compare.txt":     "compare build-7 --fail-over 20",
	"compare_times.txt":      "compare --since 2026-11-23T03:10:30 --until 2026-11-23T03:11:00",
	"compare_times.md":       "compare --since 2026-11-23T03:10:30 --until 2026-11-23T03:11:00 --before 2026-11-23T03:09:50 --by all,end --limit 3 --format markdown",
	"compare_times.json":     "compare --since 2026-11-23T03:10:30 --until 2026-11-23T03:11:00 --limit 4 --json",
	"misuse_times.txt":       "compare --since 2026-11-23T03:10:30 --until 2026-11-23T03:11:00 --before 2026-11-23T03:10:20",
	"gaps.txt":               "gaps --since 2026-11-23T03:10:00 --until 2026-11-23T03:11:01",
	"gaps.json":              "gaps --since 2026-11-23T03:10:00 --until 2026-11-23T03:11:01 --json",
	"sql_schema.txt":         "sql --schema",
	"sql_schema_view.txt":    "sql --schema process_metrics",
	"quarantine_list.txt":    "quarantine list",
	"quarantine_show.txt":    "quarantine show PROCTAPE_EVENTS/1/21",
	"quarantine_show.json":   "quarantine show PROCTAPE_EVENTS/1/21 --json",
	"hosts.txt":              "hosts list",
	"retention.txt":          "retention status",
	"misuse_job.txt":         "report biuld-7",
	"misuse_host.txt":        "events --host bild-07",
	"misuse_filter_job.txt":  "events --job agnet-7f3",
	"misuse_command.txt":     "hosts lst",
	"nothing_of_filter.txt":  "events --since 2026-11-23 --until 2026-11-24 --user 4711",
	"nothing_in_a_range.txt": "snapshots --since 2026-11-20 --until 2026-11-21",
}

// goldenWidths are cases that are shown on a narrow terminal too.
var goldenWidths = []string{"compare.txt", "compare_times.txt", "snapshots.txt", "events.txt", "history.txt", "top_at.txt", "tree.txt", "diff.txt", "orphans.txt", "why_pid.txt", "jobs.txt", "runs.txt", "profile.txt", "report.txt", "gaps.txt", "report_agent.txt"}

// TestGolden compares what commands print of the fixed recording with files: results, and below them what stands on stderr.
func TestGolden(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	record(t, dir, fixedStart)
	answer := func(args string) string {
		out := answerOf(t, append(strings.Fields(args), "--data", dir)...)
		return unvaried(strings.ReplaceAll(out, dir, "DATA"))
	}
	for name, args := range goldenCases {
		compareGolden(t, name, answer(args))
	}
	recent := filepath.Join(t.TempDir(), "recent") // that text leaves out events of more than a week ago, and has no times
	record(t, recent, time.Now().Add(-time.Hour))
	compareGolden(t, "report_classic.txt", answerOf(t, "report", "build-7", "--format", "classic", "--data", recent))
	t.Setenv("COLUMNS", "60")
	for _, name := range goldenWidths {
		out := answer(goldenCases[name])
		for line := range strings.Lines(out) {
			if line == "# stderr\n" {
				break
			}
			if cells := term.Width(strings.TrimSuffix(line, "\n")); cells > 60 {
				t.Errorf("%s: a line has %d cells of 60: %s", name, cells, line)
			}
		}
		compareGolden(t, strings.Replace(name, ".", "_60.", 1), out)
	}
}

// TestGolden_Help compares the help of every command with files. What is added to a help needs no other file; what is changed in it, or no longer in it, does.
func TestGolden_Help(t *testing.T) {
	t.Setenv("HOME", "/root") // where the data is by default
	var all func(cmd *cobra.Command)
	all = func(cmd *cobra.Command) {
		path := strings.Fields(cmd.CommandPath())[1:]
		name := filepath.Join("help", strings.Join(append([]string{"proctape"}, path...), "_")+".txt")
		got := strings.ReplaceAll(answerOf(t, append(path, "--help")...), defaultData(), "DATA")
		if *update {
			compareGolden(t, name, got)
		} else {
			compareHelp(t, name, got)
		}
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				all(sub)
			}
		}
	}
	all(newRoot())
}

// compareHelp checks that a help has all lines of the file of a name, in their order. Blanks within a line are those of columns.
func compareHelp(t *testing.T, name, got string) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", "golden", name))
	if os.IsNotExist(err) { // of a command that is new
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	has := strings.Split(got, "\n")
	for line := range strings.Lines(string(want)) {
		words := strings.Join(strings.Fields(line), " ")
		at := slices.IndexFunc(has, func(of string) bool { return strings.Join(strings.Fields(of), " ") == words })
		if at < 0 {
			t.Errorf("%s has no line %q; where that is meant, go test ./cmd/proctape -run TestGolden -update writes it. Got:\n%s", name, words, got)
			return
		}
		has = has[at+1:]
	}
}

// What is another one each time: when the log took a message and when somebody asks, and hashes.
var (
	shownTime  = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ`)
	unixTime   = regexp.MustCompile(`\b1[789]\d{8}(\.\d+)?\b`)
	hash       = regexp.MustCompile(`\b[0-9a-f]{16}\b`)
	shareOfNow = regexp.MustCompile(`("[a-z_]*percent"):\d+\.\d{5,}|("seconds"):\d{5,}(?:\.\d+)?`) // of a time that ends now
	fixedUntil = fixedStart.Add(24 * time.Hour)
)

// unvaried is an answer with a word in the place of what is another one each time.
func unvaried(s string) string {
	s = shownTime.ReplaceAllStringFunc(s, func(text string) string {
		if at, err := time.Parse("2006-01-02 15:04:05Z", text); err == nil && at.After(fixedUntil) {
			return "LATER"
		}
		return text
	})
	s = shareOfNow.ReplaceAllString(s, "$1$2:SHARE") // before times, which the digits of a fraction may look like
	return hash.ReplaceAllString(laterTimes(s), "HASH")
}

// laterTimes is a text with a word in the place of times that are no time of the recording.
func laterTimes(s string) string {
	return unixTime.ReplaceAllStringFunc(s, func(text string) string {
		if at, err := strconv.ParseFloat(text, 64); err == nil && at > float64(fixedUntil.Unix()) {
			return "LATER"
		}
		return text
	})
}

// The tests' times are in UTC, from before anything runs that reads the zone. The program of the scripts, which is this one under its own name,
// has the zone of its environment.
func init() {
	if filepath.Base(os.Args[0]) != "proctape" {
		time.Local = time.UTC
	}
}

// answerOf is what a command line prints: its results, then what stands on stderr, then an exit code that is not 0.
func answerOf(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	code := execute(t.Context(), args, strings.NewReader(""), &out, &errs)
	if errs.Len() > 0 {
		out.WriteString("# stderr\n" + errs.String())
	}
	if code != 0 {
		out.WriteString("# exit " + string(rune('0'+code)) + "\n")
	}
	return out.String()
}

// compareGolden compares a text with the file of a name, or writes the file.
func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Error(err, "; make it with go test ./cmd/proctape -run TestGolden -update")
		return
	}
	if got != string(want) {
		t.Errorf("%s differs; where the change is meant, go test ./cmd/proctape -run TestGolden -update writes it. Got:\n%s\nwant:\n%s", name, got, want)
	}
}
