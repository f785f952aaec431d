package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// manFolder is where the pages go that are packed. They are written by a test so that what writes them is not in the program.
var manFolder = flag.String("man", "", "write the manual pages into this `folder`")

// manDate is of a page: SOURCE_DATE_EPOCH, so that the same commit gives the same pages.
func manDate() time.Time {
	seconds, _ := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	return time.Unix(seconds, 0).UTC()
}

var manMarkup = strings.NewReplacer("\\", "\\\\", "*", "\\*", "_", "\\_", "<", "\\<", "`", "\\`", "[", "\\[", "#", "\\#")

// forManual makes the texts of a command and of all below it into what the writer of pages reads, which takes them for Markdown.
func forManual(cmd *cobra.Command) {
	cmd.Long, cmd.Short, cmd.DisableAutoGenTag = manMarkup.Replace(cmd.Long), manMarkup.Replace(cmd.Short), true
	for _, sub := range cmd.Commands() {
		forManual(sub)
	}
}

// writeManual writes a page for each command.
func writeManual(folder string) error {
	root := newRoot()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.PersistentFlags().Lookup("data").DefValue = "/var/lib/proctape" // and not of whoever builds
	forManual(root)
	date := manDate()
	if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Date: &date, Source: "proctape", Manual: "proctape"}, folder); err != nil {
		return err
	}
	pages, err := filepath.Glob(filepath.Join(folder, "*.1"))
	for _, page := range pages {
		err = errors.Join(err, inASCII(page))
	}
	return err
}

// inASCII writes a page anew with other characters than ASCII as groff names them: it reads bytes, whatever they are.
func inASCII(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var page strings.Builder
	for _, r := range string(b) {
		if r < 0x80 {
			page.WriteRune(r)
		} else {
			fmt.Fprintf(&page, `\[u%04X]`, r)
		}
	}
	return os.WriteFile(path, []byte(page.String()), 0o644)
}

var (
	manFont   = regexp.MustCompile(`\\f[A-Z]`)
	manEscape = strings.NewReplacer(`\-`, "-", `\e`, `\`, `\&`, "", `\(aq`, "'", `\.`, ".")
	manRune   = regexp.MustCompile(`\\\[u([0-9A-F]{4,6})\]`)
)

// missingWords are the words of a help that a page lacks.
func missingWords(page, help string) (missing []string) {
	page = manRune.ReplaceAllStringFunc(page, func(named string) string {
		r, _ := strconv.ParseInt(manRune.FindStringSubmatch(named)[1], 16, 32)
		return string(rune(r))
	})
	page = strings.Join(strings.Fields(manEscape.Replace(manFont.ReplaceAllString(page, ""))), " ")
	for _, word := range strings.Fields(help) {
		if !strings.Contains(page, word) {
			missing = append(missing, word)
		}
	}
	return missing
}

// helpWords is what a page has to have of a command.
func helpWords(cmd *cobra.Command) string {
	words := []string{cmd.Short, cmd.Long, cmd.Example}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			words = append(words, "--"+f.Name, strings.ReplaceAll(f.Usage, "`", ""))
		}
	})
	return strings.Join(words, " ")
}

// checkPages checks the page of a command, and those of all below it.
func checkPages(t *testing.T, folder string, cmd *cobra.Command) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(folder, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"))
	if err != nil {
		t.Error(err)
		return
	}
	if missing := missingWords(string(page), helpWords(cmd)); missing != nil {
		t.Errorf("the page of %s lacks %q", cmd.CommandPath(), missing)
	}
	if home, err := os.UserHomeDir(); err == nil && len(home) > 1 && strings.Contains(string(page), home+"/") {
		t.Errorf("the page of %s names the folder of whoever made it", cmd.CommandPath())
	}
	for _, sub := range cmd.Commands() {
		checkPages(t, folder, sub)
	}
}

// TestManual writes the pages: each command has one, with all words of its help, and none that the formatter complains of.
func TestManual(t *testing.T) {
	folder := *manFolder
	if folder == "" {
		folder = t.TempDir()
	}
	if err := writeManual(folder); err != nil {
		t.Fatal(err)
	}
	root := newRoot()
	for _, cmd := range root.Commands() {
		checkPages(t, folder, cmd)
	}
	// The control: a page whose writer took <FLAG> for HTML.
	if missing := missingWords("as PROCTAPE_, or in a file", "as PROCTAPE_<FLAG>, or in a file"); len(missing) != 1 {
		t.Errorf("of a page that lacks a word %q are missing", missing)
	}
	formatted(t, folder)
}

// formatted has the pages formatted.
func formatted(t *testing.T, folder string) {
	if _, err := exec.LookPath("groff"); err != nil {
		t.Log("SKIPPED: groff is not installed, so the pages were not formatted")
		return
	}
	pages, err := filepath.Glob(filepath.Join(folder, "*.1"))
	if err != nil || len(pages) < 40 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	out, err := exec.Command("groff", append([]string{"-man", "-Tutf8", "-wall", "-z"}, pages...)...).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("the formatter complains: %v\n%s", err, out)
	}
}
