package integration_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

var ciSystems = []string{"github", "gitlab"}

// killsRecorder is a command that kills the "proctape run" above it, and goes on.
const killsRecorder = "kill -9 \"$(awk '/^PPid/ {print $2}' /proc/$PPID/status)\"\nsleep 0.3\n"

// ciTrouble is what can be wrong with proctape in a job. The program is a script in which PROCTAPE stands for the real one.
var ciTrouble = map[string]struct{ program, commands string }{
	"none":            {"", ""},
	"missing":         {"missing", ""},
	"does not run":    {"exit 1", ""},
	"does not start":  {`[ "$1" = up ] && exit 1; exec PROCTAPE "$@"`, ""},
	"start hangs":     {`[ "$1" = up ] && exec sleep 1000; exec PROCTAPE "$@"`, ""},
	"runs nothing":    {`[ "$1" = run ] && exit 1; exec PROCTAPE "$@"`, ""},
	"reports nothing": {`case $1 in backup | report | compare) exit 1 ;; esac; exec PROCTAPE "$@"`, ""},
	"dies":            {"", killsRecorder},
	"open folder":     {"", ""},
}

// wrongOfJob runs a job that ends with a code where proctape has a trouble, and says what is not as it has to be.
func wrongOfJob(c *ciMachine, system, trouble string, code int) (wrong []string) {
	c.t.Helper()
	is := ciTrouble[trouble]
	switch {
	case is.program == "missing":
		c.inputs["program"] = filepath.Join(c.recipe, "missing")
	case is.program != "":
		c.inputs["program"] = filepath.Join(c.recipe, "fake")
		c.write(c.inputs["program"], "#!/bin/sh\n"+strings.ReplaceAll(is.program, "PROCTAPE", proctape)+"\n")
	}
	c.open = trouble == "open folder"
	patience := "300" // in seconds, for a busy machine
	if trouble == "start hangs" {
		patience = "3"
	}
	c.env = append(c.env, "PROCTAPE_CI_WAIT="+patience)
	ran := filepath.Join(c.recipe, "ran")
	os.Remove(ran)
	if got := c.job(system, fmt.Sprintf("%secho once >>%s\nexit %d\n", is.commands, ran, code)); got != code {
		wrong = append(wrong, fmt.Sprintf("the job ends with %d, want %d", got, code))
	}
	if text, _ := os.ReadFile(ran); string(text) != "once\n" {
		wrong = append(wrong, fmt.Sprintf("the command ran %d times, want once", strings.Count(string(text), "once")))
	}
	return append(wrong, wrongOfArtifact(c, trouble, code)...)
}

// wrongOfArtifact says what is wrong with what was kept of a job.
func wrongOfArtifact(c *ciMachine, trouble string, code int) (wrong []string) {
	c.t.Helper()
	database := filepath.Join(c.store, "artifact", "monitor.db")
	_, err := os.Stat(database)
	switch trouble {
	case "none", "dies", "open folder":
		if err != nil {
			return []string{"the database was not kept"}
		}
		if runs := run(c.t, "jobs", "unit", "--db", database, "--json"); !strings.Contains(runs, `"unit"`) {
			wrong = append(wrong, "the job is not in its database: "+runs)
		}
		_, err := os.Stat(filepath.Join(c.dir, "summary"))
		if said := err == nil || strings.Contains(c.log(), "#### proctape"); said != (code != 0) {
			wrong = append(wrong, fmt.Sprintf("a job that ends with %d has a summary: %t", code, said))
		}
	case "reports nothing":
		if err != nil {
			wrong = append(wrong, "the database was not kept as it was")
		}
	}
	return wrong
}

// TestCI_NeverFailsAJob runs jobs where all is well, and where proctape is missing, does not start, or dies in the middle. The command
// runs once, the job ends as the command did, and what was recorded is kept.
func TestCI_NeverFailsAJob(t *testing.T) {
	long(t)
	t.Parallel()
	for _, system := range ciSystems {
		for trouble := range ciTrouble {
			t.Run(system+"/"+trouble, func(t *testing.T) {
				t.Parallel()
				for _, code := range []int{0, 3} {
					c := newCI(t, "", "", "")
					if wrong := wrongOfJob(c, system, trouble, code); wrong != nil {
						t.Errorf("%s\n%s", strings.Join(wrong, "\n"), c.log())
					}
				}
			})
		}
	}
	// The controls: recipes that somebody wrote in a hurry.
	for _, hasty := range []struct{ system, trouble, file, old, replacement string }{
		{"github", "runs nothing", "proctape-ci", `[ ! -e "$dir/began" ]`, "false"},
		{"github", "dies", "proctape-ci", `[ ! -s "$dir/code" ] || code=$(cat "$dir/code")`, ":"},
		{"github", "does not start", "proctape-ci", "if ! record; then", "record || exit 1; if false; then"},
		{"github", "none", "github/action.yml", "if: always()", "if: success()"},
		{"gitlab", "none", "gitlab.yml", "when: always", "when: on_success"},
		{"gitlab", "none", "gitlab.yml", "    - if [ -r", "    - if [ ! -r"},
	} {
		t.Run("control/"+hasty.file+"/"+hasty.trouble, func(t *testing.T) {
			t.Parallel()
			if c := newCI(t, hasty.file, hasty.old, hasty.replacement); wrongOfJob(c, hasty.system, hasty.trouble, 3) == nil {
				t.Errorf("a recipe with %q passes", hasty.replacement)
			}
		})
	}
}

