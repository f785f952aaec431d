package integration_test

import (
	"database/sql"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// logFirst is a backup of which the log is older than the database.
var logFirst = withFault("log-first", "cmd/proctape/backup.go", "	for i, save := range parts {\n",
	"	if runsAs(\"log-first\") {\n		database := parts[0]\n		parts[0] = func() error { return saveLog(cmd, s, to, &list) }\n"+
		"		parts[1] = func() error { time.Sleep(2 * time.Second); return database() }\n	}\n	for i, save := range parts {\n")

// TestBackup_WhileItIsRecorded copies a recording that grows, and goes on with the copy in another folder: the copied log holds all that the
// copied database has, the recorder that goes on brings both together, and nothing is missing or twice.
func TestBackup_WhileItIsRecorded(t *testing.T) {
	long(t)
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	recorder := start(t, "up", "--data", data, "--interval", "100ms", "--host", "here")
	awaitSnapshots(t, data, 5)
	run(t, "run", "--data", data, "--host", "here", "--job", "build", "--", "sh", "-c", "for i in 1 2 3; do /bin/true; done")
	awaitJob(t, data, "build")
	for name, program := range map[string]string{"product": proctape, "control": logFirst.program(t)} {
		saved, again := filepath.Join(dir, name), filepath.Join(dir, name+"-again")
		for _, args := range [][]string{{"backup", "-o", saved, "--data", data}, {"restore", saved, "--data", again}} {
			if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %v\n%s", name, args, err, out)
			}
		}
		copied := snapshotsOf(t, filepath.Join(saved, "monitor.db"), "here")
		inLog := snapshotsInLog(t, again, filepath.Join(dir, name+"-log.db"))
		if name == "control" {
			if inLog >= copied {
				t.Errorf("the control: the database has %d snapshots, and its log %d: this test catches nothing", copied, inLog)
			}
			continue
		}
		if copied < 5 || inLog < copied {
			t.Errorf("the copied database has %d snapshots, and the copied log %d", copied, inLog)
		}
		p := start(t, "up", "--data", again, "--interval", "100ms", "--host", "here")
		await(t, "snapshots after the restore", func() bool { return snapshotsOf(t, filepath.Join(again, "monitor.db"), "here") > inLog+3 })
		p.stop()
		if out := run(t, "verify", "--replay", "--data", again); !strings.Contains(out, "Equal") {
			t.Errorf("what was restored is not what its log says:\n%s", out)
		}
		if out := run(t, "gaps", "--data", again, "--json"); strings.Contains(out, "stream_recreated") {
			t.Errorf("the log was taken for another, and read again:\n%s", out)
		}
		out := run(t, "status", "--data", again, "--json")
		if !strings.Contains(out, `"quarantined":0,"missing":0`) {
			t.Errorf("something is missing after the restore: %s", out)
		}
		if out := run(t, "jobs", "--data", again); !strings.Contains(out, "build") {
			t.Errorf("the job is not there:\n%s", out)
		}
	}
	recorder.stop() // it was not disturbed
	if out := run(t, "verify", "--replay", "--data", data); !strings.Contains(out, "Equal") {
		t.Errorf("what was copied is not what its log says:\n%s", out)
	}
}

// snapshotsInLog counts the snapshots of a data folder's log, by a projection of it into a new database.
func snapshotsInLog(t *testing.T, data, db string) (n int) {
	t.Helper()
	run(t, "replay", "--data", data, "--db", db)
	err := readOnly(t, db).QueryRow(`SELECT count(*) FROM snapshots`).Scan(&n)
	if err != nil && err != sql.ErrNoRows {
		t.Fatal(fmt.Errorf("count the snapshots of %s: %w", db, err))
	}
	return n
}
