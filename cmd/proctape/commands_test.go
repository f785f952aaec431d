package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Each command says what it does, shows how, is run by a script, and is read by programs when it lists something.
func TestCommands_AreComplete(t *testing.T) {
	scripts := scriptText(t)
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		for _, defect := range commandDefects(cmd, scripts) {
			t.Errorf("%s: %s", cmd.CommandPath(), defect)
		}
		for _, sub := range cmd.Commands() {
			check(sub)
		}
	}
	check(newRoot())
	// The control: a listing with nothing to it.
	bare := &cobra.Command{Use: "bare", Run: func(*cobra.Command, []string) {}}
	bare.Flags().Int("limit", 100, "")
	newRoot().AddCommand(bare)
	if got := commandDefects(bare, scripts); len(got) != 4 {
		t.Errorf("a command with nothing to it: got %q, want four defects", got)
	}
}

// commandDefects is what a command lacks. One that only has commands below it needs no more than to say what they are for.
func commandDefects(cmd *cobra.Command, scripts string) (out []string) {
	if cmd.Short == "" {
		out = append(out, "give it a Short")
	}
	if !cmd.Runnable() || cmd.HasSubCommands() {
		return out
	}
	path := strings.TrimPrefix(cmd.CommandPath(), "proctape ")
	takes := strings.Contains(cmd.Use, " ")
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { takes = takes || f.Name != "help" })
	if takes && !slices.ContainsFunc([]string{cmd.Example, cmd.Parent().Example}, func(example string) bool { return strings.Contains(example, "proctape "+path) }) {
		out = append(out, "it takes arguments or flags: give it an Example, or the command above it one that names it")
	}
	if !regexp.MustCompile(`(?m)(^|proctape |exits [0-9]+ )` + path + `( |$)`).MatchString(scripts) {
		out = append(out, "no script of cmd/proctape/testdata/script runs it")
	}
	if listing := strings.HasPrefix(cmd.Short, "List ") || cmd.Flags().Lookup("limit") != nil; listing && cmd.Flags().Lookup("json") == nil {
		out = append(out, "it is a listing: give it --json (registerJSON in cmd/proctape/listing.go)")
	}
	return out
}

// scriptText is the text of all scripts, comments left out.
func scriptText(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("testdata/script/*.txt*")
	if err != nil || len(files) == 0 {
		t.Fatalf("got scripts %q, %v", files, err)
	}
	var text strings.Builder
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if !strings.HasPrefix(line, "#") {
				text.WriteString(line)
			}
		}
	}
	return text.String()
}
