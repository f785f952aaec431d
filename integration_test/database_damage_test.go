package integration_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proctape/proctape/schema"
)

// TestDamage_DatabaseKilled kills a recorder, turns a bit of its database, and starts it again: what it then has is what the log
// gives, and what was made anew is told. The controls are in package projector.
func TestDamage_DatabaseKilled(t *testing.T) {
	t.Parallel()
	long(t)
	trials := 4
	if soak {
		trials = 150
	}
	dir := t.TempDir()
	db := filepath.Join(dir, "monitor.db")
	args := []string{"up", "--data", dir, "--interval", "100ms", "--host", "alpha"}
	made := 0
	trial := 0
	for ; trial < trials || made == 0 && trial < 10*trials; trial++ { // a bit of a page that nobody uses is not noticed
		p := start(t, args...)
		before := 0
		await(t, "snapshots", func() bool { before = snapshotsOf(t, db, "alpha"); return before >= 5*(trial+1) })
		p.cmd.Process.Kill()
		<-p.done
		flipBit(t, db, rand.New(rand.NewPCG(uint64(trial), 1)))
		p = start(t, args...)
		p.awaitLine("is recording") // what was stored after it was counted is more than there was, before this one can be stopped
		await(t, "what there was", func() bool { return snapshotsOf(t, db, "alpha") > before && notBeingMade(p) })
		p.stop()
		if strings.Contains(p.stderr(), "the database is made anew") {
			made++
		}
		if told := gapsOf(t, db, schema.GapDatabaseDamaged); told > 1 {
			t.Errorf("trial %d: told %d times", trial, told)
		}
		verify := exec.Command(proctape, "verify", "--replay", "--data", dir)
		if out, err := verify.CombinedOutput(); err != nil && verify.ProcessState.ExitCode() != 4 { // 4: the last messages wait in the log for the next start
			t.Fatalf("trial %d: %v\n%s\n%s", trial, err, out, p.stderr())
		}
	}
	t.Logf("%d kills, each with a bit turned: %d databases were made anew", trial, made)
	if made == 0 {
		t.Error("no bit was noticed: this test catches nothing")
	}
}

// notBeingMade reports whether a recorder is not just making its database anew: a stop meanwhile leaves the damaged one, for the next start.
func notBeingMade(p *process) bool {
	said := p.stderr()
	return strings.Count(said, "the database is damaged and is made anew") == strings.Count(said, "the database is made anew")
}

func flipBit(t *testing.T, path string, rng *rand.Rand) {
	t.Helper()
	b := must(os.ReadFile(path))(t)
	b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
