package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// use is a command line of a script or of a golden file, and whether it is one that must be refused.
type use struct {
	args  []string
	wrong bool
}

var (
	scriptLine = regexp.MustCompile(`^(\[[^\]]*\] )*(!?) ?(?:exec )?(?:exits ([0-9]+)|proctape) (.*)$`)
	scriptWord = regexp.MustCompile(`'[^']*'|"[^"]*"|[^ ]+`)
	sameLine   = regexp.MustCompile(`^same [^ ]+ [^ ]+ [^ ]+ (.*)$`) // asked here, and elsewhere
	inShell    = regexp.MustCompile(`proctape ([^|;&>]*)`)
)

// usesOf are the command lines of a script.
func usesOf(script string) (out []use) {
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if m := scriptLine.FindStringSubmatch(line); m != nil {
			out = append(out, use{wordsOf(m[4]), m[2] == "!" || m[3] != "" && m[3] != "0"})
			continue
		}
		if m := sameLine.FindStringSubmatch(line); m != nil {
			out = append(out, use{append(wordsOf(m[1]), "--url", "--token-file"), false})
			continue
		}
		for _, m := range inShell.FindAllStringSubmatch(line, -1) {
			out = append(out, use{wordsOf(m[1]), strings.HasPrefix(line, "!")})
		}
	}
	return out
}

func wordsOf(line string) (words []string) {
	for _, word := range scriptWord.FindAllString(line, -1) {
		words = append(words, strings.Trim(word, `'"`))
	}
	return words
}

// unusedOf are the commands and flags that no use has. Each command must be used rightly and wrongly, and each of its own flags at all.
func unusedOf(root *cobra.Command, uses []use) (unused []string) {
	right, wrong, flags := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, u := range uses {
		if len(u.args) > 0 && strings.HasPrefix(u.args[0], "__complete") {
			continue
		}
		cmd, rest, err := root.Find(u.args)
		if err != nil {
			continue
		}
		if path := cmd.CommandPath(); u.wrong {
			wrong[path] = true
		} else {
			right[path] = true
		}
		for _, word := range rest {
			if word == "--" {
				break
			}
			if name, long := strings.CutPrefix(word, "--"); long {
				name, _, _ = strings.Cut(name, "=")
				flags[cmd.CommandPath()+" --"+name] = true
				flags["--"+name] = true
			}
		}
	}
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		path := cmd.CommandPath()
		if cmd.Runnable() && !cmd.HasSubCommands() {
			if !right[path] {
				unused = append(unused, path+": rightly")
			}
			if !wrong[path] {
				unused = append(unused, path+": wrongly")
			}
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			key := path + " --" + f.Name
			if cmd == root || cmd.PersistentFlags().Lookup(f.Name) != nil {
				key = "--" + f.Name
			}
			if f.Name != "help" && !f.Hidden && !flags[key] {
				unused = append(unused, path+" --"+f.Name)
			}
		})
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				check(sub)
			}
		}
	}
	check(root)
	slices.Sort(unused)
	return unused
}

// Each command has a script or a golden file with right and with wrong input, and each flag is used by one.
func TestCommands_AreUsed(t *testing.T) {
	uses := usesOf(scriptText(t))
	for _, args := range slices.Sorted(maps.Values(goldenCases)) {
		uses = append(uses, use{strings.Fields(args), false})
	}
	for _, unused := range unusedOf(newRoot(), uses) {
		t.Errorf("%s: no script of cmd/proctape/testdata/script and no golden file has it", unused)
	}
	// The control: a command and a flag that nobody uses.
	root := newRoot()
	bare := &cobra.Command{Use: "bare", Run: func(*cobra.Command, []string) {}}
	bare.Flags().Bool("odd", false, "")
	root.AddCommand(bare)
	want := []string{"proctape bare --odd", "proctape bare: rightly", "proctape bare: wrongly"}
	if got := unusedOf(root, uses); !slices.Equal(got, want) {
		t.Errorf("a command that nobody uses: got %q, want %q", got, want)
	}
}
