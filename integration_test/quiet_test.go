package integration_test

import (
	"path/filepath"
	"testing"
)

// quietMachine is what goes on where nothing is wrong: services that sleep, one that wakes up and works a little, and one that starts short programs.
const quietMachine = `for i in 1 2 3 4 5 6 7 8; do sleep 100000 & done
while sleep 1; do head -c 300000 /dev/zero | sha256sum >/dev/null; done &
while sleep 7; do ls / >/dev/null; grep -q nothing /etc/passwd; done &
`

// quietTrouble is what the control does beside it: a program dies every second.
const quietTrouble = `while sleep 1; do sh -c 'sleep 0.5; kill -SEGV $$'; done &
`

// TestRules_QuietMachine records a machine on which nothing is wrong, in a pid namespace of its own, for ten minutes: the built-in rules find nothing. What they say of
// the whole host, its memory and its processors, is left out, since the host is others' too. The control is the same with a program that dies again and again.
func TestRules_QuietMachine(t *testing.T) {
	if !soak {
		t.Skip("SKIPPED: PROCTAPE_SOAK is not set, and this is ten minutes of real time")
	}
	if !hasProgram("unshare") {
		t.Skip("SKIPPED: unshare is not installed")
	}
	for name, trouble := range map[string]string{"quiet": "", "control": quietTrouble} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			db := filepath.Join(dir, "monitor.db")
			recorder := startProgram(t, "unshare", "--pid", "--fork", "--kill-child=TERM", "--mount-proc", "sh", "-c", quietMachine+trouble+`exec "$@"`, "sh",
				proctape, "up", "--data", dir, "--host", "quiet", "--interval", "1s")
			recorder.awaitLine("Recorded:")
			for minutes := 2; minutes <= 10; minutes += 2 { // each is less than the longest wait
				await(t, "two minutes more", func() bool {
					return count(t, db, `SELECT CAST(coalesce(max(timestamp) - min(timestamp), 0) AS INTEGER) / 60 FROM snapshots`) >= minutes
				})
			}
			n := count(t, db, `SELECT count(*) FROM anomalies WHERE subject NOT IN ('host', 'gpu')`)
			t.Logf("%d snapshots, %d episodes", count(t, db, `SELECT count(*) FROM snapshots`), n)
			if (n > 0) != (trouble != "") {
				t.Errorf("%d episodes:\n%s", n, run(t, "anomalies", "--data", dir))
			}
		})
	}
}
