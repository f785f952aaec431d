package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// crashRules are the rule as it is, for commands that die sooner than those of people do; and the rule that only counts deaths.
const crashRules = `rules:
  - name: crash_loop
    settings: {min_seconds: 0.1, apart_seconds: 0}
  - name: deaths
    on: exit
    by: command
    when: (exit_code ?? 0) > 0 and (lifetime_seconds ?? 0) >= 0.1
    count: 5
    window: 5m
`

// crashScript starts a service anew each time that it dies; runs checks side by side, which fail; and runs a step that fails every other time. The last word of each says which it is.
const crashScript = `
for i in 1 2 3 4 5 6 7; do sh -c 'sleep 0.2; exit 3' a-service; done
for i in 1 2 3 4 5 6 7; do sh -c 'sleep 1; exit 3' a-check & done
wait
for i in 1 2 3 4 5 6 7; do
	sh -c 'sleep 0.2; exit $(cat failing)' a-step; echo 0 > failing
	sh -c 'sleep 0.2; exit $(cat failing)' a-step; echo 3 > failing
done
sh -c 'sleep 0.2; exit 4' the-end
`

// TestCrashLoop_OfRealProcesses has a recorder look at a service that dies again and again, which is one crash loop, beside seven checks that fail at once and a step that fails every other
// time, which are none. The control counts deaths alone: it finds all three.
func TestCrashLoop_OfRealProcesses(t *testing.T) {
	needsEveryProcess(t)
	t.Parallel()
	dir, work := t.TempDir(), t.TempDir()
	rules := filepath.Join(work, "rules.yaml")
	for file, text := range map[string]string{rules: crashRules, filepath.Join(work, "failing"): "3\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	recorder := record(t, proctape, dir, "--rules", rules)
	cmd := exec.Command("sh", "-c", crashScript)
	cmd.Dir = work
	if err := cmd.Run(); err == nil {
		t.Error("the script ended well, want 4")
	}
	db := filepath.Join(dir, "monitor.db")
	await(t, "the end of the script", func() bool {
		return count(t, db, `SELECT count(*) FROM process_events WHERE event_type = 'exit' AND exit_code = 4 AND command LIKE '%the-end'`) == 1
	})
	await(t, "the episodes", func() bool {
		return count(t, db, `SELECT count(*) FROM anomalies WHERE rule IN ('crash_loop', 'deaths')`) >= 4
	})
	recorder.stop()
	for _, want := range []struct {
		rule, command string
		episodes      int
	}{{"crash_loop", "a-service", 1}, {"crash_loop", "a-check", 0}, {"crash_loop", "a-step", 0}, {"deaths", "a-service", 1}, {"deaths", "a-check", 1}, {"deaths", "a-step", 1}} {
		got := count(t, db, fmt.Sprintf(`SELECT count(*) FROM anomalies WHERE rule = '%s' AND command LIKE '%%%s'`, want.rule, want.command))
		if got != want.episodes {
			t.Errorf("%s of %s: %d episodes, want %d:\n%s", want.rule, want.command, got, want.episodes, run(t, "anomalies", "--data", dir))
		}
	}
}
