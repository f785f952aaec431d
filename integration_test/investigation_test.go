package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/report"
	"github.com/proctape/proctape/query/why"
)

var buildsTrouble = sync.OnceValues(func() (string, error) {
	program := filepath.Join(filepath.Dir(proctape), "trouble")
	return program, build(program, "../bench/cmd/trouble", "CGO_ENABLED=0")
})

// deed is what the troublemaker says that it did.
type deed struct {
	What     string
	PID      int64
	PIDs     []int64
	From, To float64
	Count    float64
	Exit     int64
}

// troubled is a recording of trouble, and what the trouble was.
type troubled struct {
	dir, program string
	deeds        map[string][]deed
}

// makeTrouble records the short form of trouble.
func makeTrouble(t *testing.T) *troubled {
	t.Helper()
	made := &troubled{dir: t.TempDir(), program: must(buildsTrouble())(t), deeds: map[string][]deed{}}
	recorder := record(t, proctape, made.dir)
	cmd := exec.Command(made.program, "-proctape", proctape, "-data", made.dir, "-for", "1s")
	cmd.Env = append(os.Environ(), "PROCTAPE_HOST=testhost")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range decode[deed](t, string(out)) {
		made.deeds[d.What] = append(made.deeds[d.What], d)
	}
	await(t, "the end of the second run, and of all that died", func() bool {
		db := filepath.Join(made.dir, "monitor.db")
		return count(t, db, `SELECT count(*) FROM runs WHERE job_id = 'trouble-pipeline' AND ended IS NOT NULL`) == 2 &&
			count(t, db, `SELECT count(*) FROM process_events WHERE event_type = 'exit' AND signal_num = 11`) >= 5 &&
			count(t, db, fmt.Sprintf(`SELECT count(*) FROM process_events WHERE event_type = 'exit' AND pid IN (%d, %d)`, made.the("leak").PID, made.the("hog").PID)) == 2
	})
	recorder.stop()
	return made
}

// the is the last deed of a kind.
func (m *troubled) the(what string) deed { return m.deeds[what][len(m.deeds[what])-1] }

// at is a time for a flag.
func at(seconds float64) string { return fmt.Sprintf("@%.3f", seconds) }

// outOfMemory reports whether the pipeline could run out of memory on this machine.
func (m *troubled) outOfMemory() bool { return len(m.deeds["skipped"]) == 0 }

// TestInvestigation asks docs/investigation.md's ten questions of a recording of trouble. The answers are compared with what the troublemaker says
// that it did, and the document's samples with what is printed.
func TestInvestigation(t *testing.T) {
	long(t)
	needsEveryProcess(t)
	t.Parallel()
	made := makeTrouble(t)
	t.Run("answers", func(t *testing.T) { checkAnswers(t, made) })
	t.Run("document", func(t *testing.T) { checkInvestigation(t, made) })
	t.Run("page", func(t *testing.T) { checkPage(t, made) })
}

// ask asks for JSON, of which each line is one thing but the last, which is the coverage where a listing has one.
func ask[T any](t *testing.T, m *troubled, args ...string) []T {
	t.Helper()
	return decode[T](t, run(t, append(args, "--data", m.dir, "--json")...))
}

func checkAnswers(t *testing.T, m *troubled) {
	leak, hog, forks, crashes, daemons, failed := m.the("leak"), m.the("hog"), m.the("forks"), m.the("crashes"), m.the("daemons"), m.the("pipeline")
	since := []string{"--since", at(m.deeds["pipeline"][0].From - 1), "--until", at(failed.To + 5)}
	row := func(rows []query.TopRow, pid int64) *query.TopRow {
		i := slices.IndexFunc(rows, func(r query.TopRow) bool { return r.Process != nil && r.Process.PID == pid })
		if i < 0 {
			t.Errorf("process %d is in no line of %d", pid, len(rows))
			return &query.TopRow{}
		}
		return &rows[i]
	}
	top := func(args ...string) []query.TopRow {
		return ask[query.TopRow](t, m, append([]string{"top", "--limit", "0"}, args...)...)
	}

	if rows := top("--at", at(leak.To), "--sort", "mem", "--command", " role "); row(rows, leak.PID).Memory < leak.Count/2 || rows[0].Process.PID != leak.PID {
		t.Errorf("who had the memory: %+v, want process %d with %.0f MiB", rows[0], leak.PID, leak.Count)
	}
	tree := run(t, "tree", "--at", at(leak.To), fmt.Sprint(leak.PID), "--data", m.dir)
	if !strings.Contains(tree, fmt.Sprintf("%d %s role leak", leak.PID, m.program)) {
		t.Errorf("what ran then, below whom:\n%s", tree)
	}
	if used := row(top(append(since, "--command", " role ")...), hog.PID).CPUSeconds; used < hog.Count*0.9 || used > hog.Count*1.5 {
		t.Errorf("the hog used %.2f CPU s, want %.0f", used, hog.Count)
	}
	if n := row(top(append(since, "--by", "parent", "--sort", "forks")...), forks.PID).Forks; n < int64(forks.Count) || n > int64(forks.Count)+5 {
		t.Errorf("the storm was of %d starts, want %.0f", n, forks.Count)
	}
	if rows := top(append(since, "--sort", "growth", "--command", " role ")...); rows[0].Process == nil || rows[0].Process.PID != leak.PID {
		t.Errorf("what grew most: %+v, want the leak", rows[0])
	}
	me := fmt.Sprint(os.Getuid())
	users := top(append(since, "--by", "user", "--user", me, "--sort", "forks")...)
	if len(users) == 0 || users[0].Key != me || users[0].Forks < int64(forks.Count) {
		t.Errorf("what user %s ran: %+v", me, users)
	}
	var died []int64
	for _, e := range ask[query.Event](t, m, append([]string{"events", "--type", "exit", "--signal", "SEGV"}, since...)...) {
		if slices.Contains(crashes.PIDs, e.PID) {
			died = append(died, e.PID)
		}
	}
	slices.Sort(died)
	if want := slices.Sorted(slices.Values(crashes.PIDs)); !slices.Equal(died, want) {
		t.Errorf("what crashes: %v, want %v", died, want)
	}
	var orphans []int64
	for _, o := range ask[query.Orphan](t, m, "orphans", "--at", at(failed.To)) {
		if o.Session == "trouble-agent" {
			orphans = append(orphans, o.Process.PID)
		}
	}
	slices.Sort(orphans)
	if want := slices.Sorted(slices.Values(daemons.PIDs)); !slices.Equal(orphans, want) {
		t.Errorf("what outlived its job: %v, want %v", orphans, want)
	}
	checkReport(t, m)
}

