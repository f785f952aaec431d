package integration_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/schema"
)

// The documents' samples are tests. A fenced block is one of these:
//
//   - commands, each behind "$ ", with what it prints below it. They are run, and the output is compared by its shape.
//   - commands alone, a line each. They are run, and must succeed.
//   - marked by a comment on the line above: <!-- output of: COMMAND --> is what a command prints at its start, and
//     <!-- not run: reason --> is not run; what it calls proctape with must exist all the same.
//   - marked by <!-- of trouble -->: TestInvestigation runs its commands on a recording of trouble.
//   - marked by <!-- of the fleet: HOST -->: TestFleet_ByTheDocument runs its commands on that host.
//   - marked by <!-- a backup by nats -->: TestConnect_BackupByNATS runs its commands, or has its users on a server.
//   - marked by <!-- of the transcript -->: TestMCP_Transcript in cmd/proctape makes it.
//   - yaml: settings, whose keys must be flags of up.
//
// Beside that, every flag, command, make target and file that a document names must exist.

// notRun is how many blocks are marked as not run. A block that can be run is worth more than a mark.
const notRun = 33

// documentedPID stands in the documents for the process that the test starts: a dd that copies nothing to nowhere.
const documentedPID = "4083"

// block is a fenced block of a document.
type block struct {
	file   string
	line   int
	lang   string
	mark   string // of the comment above it, such as "not run: it needs another machine"
	text   []string
	prompt bool // its commands stand behind "$ "
}

func (b block) where() string { return fmt.Sprintf("%s:%d", b.file, b.line) }

// sample is a command of a document, and what the document says it prints.
type sample struct {
	command string
	output  []string
}

var markPattern = regexp.MustCompile(`^<!-- (.*) -->$`)

// blocksOf returns a document's fenced blocks.
func blocksOf(file, text string) []block {
	var blocks []block
	var open *block
	mark := ""
	for i, line := range strings.Split(text, "\n") {
		switch {
		case open != nil && strings.HasPrefix(line, "```"):
			blocks = append(blocks, *open)
			open, mark = nil, ""
		case open != nil:
			open.text = append(open.text, line)
			open.prompt = open.prompt || strings.HasPrefix(line, "$ ")
		case strings.HasPrefix(line, "```"):
			open = &block{file: file, line: i + 1, lang: strings.TrimPrefix(line, "```"), mark: mark}
		default:
			mark = ""
			if m := markPattern.FindStringSubmatch(line); m != nil {
				mark = m[1]
			}
		}
	}
	return blocks
}

// samples returns a block's commands. A command goes on in the next line while a quote is open.
func (b block) samples() []sample {
	var all []sample
	for _, line := range b.text {
		command, behindPrompt := strings.CutPrefix(line, "$ ")
		last := len(all) - 1
		switch {
		case last >= 0 && strings.Count(all[last].command, `"`)%2 == 1:
			all[last].command += "\n" + line
		case behindPrompt || !b.prompt && strings.TrimSpace(line) != "":
			all = append(all, sample{command: command})
		case last >= 0 && strings.TrimSpace(line) != "":
			all[last].output = append(all[last].output, line)
		}
	}
	return all
}

var (
	numberPattern = regexp.MustCompile(`^[+-]?[0-9][0-9.,:]*(-[0-9][0-9:.]*)*(ms|µs|s|m|h)?([0-9.]+s)?`)
	wordPattern   = regexp.MustCompile(`^[A-Za-zµ_/=-]+`)
)

// shape is a pattern for a line of output: numbers and times may be others, as may the host's name, a process's state and
// its command. Words and columns are as they stand.
func shape(line string) *regexp.Regexp {
	var out strings.Builder
	out.WriteString(`^\s*`)
	line = strings.TrimSpace(line)
	for line != "" {
		number, word := numberPattern.FindString(line), wordPattern.FindString(line)
		switch {
		case strings.HasPrefix(line, "dd if="):
			out.WriteString(`\S.*`)
			line = ""
		case number != "":
			out.WriteString(`[+-]?[0-9][0-9.,:\-]*(ms|µs|s|m|h)?([0-9.]+s)?`)
			line = line[len(number):]
		case word == "vm":
			out.WriteString(`\S+?`)
			line = line[len(word):]
		case word == "R":
			out.WriteString(`[A-Z]`)
			line = line[len(word):]
		case word != "":
			out.WriteString(regexp.QuoteMeta(word))
			line = line[len(word):]
		case line[0] == ' ':
			out.WriteString(`\s+`)
			line = strings.TrimLeft(line, " ")
		default:
			out.WriteString(regexp.QuoteMeta(line[:1]))
			line = line[1:]
		}
	}
	return regexp.MustCompile(out.String() + `\s*$`)
}

var zombiesPattern = regexp.MustCompile(`, \d+ zombies?\b`)

