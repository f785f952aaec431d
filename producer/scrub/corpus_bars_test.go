package scrub

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// The bars: at most this share of the templates is left undecided, at least this share of the lines of the others keeps
// no secret, in no class less than leastClass, and at most this share of the harmless templates is changed.
const (
	mostUndecided = 0.05
	leastMasked   = 0.98
	leastClass    = 0.95
	mostChanged   = 0.005
)

// figures are what a scrubber does with the corpus.
type figures struct {
	classes, harmless     map[string]classScore
	masked, unchanged     classScore
	undecided             []template // in the order of their file; their class is the reason
	decidable, misses     []string   // undecided ones that are masked whole; what went wrong
	templates, unlistable int        // all with secrets; undecided ones that are in no corpus
}

// measure runs command on the corpus, or on every nth template of it.
func measure(t testing.TB, nth int, command func(args []string) string) figures {
	all, f := loadCorpus(t, corpusFile), figures{undecided: loadCorpus(t, undecidedFile)}
	f.templates = len(all)
	listed := map[string]bool{}
	for _, tpl := range f.undecided {
		listed[tpl.text] = true
	}
	decided := slices.DeleteFunc(slices.Clone(all), func(tpl template) bool { return listed[tpl.text] })
	f.unlistable = len(f.undecided) - (len(all) - len(decided))
	miss := func(tpl template, _ labelled, got string) {
		f.misses = append(f.misses, fmt.Sprintf("%s: %s\n\t%s", tpl.class, tpl.text, got))
	}
	f.classes, f.masked = rateCorpus(everyNth(decided, nth), command, miss)
	f.harmless, f.unchanged = rateCorpus(everyNth(loadCorpus(t, harmlessFile), nth), command, miss)
	for _, tpl := range f.undecided {
		if _, score := rateCorpus([]template{tpl}, command, nil); score.whole == 1 {
			f.decidable = append(f.decidable, tpl.text)
		}
	}
	return f
}

func everyNth(all []template, n int) []template {
	var some []template
	for i := 0; i < len(all); i += n {
		some = append(some, all[i])
	}
	return some
}

// problems are the bars that figures do not reach.
func (f figures) problems() []string {
	var problems []string
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if share := float64(len(f.undecided)) / float64(f.templates); share > mostUndecided {
		add("%.1f %% of the templates are listed as undecided, want at most %.1f %%", 100*share, 100*mostUndecided)
	}
	if share := f.masked.share(); share < leastMasked {
		add("%.2f %% of the lines are masked, want at least %.2f %%", 100*share, 100*leastMasked)
	}
	for class, score := range f.classes {
		if score.share() < leastClass {
			add("%s: %.2f %% of the lines are masked, want at least %.2f %%", class, 100*score.share(), 100*leastClass)
		}
	}
	if share := 1 - float64(f.unchanged.whole)/float64(f.unchanged.templates); share > mostChanged {
		add("%.2f %% of the harmless templates are changed, want at most %.2f %%", 100*share, 100*mostChanged)
	}
	if f.unlistable != 0 {
		add("%d undecided templates are not in the corpus, or twice in the list", f.unlistable)
	}
	for _, text := range f.decidable {
		add("listed as undecided, and masked all the same: %s", text)
	}
	return problems
}

func TestCorpus(t *testing.T) {
	scrubber := New(Scrubbed)
	f := measure(t, 1, func(args []string) string { return scrubber.Command("x", args) })
	t.Log("\n" + f.table())
	for _, problem := range f.problems() {
		t.Error(problem)
	}
	if t.Failed() {
		t.Log(strings.Join(f.misses[:min(len(f.misses), 100)], "\n"))
	}
	checkDocument(t, f)
}

// TestCorpus_FindsFlaws checks that the bars are not reached by scrubbers that lack something.
func TestCorpus_FindsFlaws(t *testing.T) {
	blind := &Scrubber{mode: Scrubbed} // knows no shapes
	literal := New(Scrubbed)
	for flaw, command := range map[string]func(args []string) string{
		"a list of words":      wordListCommand,
		"masks nothing":        func(args []string) string { return strings.Join(args, " ") },
		"masks every argument": func(args []string) string { return args[0] + " ***" },
		"knows no shapes":      func(args []string) string { return blind.Command("x", args) },
		"sees ASCII alone": func(args []string) string {
			return literal.Command("x", slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return !isASCII(arg) })) +
				strings.Join(slices.DeleteFunc(slices.Clone(args), isASCII), " ")
		},
	} {
		if len(measure(t, 8, command).problems()) == 0 {
			t.Errorf("%s: no bar is missed", flaw)
		}
	}
}

// table renders the figures by class.
func (f figures) table() string {
	var b strings.Builder
	b.WriteString("| class | templates | lines without a secret left |\n|---|---|---|\n")
	for _, class := range slices.Sorted(maps.Keys(f.classes)) {
		s := f.classes[class]
		fmt.Fprintf(&b, "| %s | %d | %d of %d, %.1f %% |\n", class, s.templates, s.good, s.lines, 100*s.share())
	}
	fmt.Fprintf(&b, "| **all that can be decided** | %d | %d of %d, %.1f %% |\n", f.masked.templates, f.masked.good, f.masked.lines, 100*f.masked.share())
	fmt.Fprintf(&b, "\nOf %d templates, %d (%.1f %%) cannot be decided. Of %d harmless templates, %d are changed.\n",
		f.templates, len(f.undecided), 100*float64(len(f.undecided))/float64(f.templates), f.unchanged.templates, f.unchanged.templates-f.unchanged.whole)
	reason := ""
	for _, tpl := range f.undecided {
		if tpl.class != reason {
			reason = tpl.class
			fmt.Fprintf(&b, "\n- %s%s:\n\n", strings.ToUpper(reason[:1]), reason[1:])
		}
		text := placeholder.ReplaceAllStringFunc(tpl.text, func(name string) string {
			if name = name[1 : len(name)-1]; plain[name] != nil {
				return strings.ToUpper(name)
			}
			return "SECRET"
		})
		fmt.Fprintf(&b, "      %s\n", text)
	}
	return b.String()
}

const (
	documentFile = "../../docs/scrubbing.md"
	tableBegin   = "<!-- written by go test ./producer/scrub -run Corpus -update -->\n"
	tableEnd     = "<!-- end -->\n"
)

// checkDocument checks that the document has these figures; with -update it writes them.
func checkDocument(t *testing.T, f figures) {
	t.Helper()
	data, err := os.ReadFile(documentFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), tableBegin)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !ok || !ended {
		t.Fatalf("%s has no place for the figures", documentFile)
	}
	want := before + tableBegin + f.table() + tableEnd + after
	if *update {
		if err := os.WriteFile(documentFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(data) != want {
		t.Errorf("%s has other figures: run go test ./producer/scrub -run Corpus -update", documentFile)
	}
}
