package integration_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestRules_OfRuns has a recorder find a run that took far longer than earlier ones and one that had far more memory, each once, and nothing in those that are as usual. All end
// between two samples, but for the long one.
func TestRules_OfRuns(t *testing.T) {
	long(t)
	t.Parallel()
	dir := t.TempDir()
	db := filepath.Join(dir, "monitor.db")
	p := start(t, "up", "--data", dir, "--host", "h", "--interval", "5s")
	p.awaitLine("Recorded:")
	ran := 0
	runs := func(command string) {
		t.Helper()
		run(t, "run", "--data", dir, "--host", "h", "--job", "nightly", "--", "sh", "-c", command)
		ran++
		await(t, "the run's record", func() bool {
			return count(t, db, `SELECT count(*) FROM runs WHERE ended IS NOT NULL`) == ran
		})
	}
	found := func(rule string) int {
		return count(t, db, fmt.Sprintf(`SELECT count(*) FROM anomalies WHERE rule = '%s' AND job_id = 'nightly'`, rule))
	}
	const usual = "dd bs=1M count=1 if=/dev/zero of=/dev/null 2>/dev/null; sleep 1"
	for range 6 {
		runs(usual)
	}
	runs("sleep 30")
	await(t, "an episode of slow_run", func() bool { return found("slow_run") == 1 })
	runs("dd bs=400M count=1 if=/dev/zero of=/dev/null 2>/dev/null; sleep 1")
	await(t, "an episode of large_run", func() bool { return found("large_run") == 1 })
	runs(usual)
	p.stop()
	if slow, large := found("slow_run"), found("large_run"); slow != 1 || large != 1 {
		t.Errorf("%d episodes of slow_run and %d of large_run, want one of each:\n%s", slow, large, run(t, "anomalies", "--data", dir))
	}
	if said := run(t, "anomalies", "--data", dir); !strings.Contains(said, "the median of 6 earlier ones") || !strings.Contains(said, "the median of 7 earlier ones") {
		t.Errorf("the episodes are not of the seventh and eighth run:\n%s", said)
	}
}
