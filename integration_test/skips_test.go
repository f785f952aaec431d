package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var skipPattern = regexp.MustCompile(`\b(?:t|tb|b)\.(?:Skipf?|SkipNow)\((.*)`)

// quietSkips are the lines of a test's source that skip without saying so in capitals, for whoever reads what a run printed.
func quietSkips(name, source string) (out []string) {
	for i, line := range strings.Split(source, "\n") {
		if m := skipPattern.FindStringSubmatch(line); m != nil && !strings.HasPrefix(m[1], `"SKIPPED: `) && !strings.HasPrefix(m[1], "`SKIPPED: ") {
			out = append(out, fmt.Sprintf("%s:%d: %s", name, i+1, strings.TrimSpace(line)))
		}
	}
	return out
}

// TestSkips_AreAloud checks that each test that is left out says so, and why.
func TestSkips_AreAloud(t *testing.T) {
	t.Parallel()
	files := strings.Fields(string(must(exec.Command("git", "ls-files", "../*_test.go").Output())(t)))
	if len(files) < 100 {
		t.Skip("SKIPPED: this is no checkout, so its tests cannot be listed")
	}
	for _, name := range files {
		if filepath.Base(name) == "skips_test.go" {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			continue // it is deleted and not yet committed
		}
		for _, skip := range quietSkips(name, string(source)) {
			t.Errorf("begin the reason with SKIPPED: %s", skip)
		}
	}
	// The control: a skip in silence.
	if made := quietSkips("made_up_test.go", "\tt.Skip(\"no root\")\n\tt.SkipNow()\n\tt.Skip(\"SKIPPED: why\")"); len(made) != 2 {
		t.Errorf("of two skips in silence these were found: %q", made)
	}
}
