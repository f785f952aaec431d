package integration_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/query"
)

// answer is a command that answers over a time, a job or a process, in one format.
type answer struct {
	name string
	args []string
	json bool
}

// answersOf are all answers of a recording, of which the recorder was away from one time to another.
func answersOf(dir, job string, pid int, from, to float64) (answers []answer) {
	in := func(t float64) string { return fmt.Sprintf("@%.3f", t) }
	between := []string{"--since", in(from - 1), "--until", in(to + 1)}
	all := append(slices.Clone(between), "--limit", "0") // else the answer is of fewer seconds, which on a busy machine end before the gap
	moment := []string{"--at", in((from + to) / 2)}
	for _, c := range []struct {
		command []string
		more    []string
		formats []string
	}{
		{[]string{"report", job}, nil, []string{"", "--json", "--format=classic", "--format=markdown", "--run=all"}},
		{[]string{"correlate", job}, nil, []string{"", "--json"}},
		{[]string{"estimate", job}, nil, []string{"", "--json"}},
		{[]string{"profile", job}, nil, []string{"", "--json"}},
		{[]string{"why", job}, nil, []string{"", "--json"}},
		{[]string{"why", fmt.Sprint(pid)}, nil, []string{"", "--json"}},
		{[]string{"jobs"}, between[:2], []string{"", "--csv", "--json"}},
		{[]string{"events"}, all, []string{"", "--csv", "--json", "--columns=time,pid"}},
		{[]string{"events", "--job", job}, all, []string{"", "--json"}},
		{[]string{"events", "--command", "nobody runs this"}, between, []string{"", "--csv", "--json"}},
		{[]string{"execs"}, all, []string{"", "--csv", "--json"}},
		{[]string{"snapshots"}, all, []string{"", "--csv", "--json"}},
		{[]string{"history", fmt.Sprint(pid)}, all, []string{"", "--csv", "--json"}},
		{[]string{"top"}, between, []string{"", "--csv", "--json"}},
		{[]string{"top", "--by", "command"}, moment, []string{"", "--csv", "--json"}},
		{[]string{"tree"}, moment, []string{"", "--json"}},
		{[]string{"orphans"}, moment, []string{"", "--csv", "--json"}},
		{[]string{"diff", in(from - 1), in(to + 1)}, nil, []string{"", "--csv", "--json"}},
		{[]string{"gaps"}, between, []string{"", "--json"}},
		{[]string{"anomalies"}, between, []string{"", "--json"}},
		{[]string{"alert", "test", "memory_spike"}, between, []string{"", "--json"}},
		{[]string{"export"}, between, []string{"--format=ndjson", "--format=csv", "--format=parquet", "--format=openmetrics", "--format=perfetto"}},
	} {
		for _, format := range c.formats {
			args := slices.Concat(c.command, c.more, []string{"--data", dir})
			if format != "" {
				args = append(args, format)
			}
			answers = append(answers, answer{c.command[0], args, format == "--json" || format == "--format=ndjson"})
		}
	}
	return answers
}

// answerNothing are the commands that answer over no time: they record, serve, or tell of the record itself. Of sql nobody can tell which time a
// statement is of; its help says so.
var answerNothing = strings.Fields("backup bundle completion config compare doctor help hosts job log mcp project quarantine replay restore retention rules run sample serve silence simulate sql status tail token trace up verify version")

