package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v3"
)

// ciMachine runs jobs by a recipe of deploy/ci, each in a new folder, as its CI system does. What the system keeps from job to job is in store.
type ciMachine struct {
	t      *testing.T
	recipe string            // a copy of deploy/ci
	store  string            // with the folders history and artifact
	inputs map[string]string // of the action, or variables by their short names: job, program, over, comment, token
	env    []string
	open   bool                  // others may write to its folders
	dir    string                // of the newest job
	step   func(cmd *os.Process) // is told of the process of the step that runs the command
}

// newCI makes a machine with a copy of the recipe, in which each old text is replaced by the new one.
func newCI(t *testing.T, file, old, replacement string) *ciMachine {
	t.Helper()
	c := &ciMachine{t: t, recipe: filepath.Join(t.TempDir(), "ci"), store: t.TempDir(), inputs: map[string]string{"job": "unit", "program": proctape}}
	if err := os.CopyFS(c.recipe, os.DirFS("../deploy/ci")); err != nil {
		t.Fatal(err)
	}
	if file == "" {
		return c
	}
	text := readText(t, filepath.Join(c.recipe, file))
	if !strings.Contains(text, old) {
		t.Fatalf("%s has no %q any more", file, old)
	}
	c.write(filepath.Join(c.recipe, file), strings.ReplaceAll(text, old, replacement))
	return c
}

func (c *ciMachine) write(path, text string) {
	c.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		c.t.Fatal(err)
	}
}

// job runs commands as a job of a system, and returns how it ended.
func (c *ciMachine) job(system, commands string) (code int) {
	c.t.Helper()
	c.dir = c.t.TempDir()
	if c.open {
		if err := os.Chmod(c.dir, 0o777); err != nil {
			c.t.Fatal(err)
		}
	}
	os.RemoveAll(filepath.Join(c.store, "artifact"))
	if system == "github" {
		return c.github(commands)
	}
	return c.gitlab(commands)
}

// copyFolder copies a folder with all that is in it, if it is there.
func (c *ciMachine) copyFolder(from, to string) {
	c.t.Helper()
	if _, err := os.Stat(from); err != nil {
		return
	}
	if err := os.RemoveAll(to); err != nil {
		c.t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		c.t.Fatal(err)
	}
}

// shell runs a shell in a process group of its own, and returns its exit code.
func (c *ciMachine) shell(watched bool, env []string, args ...string) int {
	c.t.Helper()
	log := must(os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600))(c.t)
	defer log.Close()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, log, log
	cmd.Env = append(append(os.Environ(), c.env...), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	if watched && c.step != nil {
		c.step(cmd.Process)
	}
	cmd.Wait()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		return 128 + int(status.Signal())
	}
	return cmd.ProcessState.ExitCode()
}

// log is what the newest job printed.
func (c *ciMachine) log() string { return readText(c.t, filepath.Join(c.dir, "log")) }

// action is what of action.yml matters here.
type action struct {
	Inputs map[string]struct{ Default string }
	Runs   struct {
		Steps []actionStep
	}
}

type actionStep struct {
	Name, ID, If, Uses, Run string
	ContinueOnError         bool `yaml:"continue-on-error"`
	Env, With               map[string]string
}

var ciExpression = regexp.MustCompile(`\$\{\{ *([a-z_.]+) *\}\}`)

// github runs the steps of action.yml, as GitHub's runner does: a step after a failure only where it says always().
func (c *ciMachine) github(commands string) (code int) {
	c.t.Helper()
	var a action
	if err := yaml.Unmarshal([]byte(readText(c.t, filepath.Join(c.recipe, "github", "action.yml"))), &a); err != nil {
		c.t.Fatal(err)
	}
	output := filepath.Join(c.dir, "output")
	values := map[string]string{"runner.temp": c.dir, "github.run_id": "5", "github.run_attempt": "1", "github.workflow": "build", "github.job": "unit", "github.token": "ghs_1"}
	for name, input := range a.Inputs {
		values["inputs."+name] = input.Default
	}
	for name, value := range c.inputs {
		values["inputs."+name] = value
	}
	values["inputs.run"] = commands
	expand := func(text string) string {
		return ciExpression.ReplaceAllStringFunc(text, func(e string) string {
			value, ok := values[ciExpression.FindStringSubmatch(e)[1]]
			if !ok {
				c.t.Fatalf("no value of %s", e)
			}
			return value
		})
	}
	env := []string{"GITHUB_ACTIONS=true", "CI=true", "GITHUB_RUN_ID=5", "GITHUB_JOB=unit", "GITHUB_WORKFLOW=build", "GITHUB_REPOSITORY=o/r", "RUNNER_TEMP=" + c.dir,
		"GITHUB_ACTION_PATH=" + filepath.Join(c.recipe, "github"), "GITHUB_STEP_SUMMARY=" + filepath.Join(c.dir, "summary"), "GITHUB_OUTPUT=" + output}
	for _, step := range a.Runs.Steps {
		if code != 0 && step.If != "always()" {
			continue
		}
		if got := c.githubStep(step, env, expand); got != 0 && code == 0 && !step.ContinueOnError {
			code = got
		}
		if text, err := os.ReadFile(output); err == nil && step.ID != "" {
			name, value, _ := strings.Cut(strings.TrimSpace(string(text)), "=")
			values["steps."+step.ID+".outputs."+name] = value
		}
	}
	return code
}