// compareShapes returns what of a sample's lines has no line in the output, in order. "..." stands for lines left out.
func compareShapes(want []string, got string) []string {
	var problems []string
	lines := strings.Split(got, "\n")
	for i, line := range lines { // a machine may have zombies or not
		lines[i] = zombiesPattern.ReplaceAllString(line, "")
	}
	for _, line := range want {
		if strings.TrimSpace(line) == "..." {
			continue
		}
		pattern := shape(zombiesPattern.ReplaceAllString(line, ""))
		at := slices.IndexFunc(lines, pattern.MatchString)
		if at < 0 {
			problems = append(problems, fmt.Sprintf("it prints no line like\n\t%s\nbut\n\t%s", line, strings.ReplaceAll(strings.TrimSpace(got), "\n", "\n\t")))
			continue
		}
		if at+1 < len(lines) { // a table's rows may be fewer than the sample's
			lines = append(lines[at+1:], lines[at])
		}
	}
	return problems
}

// stage is a folder in which the documents' commands run: a recorder, a dd, and what the samples build.
type stage struct {
	dir string
	env []string
	pid string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	dir := t.TempDir()
	s := &stage{dir: dir}
	for _, folder := range []string{"bin", "home"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(proctape, filepath.Join(dir, "bin", "proctape")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"build.sh": "#!/bin/sh\nexit 0\n", "Makefile": "all:\n\t@true\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.env = append(os.Environ(), "HOME="+filepath.Join(dir, "home"), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"),
		"PROCTAPE_DATA="+filepath.Join(dir, "run-data"), "TZ=UTC")
	dd := exec.Command("dd", "if=/dev/zero", "of=/dev/null", "bs=1M", "count=9000000")
	if err := dd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dd.Process.Kill(); dd.Wait() })
	s.pid = strconv.Itoa(dd.Process.Pid)
	return s
}

// record starts the recorder of the documents and waits until it has the dd.
func (s *stage) record(t *testing.T) (up *process) {
	t.Helper()
	up = start(t, "up", "--data", filepath.Join(s.dir, "run-data"), "--interval", "1s", "--http", "127.0.0.1:0")
	up.awaitLine("Recorded:")
	await(t, "samples of dd", func() bool {
		out, _ := s.run("proctape history " + s.pid)
		return strings.Count(out, "\n") > 4
	})
	return up
}

// run runs a command of a document as a shell would, and returns what it prints to stdout.
func (s *stage) run(command string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", regexp.MustCompile(`\b`+documentedPID+`\b`).ReplaceAllString(command, s.pid))
	cmd.Dir, cmd.Env = s.dir, s.env
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w\n\t%s", err, strings.TrimSpace(stderr.String()))
	}
	return string(out), err
}

// settle is run, again and again for a while when it says that something is not there: a job is in the database a moment
// after its command has ended.
func (s *stage) settle(command string) (string, error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		out, err := s.run(command)
		var ended *exec.ExitError
		if !errors.As(err, &ended) || ended.ExitCode() != 1 || time.Now().After(deadline) {
			return out, err
		}
	}
}

// checkSamples runs a block's commands. What it calls make with is looked up and not run.
func (s *stage) checkSamples(b block, makefile string) []string {
	var problems []string
	for _, c := range b.samples() {
		words := strings.Fields(c.command)
		switch {
		case words[0] == "make":
			problems = append(problems, missingTargets(b.where(), c.command, makefile)...)
			continue
		case words[0] == "sqlite3" && !hasProgram("sqlite3"):
			continue
		}
		out, err := s.settle(c.command)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %s: %v", b.where(), c.command, err))
			continue
		}
		for _, p := range compareShapes(c.output, out) {
			problems = append(problems, fmt.Sprintf("%s: %s: %s", b.where(), c.command, p))
		}
	}
	return problems
}

func hasProgram(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}

var targetPattern = regexp.MustCompile(`\bmake ((?:[a-z]+-?)+)`)

// missingTargets returns the targets of make that a text names and the Makefile has not.
func missingTargets(where, text, makefile string) []string {
	var problems []string
	for _, m := range targetPattern.FindAllStringSubmatch(text, -1) {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(m[1]) + `:`).MatchString(makefile) {
			problems = append(problems, fmt.Sprintf("%s: the Makefile has no target %s", where, m[1]))
		}
	}
	return problems
}