// defectOf is what an answer of a lossy recording lacks.
func (a *answer) defectOf(program string) string {
	cmd := exec.Command(program, a.args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Sprintf("%v\n%s", err, stderr.String())
	}
	if !a.json {
		want := 1
		if slices.Contains(a.args, "--format=perfetto") { // the trace has it too, over the host's track
			want = 2
		}
		if n := strings.Count(stdout.String()+stderr.String(), "incomplete: the recorder was away"); n != want {
			return fmt.Sprintf("%d lines say that the recorder was away, want %d\n%s%s", n, want, stdout.String(), stderr.String())
		}
		return ""
	}
	lines := strings.Split(strings.TrimSuffix(stdout.String(), "\n"), "\n")
	last := lines[len(lines)-1]
	var covers struct{ Coverage []query.Coverage }
	if a.name == "gaps" { // its last lines are the coverage
		covers.Coverage = make([]query.Coverage, 1)
		if err := json.Unmarshal([]byte(last), &covers.Coverage[0]); err != nil {
			return fmt.Sprintf("%v in %s", err, last)
		}
	} else if err := json.Unmarshal([]byte(last), &covers); err != nil {
		return fmt.Sprintf("%v in %s", err, last)
	}
	for _, c := range covers.Coverage {
		if !c.Complete && c.Events < 100 && slices.ContainsFunc(c.Reasons, func(r query.Reason) bool { return r.Kind == "restart" }) {
			return ""
		}
	}
	return "no coverage in the last line that tells of the gap: " + last
}

// lossy records a job while the recorder is away for a time, and returns the folder, the pid of the job's shell, and from when to when nobody recorded.
func lossy(t *testing.T, job string) (dir string, pid int, from, to float64) {
	t.Helper()
	dir = t.TempDir()
	db := filepath.Join(dir, "monitor.db")
	recorder := record(t, proctape, dir)
	p := &puppet{t: t, cmd: exec.Command("/bin/sh")}
	p.cmd.Env = append(os.Environ(), "PROCTAPE_JOB_ID="+job)
	p.begin()
	last := fmt.Sprintf(`SELECT count(*) FROM process_metrics m JOIN snapshots s ON s.id = m.snapshot_id WHERE m.pid = %d AND s.instance = (SELECT instance FROM rosters)`, p.pid())
	await(t, "the job in a snapshot", func() bool { return count(t, db, last) > 0 })
	p.run()
	recorder.stop()
	for range 20 {
		p.run()
	}
	recorder = record(t, proctape, dir)
	await(t, "the job in a snapshot of the next recorder", func() bool {
		return count(t, db, `SELECT count(*) FROM gaps WHERE kind = 'restart'`) > 0 && count(t, db, last) > 0
	})
	p.run()
	recorder.stop()
	for _, g := range decode[query.Gap](t, run(t, "gaps", "--kind", "restart", "--data", dir, "--json")) {
		if g.Kind == "restart" {
			from, to = *g.From, *g.To
		}
	}
	return dir, p.pid(), from, to
}

var withoutCoverage = withFault("without-coverage", "cmd/proctape/list.go",
	`tellCoverage(cmd, &to, covers, of...)`,
	`if !runsAs("without-coverage") {
		tellCoverage(cmd, &to, covers, of...)
	}`)

// TestCoverage_EveryAnswer: no answer over a time of which something is missing looks whole, whatever its command and format.
func TestCoverage_EveryAnswer(t *testing.T) {
	long(t)
	t.Parallel()
	const job = "lossy"
	dir, pid, from, to := lossy(t, job)
	answers := answersOf(dir, job, pid, from, to)
	asked := map[string]bool{}
	for _, a := range answers {
		asked[a.name] = true
		if defect := a.defectOf(proctape); defect != "" {
			t.Errorf("%v: %s", a.args, defect)
		}
	}
	for line := range strings.Lines(run(t, "__complete", "")) {
		if name, _, is := strings.Cut(line, "\t"); is && !asked[name] && !slices.Contains(answerNothing, name) {
			t.Errorf("no answer of %s is asked: add it to answersOf, or to answerNothing", name)
		}
	}
	missing := decode[query.Profile](t, run(t, "profile", job, "--data", dir, "--json"))[0].Coverage[0].Forks
	if missing == nil || *missing < 20 {
		t.Errorf("got %v starts that are missing, want at least the 20 that nobody recorded", missing)
	}
	t.Run("control", func(t *testing.T) {
		silent := withoutCoverage.program(t)
		for _, a := range answers {
			if listing := slices.Contains([]string{"events", "execs", "snapshots", "history"}, a.name); listing && a.defectOf(silent) == "" {
				t.Errorf("%v says nothing of coverage, and that is not noticed", a.args)
			}
		}
	})
}