// githubStep runs one step; those of other actions as far as they move folders.
func (c *ciMachine) githubStep(step actionStep, env []string, expand func(string) string) int {
	c.t.Helper()
	if step.Uses != "" {
		path := expand(step.With["path"])
		switch name, _, _ := strings.Cut(step.Uses, "@"); name {
		case "actions/cache/restore":
			c.copyFolder(filepath.Join(c.store, "history"), path)
		case "actions/cache/save":
			c.copyFolder(path, filepath.Join(c.store, "history"))
		case "actions/upload-artifact":
			if name := expand(step.With["name"]); strings.ContainsAny(name, `/\:"<>|*? `) {
				c.t.Errorf("an artifact may not be named %q", name)
			}
			c.copyFolder(path, filepath.Join(c.store, "artifact"))
		default:
			c.t.Fatalf("what does %s do?", step.Uses)
		}
		return 0
	}
	for name, value := range step.Env {
		env = append(env, name+"="+expand(value))
	}
	file := filepath.Join(c.dir, "step.sh")
	c.write(file, expand(step.Run))
	return c.shell(step.Name == "run", env, "bash", "--noprofile", "--norc", "-eo", "pipefail", file)
}

// gitlabJob is what of gitlab.yml matters here.
type gitlabJob struct {
	Variables    map[string]string
	BeforeScript []string `yaml:"before_script"`
	AfterScript  []string `yaml:"after_script"`
	Cache        struct {
		When, Key string
		Paths     []string
	}
	Artifacts struct {
		When  string
		Paths []string
	}
}

// gitlab runs the parts of a job: before_script and script in one shell, after_script in another, whatever the first did.
func (c *ciMachine) gitlab(commands string) (code int) {
	c.t.Helper()
	var file map[string]gitlabJob
	if err := yaml.Unmarshal([]byte(readText(c.t, filepath.Join(c.recipe, "gitlab.yml"))), &file); err != nil {
		c.t.Fatal(err)
	}
	j := file[".proctape"]
	env := []string{"GITLAB_CI=true", "CI=true", "CI_JOB_ID=5", "CI_JOB_NAME=unit", "CI_JOB_NAME_SLUG=unit", "CI_PROJECT_PATH=o/r", "CI_PROJECT_ID=3", "CI_PROJECT_DIR=" + c.dir}
	for name, value := range j.Variables {
		env = append(env, name+"="+value)
	}
	if _, set := j.Variables["PROCTAPE_CI"]; set {
		env = append(env, "PROCTAPE_CI="+filepath.Join(c.recipe, "proctape-ci"))
	}
	for name, value := range c.inputs {
		env = append(env, "PROCTAPE_CI_"+strings.ToUpper(name)+"="+value)
	}
	kept := func(when string, paths []string, to string) {
		if when == "always" || when == "on_success" && code == 0 {
			c.copyFolder(filepath.Join(c.dir, paths[0]), filepath.Join(c.store, to))
		}
	}
	c.copyFolder(filepath.Join(c.store, "history"), filepath.Join(c.dir, j.Cache.Paths[0]))
	c.write(filepath.Join(c.dir, "user.sh"), commands)
	lines := append(append([]string{"set -eo pipefail"}, j.BeforeScript...), "record bash -eo pipefail user.sh")
	code = c.shell(true, env, "bash", "-c", strings.Join(lines, "\n"))
	c.shell(false, env, "sh", "-c", strings.Join(j.AfterScript, "\n")) // its exit code counts for nothing
	kept(j.Cache.When, j.Cache.Paths, "history")
	kept(j.Artifacts.When, j.Artifacts.Paths, "artifact")
	return code
}