// TestDocuments_SamplesRun runs what the documents tell a user to run.
func TestDocuments_SamplesRun(t *testing.T) {
	long(t)
	t.Parallel()
	makefile, docs := readText(t, "../Makefile"), documents(t)
	s := newStage(t)
	up := s.record(t)
	marked, ran := 0, 0
	for _, file := range docs {
		for _, b := range blocksOf(file, readText(t, "../"+file)) {
			reason, isNotRun := strings.CutPrefix(b.mark, "not run: ")
			_, isOutput := strings.CutPrefix(b.mark, "output of: ")
			switch {
			case isNotRun && reason != "":
				marked++
			case b.mark == ofTrouble: // TestInvestigation runs it
			case strings.HasPrefix(b.mark, ofFleet): // TestFleet_ByTheDocument runs it
			case b.mark == ofBackup: // TestConnect_BackupByNATS runs it
			case b.mark == "of the transcript": // TestMCP_Transcript makes it
			case isOutput:
				for _, p := range compareStart(t, b.text, strings.Join(up.out(), "\n")) {
					t.Errorf("%s: %s", b.where(), p)
				}
			case b.lang == "yaml":
				for _, p := range checkSettings(b, helpOf(t, "up")) {
					t.Error(p)
				}
			case b.lang != "":
				t.Errorf("%s: a block of %s is neither run nor marked by <!-- not run: reason -->", b.where(), b.lang)
			default:
				ran++
				for _, p := range s.checkSamples(b, makefile) {
					t.Error(p)
				}
			}
		}
	}
	if marked != notRun {
		t.Errorf("%d blocks are marked as not run, %d are known: correct notRun", marked, notRun)
	}
	if ran < 6 {
		t.Errorf("only %d blocks were run", ran)
	}
}

// compareStart compares what a recorder prints at its start. What it can see depends on the machine; that a document names
// is a capability.
func compareStart(t *testing.T, want []string, got string) []string {
	t.Helper()
	known := map[string]bool{}
	for _, c := range schema.Capabilities() {
		known[c.Doc] = true
	}
	var problems, fixed []string
	for _, line := range want {
		seen, isCapability := strings.CutPrefix(line, "  + ")
		switch {
		case isCapability && !known[seen]:
			problems = append(problems, "the sampler never says "+seen)
		case !isCapability && strings.TrimSpace(line) != "":
			fixed = append(fixed, line)
		}
	}
	got = regexp.MustCompile(`\S*/run-data\b`).ReplaceAllString(got, "run-data")
	got = regexp.MustCompile(`\S*/proctape `).ReplaceAllString(got, "bin/proctape ")
	return append(problems, compareShapes(fixed, got)...)
}

var keyPattern = regexp.MustCompile(`(?m)^([a-z_-]+):`)

func checkSettings(b block, help string) []string {
	var problems []string
	for _, m := range keyPattern.FindAllStringSubmatch(strings.Join(b.text, "\n"), -1) {
		if !hasFlag(help, "--"+strings.ReplaceAll(m[1], "_", "-")) {
			problems = append(problems, fmt.Sprintf("%s: up has no setting %s", b.where(), m[1]))
		}
	}
	return problems
}

// TestDocuments_SamplesCatch is the control: samples that are wrong are caught.
func TestDocuments_SamplesCatch(t *testing.T) {
	long(t)
	t.Parallel()
	s := newStage(t)
	s.record(t)
	fence := "```"
	check := func(lines ...string) []string {
		text := fence + "\n" + strings.Join(lines, "\n") + "\n" + fence + "\n"
		return s.checkSamples(blocksOf("control.md", text)[0], "run: build\n")
	}
	header := "TIME                  OVER  STATE  CPU%  RSS MiB  VMS MiB  THREADS  FDS  CPU s  READ MiB  WRITE MiB"
	row := "2026-11-23 14:57:17Z  now   R      95.0  2.8      3.9      1        5    1.93   0.0       0.0"
	if got := check("$ proctape history "+documentedPID, header, row); len(got) > 0 {
		t.Errorf("a right sample: %q", got)
	}
	for what, got := range map[string][]string{
		"a flag that is not there":    check("$ proctape history " + documentedPID + " --newset 3"),
		"a column of another name":    check("$ proctape history "+documentedPID, strings.Replace(header, "STATE", "STATUS", 1)),
		"a column too many":           check("$ proctape history "+documentedPID, header+"  SWAP MB"),
		"a cell too few":              check("$ proctape history "+documentedPID, strings.TrimSuffix(row, "       0.0")),
		"a command that is not there": check("proctape histroy " + documentedPID),
		"a target that is not there":  check("make runn"),
	} {
		if len(got) != 1 {
			t.Errorf("%s: %q", what, got)
		}
	}
	yaml := block{file: "control.md", text: []string{"intervall: 1s", "job-rule:", "  - x"}}
	if got := checkSettings(yaml, helpOf(t, "up")); len(got) != 1 {
		t.Errorf("a setting that is not there: %q", got)
	}
}

// documents returns the files that the tests of documents read, as paths in the module.
func documents(t *testing.T) []string {
	t.Helper()
	files := []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"}
	for _, pattern := range []string{"../docs/*.md", "../docs/adr/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		for _, f := range found {
			files = append(files, strings.TrimPrefix(f, "../"))
		}
	}
	return files
}

func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
