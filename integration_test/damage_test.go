package integration_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proctape/proctape/schema"
)

var checksNoBlock = withFault("checks-no-block", "embedded-nats/check.go",
	`	return c.repair(d, read, h)`,
	`	if runsAs("checks-no-block") {
		return nil
	}
	return c.repair(d, read, h)`)

// TestDamage_OneBit flips a bit in the middle of a log that was killed: a replay has all but the one message, and says and
// counts that one.
func TestDamage_OneBit(t *testing.T) {
	long(t)
	t.Parallel()
	log := startLog(t, t.TempDir())
	h := newHost("alpha", 20, 1)
	const snapshots = 60
	log.record(h, snapshots)
	killed := copyLog(t, log.dir)
	flipInMessage(t, streamFiles(t, killed, schema.StreamSnapshots)[0], "snapshot.20")

	lost, said := replayDamaged(t, proctape, killed)
	if lost.snapshots != snapshots-1 || lost.missing != 1 || !strings.Contains(said, "the log lost messages") || !strings.Contains(said, "message 20 of PROCTAPE_SNAPSHOTS") {
		t.Errorf("%d of %d snapshots are there, %d are counted as missing; said:\n%s", lost.snapshots, snapshots, lost.missing, said)
	}
	kept := must(filepath.Glob(filepath.Join(killed, "damaged", "*.blk")))(t)
	if len(kept) != 1 {
		t.Errorf("kept for inspection: %v", kept)
	}

	// The control: a build that leaves it to the server loses all that is behind the bit.
	control := copyLog(t, log.dir)
	flipInMessage(t, streamFiles(t, control, schema.StreamSnapshots)[0], "snapshot.20")
	broken := checksNoBlock.program(t)
	if lost, said := replayDamaged(t, broken, control); lost.snapshots == snapshots-1 && lost.missing == 1 {
		t.Errorf("a build without the check finds it too: this test catches nothing\n%s", said)
	} else {
		t.Logf("without the check %d of %d snapshots are there, and %d are counted as missing", lost.snapshots, snapshots, lost.missing)
	}
}

// inReplay is what a replay of a log has.
type inReplay struct{ snapshots, missing int }

func replayDamaged(t *testing.T, program, dir string) (inReplay, string) {
	t.Helper()
	db := filepath.Join(t.TempDir(), "r.db")
	out, err := exec.Command(program, "replay", "--data", dir, "--db", db).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return inReplay{snapshotsOf(t, db, "alpha"), count(t, db, `SELECT coalesce(sum(missing), 0) FROM producers`)}, string(out)
}

// copyLog copies the data folder of a server that runs, which is what a kill would leave.
func copyLog(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "killed")
	await(t, "a copy while no file is renamed", func() bool {
		os.RemoveAll(to)
		err := os.CopyFS(to, os.DirFS(dir))
		return err == nil || strings.Contains(err.Error(), "nats.sock") // a socket cannot be copied, and is the last
	})
	if err := os.RemoveAll(filepath.Join(to, "creds")); err != nil { // the copied keys are readable to all
		t.Fatal(err)
	}
	if err := os.Chmod(to, 0o700); err != nil {
		t.Fatal(err)
	}
	return to
}

func streamFiles(t *testing.T, dir, stream string) []string {
	t.Helper()
	files := must(filepath.Glob(filepath.Join(dir, "jetstream", "$G", "streams", stream, "msgs", "*.blk")))(t)
	if len(files) == 0 {
		t.Fatalf("the stream %s has no files", stream)
	}
	return files
}

// flipInMessage flips a bit behind the id of a message that ends with a text.
func flipInMessage(t *testing.T, file, id string) {
	t.Helper()
	b := must(os.ReadFile(file))(t)
	at := bytes.Index(b, []byte(id+"\r\n"))
	if at < 0 {
		t.Fatalf("no message %s in %s", id, file)
	}
	b[at+len(id)+100] ^= 4
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDamage_LogRemoved removes the log under a recorder: it goes on recording by itself, and tells the gap.
func TestDamage_LogRemoved(t *testing.T) {
	t.Parallel()
	long(t)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "jetstream"), 0o700); err != nil {
		t.Fatal(err)
	}
	// What a server leaves that was killed while it started.
	if err := os.WriteFile(filepath.Join(dir, "jetstream", "_test_42"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(dir, "monitor.db")
	p := start(t, "up", "--data", dir, "--interval", "200ms", "--host", "alpha")
	await(t, "snapshots", func() bool { return snapshotsOf(t, db, "alpha") >= 5 })
	if said := p.stderr(); said != "" {
		t.Errorf("a leftover of a killed start is minded:\n%s", said)
	}
	before := snapshotsOf(t, db, "alpha")
	os.RemoveAll(filepath.Join(dir, "jetstream")) // the server may write meanwhile
	await(t, "snapshots after the log was removed", func() bool {
		return gapsOf(t, db, schema.GapStreamRecreated) > 0 && snapshotsOf(t, db, "alpha") >= before+10
	})
	p.stop()
}
