package scrub

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/labelled.tsv again from the templates")

const labelledFile = "testdata/labelled.tsv"

// splitter stands inside secrets in the labelled file and is removed on loading, so that no scanner takes
// the invented secrets for real ones.
const splitter = "¦"

// A labelled command line says which secrets it holds; none means that it must be published as it is.
type labelled struct {
	Args    []string
	Secrets []string
}

// loadLabelled reads the labelled command lines: argv and secrets, both in JSON, with a tab between.
func loadLabelled(t testing.TB) []labelled {
	t.Helper()
	data, err := os.ReadFile(filepath.FromSlash(labelledFile))
	if err != nil {
		t.Fatal(err)
	}
	var all []labelled
	for line := range strings.Lines(strings.ReplaceAll(string(data), splitter, "")) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		args, secrets, _ := strings.Cut(line, "\t")
		var l labelled
		if err := json.Unmarshal([]byte(args), &l.Args); err != nil {
			t.Fatalf("%s: %v", args, err)
		}
		if err := json.Unmarshal([]byte(secrets), &l.Secrets); err != nil {
			t.Fatalf("%s: %v", secrets, err)
		}
		all = append(all, l)
	}
	return all
}

// A score counts what a scrubber did with the labelled command lines.
type score struct {
	secrets, masked, exact int // lines with secrets, those that leaked none, those that lost nothing else
	benign, changed        int
	misses                 []string
}

func (s score) recall() float64    { return float64(s.masked) / float64(s.secrets) }
func (s score) falseRate() float64 { return float64(s.changed) / float64(s.benign) }
func (s score) exactRate() float64 { return float64(s.exact) / float64(s.secrets) }
func (s *score) miss(format string, args ...any) {
	s.misses = append(s.misses, fmt.Sprintf(format, args...))
}

// rate scrubs every line with command and compares with the labels.
func rate(all []labelled, command func(args []string) string) score {
	var s score
	for _, l := range all {
		got, plain := command(l.Args), strings.Join(l.Args, " ")
		if len(l.Secrets) == 0 {
			s.benign++
			if got != plain {
				s.changed++
				s.miss("false  %s\n       %s", plain, got)
			}
			continue
		}
		s.secrets++
		if leaked := slices.IndexFunc(l.Secrets, func(secret string) bool { return strings.Contains(got, secret) }); leaked >= 0 {
			s.miss("leaked %q\n       %s\n       %s", l.Secrets[leaked], plain, got)
			continue
		}
		s.masked++
		if got == maskAll(plain, l.Secrets) {
			s.exact++
		}
	}
	return s
}

// maskAll replaces every secret in plain, longest first.
func maskAll(plain string, secrets []string) string {
	ordered := slices.SortedFunc(slices.Values(secrets), func(a, b string) int { return len(b) - len(a) })
	for _, secret := range ordered {
		plain = strings.ReplaceAll(plain, secret, mask)
	}
	return plain
}

func TestCommand_Labelled(t *testing.T) {
	all := loadLabelled(t)
	if len(all) < 1000 {
		t.Fatalf("got %d labelled lines, want at least 1000", len(all))
	}
	scrubber := New(Scrubbed)
	got := rate(all, func(args []string) string { return scrubber.Command("x", args) })
	base := rate(all, wordListCommand)
	t.Logf("scrubber:  recall %.4f (%d of %d), false %.4f (%d of %d), nothing else lost in %.4f",
		got.recall(), got.masked, got.secrets, got.falseRate(), got.changed, got.benign, got.exactRate())
	t.Logf("word list: recall %.4f (%d of %d), false %.4f (%d of %d)",
		base.recall(), base.masked, base.secrets, base.falseRate(), base.changed, base.benign)
	for _, miss := range got.misses {
		t.Log(miss)
	}
	if got.recall() < 0.99 || got.falseRate() > 0.01 || got.exactRate() < 0.9 {
		t.Errorf("got recall %.4f, false %.4f, exact %.4f, want at least 0.99, at most 0.01, at least 0.9",
			got.recall(), got.falseRate(), got.exactRate())
	}
	if base.recall() > got.recall()-0.3 {
		t.Errorf("got word list recall %.4f, want clearly less than %.4f: the set is too easy", base.recall(), got.recall())
	}
}

// TestCommand_OtherValues fills the templates with values that nobody looked at when the rules were written.
func TestCommand_OtherValues(t *testing.T) {
	var all []labelled
	seeds := uint64(3)
	if soak {
		seeds = 20
	}
	for _, file := range templateFiles {
		for seed := range seeds {
			more, err := generate(file, 10+seed)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, more...)
		}
	}
	scrubber := New(Scrubbed)
	got := rate(all, func(args []string) string { return scrubber.Command("x", args) })
	t.Logf("recall %.4f (%d of %d), false %.4f (%d of %d)", got.recall(), got.masked, got.secrets, got.falseRate(), got.changed, got.benign)
	if got.recall() < 0.99 || got.falseRate() > 0.01 {
		t.Errorf("got recall %.4f, false %.4f, want at least 0.99, at most 0.01:\n%s", got.recall(), got.falseRate(), strings.Join(got.misses, "\n"))
	}
}

// TestCommand_Twice checks that scrubbing the words of a scrubbed command leaves it alone.
func TestCommand_Twice(t *testing.T) {
	scrubber := New(Scrubbed)
	changed, all := 0, loadLabelled(t)
	for _, l := range all {
		once := scrubber.Command("x", l.Args)
		if twice := scrubber.Command("x", strings.Split(once, " ")); twice != once {
			changed++
			t.Logf("once  %s\ntwice %s", once, twice)
		}
	}
	if limit := len(all) / 50; changed > limit {
		t.Errorf("got %d of %d lines changed by the second scrubbing, want at most %d", changed, len(all), limit)
	}
}

func TestLabelled_IsCurrent(t *testing.T) {
	var want bytes.Buffer
	w := bufio.NewWriter(&want)
	if err := writeLabelled(w); err != nil {
		t.Fatal(err)
	}
	w.Flush()
	if *update {
		if err := os.WriteFile(filepath.FromSlash(labelledFile), want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(filepath.FromSlash(labelledFile))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("testdata/labelled.tsv is not what the templates give: run go test -run Labelled -update")
	}
}
