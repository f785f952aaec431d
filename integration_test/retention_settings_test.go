package integration_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proctape/proctape/schema"
)

// TestRetentionSettings_Refused gives each setting values that cannot be, as a flag, in the environment and in a file.
// A recorder does not start then, and says which it was.
func TestRetentionSettings_Refused(t *testing.T) {
	long(t)
	t.Parallel()
	bad := map[string][]string{
		"full-resolution-hours": {"0", "-1", "876001", "1.5", "a day", ""},
		"downsampled-days":      {"0", "-7", "36501", "1w"},
		"events-days":           {"0", "-1", "36501", "x"},
		"runs-days":             {"0", "-1", "36501", "1y"},
		"max-db-mb":             {"-1", "15", "1073741825", "1GB"},
		"max-log-mb":            {"-1", "63", "1073741825", "1GB"},
		"away-hours":            {"-1", "876001", "30m"},
		"retention-interval":    {"0", "0s", "999ms", "-1m", "10", "often"},
	}
	for name, values := range bad {
		variable, key := "PROCTAPE_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_")), strings.ReplaceAll(name, "-", "_")
		for i, value := range values {
			wantRefused(t, name, nil, "--"+name+"="+value)
			if i > 0 && !soak {
				continue
			}
			wantRefused(t, name, []string{variable + "=" + value})
			for _, key := range []string{name, key} {
				wantRefused(t, name, nil, "--config", configFile(t, key+": "+quoted(value)))
			}
		}
	}
}

// quoted is a value as YAML that is a word and not nothing.
func quoted(value string) string {
	if value == "" {
		return `""`
	}
	return value
}

func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "proctape.yaml")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantRefused checks that a recorder does not start, for what is wrong with a setting.
func wantRefused(t *testing.T, name string, env []string, args ...string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "never")
	cmd := exec.Command(proctape, append([]string{"up", "--data", dir}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("%v %v: got %v, want exit code 2\n%s", env, args, err, out)
	}
	first, _, _ := strings.Cut(string(out), "\n")
	variable := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	if !strings.HasPrefix(first, "proctape: error: ") || !strings.Contains(first, name) && !strings.Contains(first, variable) {
		t.Errorf("%v %v: the error does not name %s: %s", env, args, name, first)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v %v: something was made: %v", env, args, err)
	}
}

// A setting means the same wherever it stands, and the flag goes before the environment, and that before the file.
func (tp tape) configured(t *testing.T) {
	plan := func(env []string, args ...string) schema.Removed {
		t.Helper()
		cmd := exec.Command(proctape, append([]string{"retention", "run", "--dry-run", "--json", "--data", tp.dir}, args...)...)
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v %v: %v", env, args, err)
		}
		return decode[schema.Removed](t, string(out))[0]
	}
	byFlag := plan(nil, "--full-resolution-hours", "1").Snapshots
	if byFlag < 900 || plan(nil).Snapshots > 100 {
		t.Fatalf("a limit of an hour takes %d snapshots, and the default %d", byFlag, plan(nil).Snapshots)
	}
	got := map[string]int64{
		"environment":         plan([]string{"PROCTAPE_FULL_RESOLUTION_HOURS=1"}).Snapshots,
		"file":                plan(nil, "--config", configFile(t, "full-resolution-hours: 1")).Snapshots,
		"file, underscores":   plan(nil, "--config", configFile(t, "full_resolution_hours: 1")).Snapshots,
		"flag first":          plan([]string{"PROCTAPE_FULL_RESOLUTION_HOURS=20"}, "--full-resolution-hours", "1").Snapshots,
		"environment, second": plan([]string{"PROCTAPE_FULL_RESOLUTION_HOURS=1"}, "--config", configFile(t, "full_resolution_hours: 20")).Snapshots,
	}
	after := plan(nil, "--full-resolution-hours", "1").Snapshots // for time goes on
	for what, n := range got {
		if n < byFlag || n > after {
			t.Errorf("%s: %d snapshots would go, want %d to %d as by the flag", what, n, byFlag, after)
		}
	}
}