// TestCI_KilledWithAll kills a job, its command and the recorder at once, as a machine does that has no memory left. The report comes all the same.
func TestCI_KilledWithAll(t *testing.T) {
	long(t)
	t.Parallel()
	for _, system := range ciSystems {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			c := newCI(t, "", "", "")
			c.env = append(c.env, "PROCTAPE_CI_WAIT=300")
			started := filepath.Join(c.recipe, "started")
			c.step = func(p *os.Process) {
				await(t, "a sample of the command", func() bool {
					databases, _ := filepath.Glob(filepath.Join(c.dir, "*proctape", "data", "monitor.db"))
					if _, err := os.Stat(started); err != nil || len(databases) == 0 {
						return false
					}
					seen, _ := exec.Command(proctape, "snapshots", "--db", databases[0], "--job", "unit", "--json").Output()
					return strings.Contains(string(seen), "sleep 1000")
				})
				if err := unix.Kill(-p.Pid, unix.SIGKILL); err != nil {
					t.Error(err)
				}
			}
			if code := c.job(system, "touch "+started+"\nsleep 1000\n"); code != 137 {
				t.Errorf("the job ends with %d, want 137\n%s", code, c.log())
			}
			if wrong := wrongOfArtifact(c, "none", 137); wrong != nil {
				t.Fatalf("%s\n%s", wrong, c.log())
			}
			database := filepath.Join(c.store, "artifact", "monitor.db")
			if seen := run(t, "snapshots", "--db", database, "--job", "unit", "--command", "sleep 1000"); !strings.Contains(seen, "sleep 1000") {
				t.Errorf("what the job ran is not in the recording:\n%s\n%s", seen, c.log())
			}
		})
	}
}

// ciComments is a server that keeps comments as both systems do.
type ciComments struct {
	mu       sync.Mutex
	requests []string
	bodies   []string
}

func (s *ciComments) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var comment struct{ Body string }
	text, _ := io.ReadAll(r.Body)
	err := json.Unmarshal(text, &comment)
	if token := r.Header.Get("PRIVATE-TOKEN") + r.Header.Get("Authorization"); err != nil || !strings.HasSuffix(token, "s3cret") {
		http.Error(w, fmt.Sprintf("%v, token %q: %s", err, token, text), http.StatusBadRequest)
		return
	}
	s.requests, s.bodies = append(s.requests, r.Method+" "+r.URL.Path), append(s.bodies, comment.Body)
	w.WriteHeader(http.StatusCreated)
	fmt.Fprint(w, `{"url": "x", "id": 4711, "user": {"id": 2}}`)
}

// TestCI_CommentsOnChange runs a job four times alike, then once with more, then as before: one comment is begun, and brought up to date.
func TestCI_CommentsOnChange(t *testing.T) {
	long(t)
	t.Parallel()
	want := map[string][]string{
		"github": {"POST /repos/o/r/issues/7/comments", "PATCH /repos/o/r/issues/comments/4711"},
		"gitlab": {"POST /projects/3/merge_requests/7/notes", "PUT /projects/3/merge_requests/7/notes/4711"},
	}
	for _, system := range ciSystems {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			comments := &ciComments{}
			server := httptest.NewServer(comments)
			defer server.Close()
			c := newCI(t, "", "", "")
			c.inputs["comment"], c.inputs["token"], c.inputs["over"] = "true", "s3cret", "300%"
			c.env = append(c.env, "PROCTAPE_CI_WAIT=300", "GITHUB_API_URL="+server.URL, "CI_API_V4_URL="+server.URL)
			if system == "github" {
				c.env = append(c.env, "GITHUB_REF=refs/pull/7/merge")
			} else {
				c.env = append(c.env, "CI_MERGE_REQUEST_IID=7")
			}
			for i, commands := range []string{"sleep 1", "sleep 1", "sleep 1", "sleep 1", "sleep 10", "sleep 1"} {
				if code := c.job(system, commands+"\n"); code != 0 {
					t.Fatalf("job %d ends with %d\n%s", i, code, c.log())
				}
			}
			if !slices.Equal(comments.requests, want[system]) {
				t.Fatalf("requests %q, want %q\n%s\n%s", comments.requests, want[system], comments.bodies, c.log())
			}
			if first, second := comments.bodies[0], comments.bodies[1]; !strings.Contains(first, "uses more than before") || !strings.Contains(first, "| time s | more |") ||
				!strings.Contains(second, "is as before") {
				t.Errorf("comments:\n%s\n%s", first, second)
			}
		})
	}
}
