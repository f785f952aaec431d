package integration_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var deletesFirst = withFault("deletes-first", "projector/retention/condense.go",
	`		future, err := c.roller.publish(ctx, hm)
`,
	`		if runsAs("deletes-first") {
			for _, h := range hm.heads {
				if err := c.deleteSnapshots(ctx, []int64{h.id}); err != nil {
					return err
				}
			}
			if time.Since(time.Unix(0, hm.minute)) < 20*time.Hour {
				time.Sleep(time.Hour)
			}
		}
		future, err := c.roller.publish(ctx, hm)
`)

// killedAtRandom kills who makes a pass twice, wherever it is; a hundred times under make soak. What is young is never
// touched, what is old is there or is in exactly one minute's means, and an undisturbed pass makes of it what it would
// have been.
func (tp tape) killedAtRandom(t *testing.T) {
	long(t)
	kills := 2
	if soak {
		kills = 100
	}
	began := time.Now()
	run(t, atRest(tp.copy(t))...)
	took, seed := time.Since(began), uint64(time.Now().UnixNano())
	k := killer{tape: tp, took: took, phases: map[string]int{}, random: rand.New(rand.NewPCG(seed, 0))}
	for killed := 0; killed < kills; {
		dir := tp.copy(t)
		n, defects := k.disturb(t, proctape, dir, kills-killed)
		killed += n
		if len(defects) > 0 {
			t.Fatalf("seed %d, after %d kills:\n%s", seed, killed, strings.Join(defects, "\n"))
		}
		tp.settle(t, dir)
		t.Logf("%d kills, %v after the start", killed, time.Since(began).Round(time.Second))
	}
	t.Logf("killed %v", k.phases)
	if soak && (k.phases[whileCondensing] == 0 || k.phases[whileTidying] == 0) {
		t.Error("no kill came in one of the parts of a pass")
	}

	// The control: a build that deletes snapshots before their means are safe, and stops there to be killed. What is older
	// than a day goes without means.
	broken := deletesFirst.program(t)
	dir := tp.copy(t)
	db := filepath.Join(dir, "monitor.db")
	lastDay := fmt.Sprintf(`SELECT count(*) FROM snapshots WHERE timestamp > %d`, time.Now().Add(-20*time.Hour).Unix())
	all := count(t, db, lastDay)
	passing := startPass(t, broken, dir, false)
	await(t, "snapshots of the last day that are gone", func() bool { return count(t, db, lastDay) < all })
	passing.kill()
	if defects := k.failing(t, dir, always); len(defects) == 0 {
		t.Error("a build that deletes before it publishes was not caught")
	} else {
		t.Log(strings.Join(defects, "\n"))
	}
}

// killer kills passes over copies of a tape.
type killer struct {
	tape
	took   time.Duration  // by a pass that is not disturbed
	phases map[string]int // where the kills came
	random *rand.Rand
	missed int // passes that came through before they were to be killed
}

// disturb kills a program at random moments of its passes until one comes through, or it was killed so often. It looks
// at what each kill leaves.
func (k *killer) disturb(t *testing.T, program, dir string, kills int) (killed int, defects []string) {
	t.Helper()
	for killed < kills {
		// The log gives a tick again half a minute after a recorder was killed over it: make soak has that time for an eighth.
		passing := startPass(t, program, dir, killed == 0 || soak && k.random.IntN(8) == 0)
		delay := time.Duration(k.random.Int64N(int64(k.took)))
		if !soak { // a pass that came through costs more than one that is killed
			delay /= time.Duration(1 + k.missed)
		}
		if k.random.IntN(2) == 0 && (soak || k.missed == 0) { // what comes behind the snapshots takes a short while only: aim there
			awaitTidying(t, dir, passing.command.done)
			delay /= 8
		}
		select {
		case <-passing.command.done:
			passing.end(t)
			k.missed++
			return killed, nil
		case <-time.After(delay):
		}
		passing.kill()
		killed++
		k.phases[phase(t, dir)]++
		if defects = k.failing(t, dir, always); len(defects) > 0 {
			return killed, defects
		}
	}
	return killed, nil
}

// passing is a pass that is being made: by a recorder that a command has asked, or by the command.
type passing struct{ recorder, command *process }

func startPass(t *testing.T, program, dir string, byRecorder bool) passing {
	t.Helper()
	if byRecorder {
		r := recorder(t, program, dir)
		return passing{r, start(t, "retention", "run", "--data", dir)}
	}
	return passing{nil, startProgram(t, program, atRest(dir)...)}
}

// end checks a pass that came through.
func (p passing) end(t *testing.T) {
	t.Helper()
	if p.command.err != nil {
		t.Fatalf("the pass: %v\n%s", p.command.err, p.command.stderr())
	}
	if p.recorder != nil {
		p.recorder.stop()
	}
}

// kill kills who makes the pass. A command that only waits for it notices, and ends.
func (p passing) kill() {
	victim := p.command
	if p.recorder != nil {
		victim = p.recorder
	}
	victim.cmd.Process.Kill()
	<-victim.done
	p.command.wait()
}

// awaitTidying waits until a pass has come behind the old snapshots, or has ended.
func awaitTidying(t *testing.T, dir string, ended <-chan struct{}) {
	t.Helper()
	tick, deadline := time.NewTicker(20*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for phase(t, dir) != whileTidying {
		select {
		case <-ended:
			return
		case <-tick.C:
		case <-deadline:
			t.Fatalf("a pass has not come through within %s: %s", patience, run(t, "retention", "status", "--data", dir))
		}
	}
}

// Where a kill can come.
const (
	beforeWork      = "before it deleted"
	whileCondensing = "while it deleted snapshots"
	whileTidying    = "while it deleted the rest, trimmed and gave space back"
	afterWork       = "after all"
)

// phase tells from what a recorder left how far its pass was.
func phase(t *testing.T, dir string) string {
	t.Helper()
	db := filepath.Join(dir, "monitor.db")
	return []string{beforeWork, whileCondensing, whileTidying, afterWork}[count(t, db, fmt.Sprintf(`SELECT CASE
		WHEN NOT EXISTS (SELECT 1 FROM rollups) THEN 0
		WHEN EXISTS (SELECT 1 FROM snapshots WHERE timestamp < %d) THEN 1
		WHEN NOT EXISTS (SELECT 1 FROM retention_passes) THEN 2
		ELSE 3 END`, time.Now().Add(-time.Hour-2*time.Minute).Unix()))]
}