// checkReport asks of the two runs of the pipeline.
func checkReport(t *testing.T, m *troubled) {
	failed, ended := ask[report.RunReport](t, m, "report", "trouble-pipeline")[0], ask[report.RunReport](t, m, "report", "trouble-pipeline", "--run", "1")[0]
	if failed.Number != 2 || !failed.Newest || failed.ExitCode == nil || *failed.ExitCode != m.the("pipeline").Exit || len(failed.Steps) != 3 {
		t.Errorf("the second run: %+v", failed.Run)
	}
	if failed.Before == nil || failed.Before.Number != 1 || failed.Before.Outcome != "ok" || ended.ExitCode == nil || *ended.ExitCode != 0 {
		t.Errorf("against the first run: %+v; the first run itself: %+v", failed.Before, ended.Run)
	}
	if cpu := ended.Steps[1].CPUSeconds; cpu == nil || *cpu < 0.6 || *cpu > 1.5 {
		t.Errorf("the second step of the first run, which used 0.7 CPU s: %v", cpu)
	}
	story := ask[why.JobStory](t, m, "why", "trouble-pipeline")[0]
	if !m.outOfMemory() {
		t.Log("SKIPPED: the pipeline could not run out of memory here")
		return
	}
	at := slices.IndexFunc(failed.Deaths, func(d report.Death) bool { return d.OutOfMemory() })
	if at < 0 || failed.Deaths[at].Shortage == nil || failed.Deaths[at].Sheet == nil || *failed.Deaths[at].Sheet != 3 {
		t.Errorf("the deaths of the second run: %+v", failed.Deaths)
	}
	if !slices.ContainsFunc(failed.Advice, func(a report.Advice) bool { return a.Condition == "memory_limit" }) {
		t.Errorf("the advice: %+v", failed.Advice)
	}
	if story.First == nil || story.First.Cause != why.OutOfMemory {
		t.Errorf("why the pipeline failed: %+v", story.First)
	}
}

// checkInvestigation runs the document's commands against the recording.
func checkInvestigation(t *testing.T, m *troubled) {
	name := must(user.Current())(t).Username
	layout := func(seconds float64) string {
		return time.UnixMilli(int64(seconds * 1000)).UTC().Format("2006-01-02 15:04:05Z07:00")
	}
	said := strings.NewReplacer("2026-11-27 20:41:40", layout(m.the("leak").To), "2026-11-27 20:41:45", layout(m.the("pipeline").To),
		documentedPID, fmt.Sprint(m.the("leak").PID), "--user root", "--user "+name)
	// Where the CPU time is from is said when it is not the sum of the exits, and which is best is up to the machine.
	printed := strings.NewReplacer(m.program, "trouble", proctape, "proctape", " s (cgroup), user", " s, user")
	asked := 0
	for _, b := range blocksOf("docs/investigation.md", readText(t, "../docs/investigation.md")) {
		if b.mark != ofTrouble {
			continue
		}
		for _, s := range b.samples() {
			asked++
			cmd := exec.Command("bash", "-c", said.Replace(s.command))
			cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(proctape)+":"+os.Getenv("PATH"), "PROCTAPE_DATA="+m.dir, "TZ=UTC", "COLUMNS=")
			out, err := cmd.Output()
			if err != nil {
				t.Errorf("%s: %s: %v", b.where(), s.command, err)
				continue
			}
			if strings.Contains(s.command, "trouble-pipeline") && !m.outOfMemory() {
				continue
			}
			for _, p := range compareShapes(s.output, printed.Replace(string(out))) {
				t.Errorf("%s: %s: %s", b.where(), s.command, p)
			}
		}
	}
	if asked != 10 {
		t.Errorf("%d questions were asked, want ten", asked)
	}
}

// ofTrouble marks a block that runs on a recording of trouble.
const ofTrouble = "of trouble"
