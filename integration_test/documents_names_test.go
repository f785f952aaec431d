package integration_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// helpOf returns what proctape prints as the help of a command, given with its subcommand as "job end".
func helpOf(t *testing.T, command string) string {
	t.Helper()
	return run(t, append(strings.Fields(command), "--help")...)
}

// hasFlag says whether a help text lists a flag.
func hasFlag(help, flag string) bool {
	return regexp.MustCompile(`(?m)^\s+(-\w, )?` + regexp.QuoteMeta(flag) + `(\s|$)`).MatchString(help)
}

var commandPattern = regexp.MustCompile(`(?m)^  ([a-z][a-z-]*) {2,}\S|^  ([a-z][a-z-]{10}) \S`)

// commandsOf returns the commands that a help text lists.
func commandsOf(help string) []string {
	_, list, _ := strings.Cut(help, "Available Commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	var names []string
	for _, m := range commandPattern.FindAllStringSubmatch(list, -1) {
		names = append(names, m[1]+m[2])
	}
	return names
}

// names is what documents may name.
type names struct {
	help     map[string]string // by command, such as "retention run"
	makefile string
	files    map[string]bool // paths in the module, folders too
	bases    map[string]bool // names of files
	folders  []string        // at the module's root
}

// loadNames are the names that exist, looked up once.
func loadNames(t *testing.T) *names {
	t.Helper()
	loadOnce.Do(func() { loaded = namesThatExist(t) })
	if loaded == nil {
		t.Fatal("which names exist is not known")
	}
	return loaded
}

var (
	loadOnce sync.Once
	loaded   *names
)

func namesThatExist(t *testing.T) *names {
	t.Helper()
	n := &names{help: map[string]string{"": run(t, "--help")}, makefile: readText(t, "../Makefile"), files: map[string]bool{}, bases: map[string]bool{}}
	for _, command := range commandsOf(n.help[""]) {
		n.help[command] = helpOf(t, command)
		for _, sub := range commandsOf(n.help[command]) {
			n.help[command+" "+sub] = helpOf(t, command+" "+sub)
		}
	}
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		rel := strings.TrimPrefix(filepath.ToSlash(name), "../")
		n.files[rel], n.bases[path.Base(rel)] = true, true
		if d.IsDir() && rel != ".." && !strings.Contains(rel, "/") {
			n.folders = append(n.folders, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(n.help) < 20 || !slices.Contains(n.folders, "schema") {
		t.Fatalf("%d commands, folders %v", len(n.help), n.folders)
	}
	return n
}

// foreignFlags are flags of other programs that documents name.
var foreignFlags = []string{"--no-consumers"} // of nats

var (
	spanPattern  = regexp.MustCompile("`([^`\n]+)`")
	flagPattern  = regexp.MustCompile(`(?:^|[\s(])(--[a-z][a-z-]*)`)
	callPattern  = regexp.MustCompile(`(?:^|\$ |[|&;] *)(?:bin/)?proctape ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?([^\n]*)`)
	linkPattern  = regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)
	pathPattern  = regexp.MustCompile(`^\.?[A-Za-z0-9_][A-Za-z0-9_./-]*$`)
	tablePattern = regexp.MustCompile("(?m)^\\| ((?:`[^`]+` ?)+)\\|(.*)\\|$")
)

// check returns what a document names and does not exist.
func (n *names) check(file, text string) []string {
	var problems []string
	for i, line := range strings.Split(text, "\n") {
		where := fmt.Sprintf("%s:%d", file, i+1)
		for _, m := range linkPattern.FindAllStringSubmatch(line, -1) {
			if !strings.Contains(m[1], "://") && !n.files[path.Join(path.Dir(file), m[1])] {
				problems = append(problems, fmt.Sprintf("%s: there is no %s", where, m[1]))
			}
		}
		for _, m := range spanPattern.FindAllStringSubmatch(line, -1) {
			problems = append(problems, n.checkSpan(where, m[1])...)
		}
	}
	for _, b := range blocksOf(file, text) {
		if b.lang == "" && !strings.HasPrefix(b.mark, "output of: ") {
			problems = append(problems, n.checkBlock(b)...)
		}
	}
	for _, m := range tablePattern.FindAllStringSubmatch(text, -1) {
		if file == "README.md" {
			problems = append(problems, n.checkRow(file, m[1], m[2])...)
		}
	}
	return problems
}

// checkBlock checks the calls of proctape in a block, those that are not run among them.
func (n *names) checkBlock(b block) []string {
	var problems []string
	for i, line := range b.text {
		if b.prompt && !strings.HasPrefix(line, "$ ") {
			continue // what a command prints
		}
		for _, m := range callPattern.FindAllStringSubmatch(line, -1) {
			problems = append(problems, n.checkCall(fmt.Sprintf("%s:%d", b.file, b.line+1+i), m[1], m[2], m[3])...)
		}
	}
	return problems
}

// checkSpan checks a piece of code in running text: flags, targets of make, paths.
func (n *names) checkSpan(where, span string) []string {
	problems := missingTargets(where, span, n.makefile)
	if call, ok := strings.CutPrefix(span, "proctape "); ok {
		words := append(strings.Fields(call), "", "")
		return append(problems, n.checkCall(where, words[0], words[1], call)...)
	}
	for _, m := range flagPattern.FindAllStringSubmatch(span, -1) {
		if !n.isFlag(m[1]) && !slices.Contains(foreignFlags, m[1]) {
			problems = append(problems, fmt.Sprintf("%s: no command has the flag %s", where, m[1]))
		}
	}
	if pathPattern.MatchString(span) && !n.isPath(span) {
		problems = append(problems, fmt.Sprintf("%s: there is no file or folder %s", where, span))
	}
	return problems
}

func (n *names) isFlag(flag string) bool {
	for _, help := range n.help {
		if hasFlag(help, flag) {
			return true
		}
	}
	return false
}

// isPath says whether a name that looks like a path of this module is one. Other names are none of ours.
func (n *names) isPath(name string) bool {
	name = strings.TrimSuffix(name, "/")
	switch top, _, deeper := strings.Cut(name, "/"); {
	case deeper && slices.Contains(n.folders, top):
		return n.files[name]
	case strings.HasSuffix(name, ".go") || strings.HasSuffix(name, ".sql"):
		return n.bases[path.Base(name)]
	}
	return true
}

// checkCall checks a call of proctape by its help.
func (n *names) checkCall(where, command, sub, rest string) []string {
	help, known := n.help[command]
	if !known {
		return []string{fmt.Sprintf("%s: there is no command %s", where, command)}
	}
	if subHelp, ok := n.help[command+" "+sub]; ok {
		help = subHelp
	}
	rest, _, _ = strings.Cut(rest, " -- ") // behind it is another program's
	var problems []string
	for _, m := range flagPattern.FindAllStringSubmatch(rest, -1) {
		if !hasFlag(help, m[1]) {
			problems = append(problems, fmt.Sprintf("%s: %s has no flag %s", where, command, m[1]))
		}
	}
	return problems
}

// checkRow checks a row of README's table of commands. In "job declare\|end" each alternative is a subcommand, or what
// the usage line names.
func (n *names) checkRow(file, cells, explained string) []string {
	var problems []string
	help := ""
	for _, m := range spanPattern.FindAllStringSubmatch(cells, -1) {
		words := strings.Fields(m[1])
		own, known := n.help[words[0]]
		if !known {
			return []string{fmt.Sprintf("%s: there is no command %s", file, words[0])}
		}
		help += own
		if len(words) < 2 || !strings.Contains(words[1], `\|`) {
			continue
		}
		for _, sub := range strings.Split(strings.Trim(words[1], "[]"), `\|`) {
			subHelp, isSub := n.help[words[0]+" "+sub]
			if !isSub && !strings.Contains(own, sub) {
				problems = append(problems, fmt.Sprintf("%s: %s has no %s", file, words[0], sub))
			}
			help += subHelp
		}
	}
	for _, m := range spanPattern.FindAllStringSubmatch(cells+explained, -1) {
		for _, f := range flagPattern.FindAllStringSubmatch(m[1], -1) {
			if !hasFlag(help, f[1]) {
				problems = append(problems, fmt.Sprintf("%s: in the row of %s: no flag %s", file, cells, f[1]))
			}
		}
	}
	return problems
}

// TestDocuments_NamesExist checks that what the documents name is there.
func TestDocuments_NamesExist(t *testing.T) {
	long(t)
	t.Parallel()
	n := loadNames(t)
	for _, file := range documents(t) {
		for _, p := range n.check(file, readText(t, "../"+file)) {
			t.Error(p)
		}
	}
	listed := readText(t, "../README.md")
	for command := range n.help {
		if command != "" && command != "help" && !strings.Contains(command, " ") && !regexp.MustCompile("(?m)^\\|.*`"+command+"[ `]").MatchString(listed) {
			t.Errorf("README's table of commands lacks %s", command)
		}
	}
}

// TestDocuments_NamesCatch is the control.
func TestDocuments_NamesCatch(t *testing.T) {
	long(t)
	t.Parallel()
	n := loadNames(t)
	right := "`make test`, `proctape up --interval 1s`, `schema/sql`, [a](docs/jobs.md), `/proc/stat`\n| `job declare\\|end` | tell, `--pid` |\n"
	if got := n.check("README.md", right); len(got) > 0 {
		t.Errorf("names that exist: %q", got)
	}
	for _, wrong := range []string{
		"`make tset`", "`proctape upp`", "`proctape up --intervall 1s`", "`--no-such-flag`", "`schema/no_such_file.go`", "`no_such_file.go`",
		"[a](docs/no_such.md)", "```\n$ proctape gaps --top 1\n```", "| `jobz` | list |", "| `job declare\\|finish` | tell |", "| `gaps` | list, `--pid` |",
	} {
		if got := n.check("README.md", wrong+"\n"); len(got) != 1 {
			t.Errorf("%s: %q", wrong, got)
		}
	}
}

var adrHeader = regexp.MustCompile(`^# (\d+)\. \S[^\n]*\n\n- \*\*Status:\*\* (accepted|proposed|superseded by \[ADR \d+\]\(\d{4}-[a-z-]+\.md\))[^\n]*\n` +
	`- \*\*Date:\*\* \d{4}-\d{2}-\d{2}\n\n`)

// adrDefects returns what a decision's record lacks.
func adrDefects(file, text string) []string {
	var problems []string
	m := adrHeader.FindStringSubmatch(text)
	if m == nil {
		problems = append(problems, file+": it begins with # N. Title, an empty line, - **Status:** and - **Date:**")
	} else if want := strings.TrimLeft(path.Base(file)[:4], "0"); m[1] != want {
		problems = append(problems, fmt.Sprintf("%s: its number is %s", file, m[1]))
	}
	at := 0
	for _, part := range []string{"Context", "Decision", "Rejected", "Consequences"} {
		i := strings.Index(text[at:], "\n**"+part+".** ")
		if i < 0 {
			problems = append(problems, fmt.Sprintf("%s: there is no paragraph **%s.** in its place", file, part))
			continue
		}
		at += i
	}
	return problems
}

// TestDocuments_DecisionsAreComplete checks the form of the records in docs/adr.
func TestDocuments_DecisionsAreComplete(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../docs/adr/*.md")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d records, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range adrDefects(file, string(text)) {
			t.Error(p)
		}
	}
	whole := "# 1. Title\n\n- **Status:** accepted\n- **Date:** 2026-11-23\n\n**Context.** a\n\n**Decision.** b\n\n**Rejected.** c\n\n**Consequences.** d\n"
	if got := adrDefects("0001-a.md", whole); len(got) > 0 {
		t.Errorf("a whole record: %q", got)
	}
	for _, cut := range []string{"- **Date:** 2026-11-23\n", "**Rejected.** c\n", "- **Status:** accepted\n"} {
		if got := adrDefects("0001-a.md", strings.Replace(whole, cut, "", 1)); len(got) != 1 {
			t.Errorf("a record without %q: %q", cut, got)
		}
	}
}
