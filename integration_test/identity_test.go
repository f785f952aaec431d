package integration_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema"
)

// projection follows a log into a database, as a process of its own.
func projection(t *testing.T, data, db string) *process {
	t.Helper()
	p := start(t, "project", "--data", data, "--db", db)
	p.awaitLine("is projecting")
	return p
}

// snapshotsOf is how many snapshots of a host a database holds.
func snapshotsOf(t *testing.T, db, host string) int {
	t.Helper()
	return count(t, db, fmt.Sprintf(`SELECT count(*) FROM snapshots s JOIN hosts h ON h.id = s.host_id WHERE h.name='%s'`, host))
}

// gapsOf is how many gaps of some kinds a database holds.
func gapsOf(t *testing.T, db string, kinds ...schema.GapKind) (n int) {
	t.Helper()
	for _, kind := range kinds {
		n += count(t, db, fmt.Sprintf(`SELECT count(*) FROM gaps WHERE kind = '%s'`, kind))
	}
	return n
}

// TestIdentity_StreamMadeAnew deletes a stream under a running projection and makes it again: it is noticed and told,
// and the new messages, which have the old ones' sequences, are all folded.
func TestIdentity_StreamMadeAnew(t *testing.T) {
	long(t)
	t.Parallel()
	log := startLog(t, t.TempDir())
	h := newHost("alpha", 20, 1)
	log.record(h, 50)
	db := filepath.Join(t.TempDir(), "p.db")
	p := projection(t, log.dir, db)
	await(t, "the first fifty snapshots", func() bool { return snapshotsOf(t, db, "alpha") == 50 })

	if err := log.js.DeleteStream(context.Background(), schema.StreamSnapshots); err != nil {
		t.Fatal(err)
	}
	if err := embeddednats.Declare(context.Background(), log.js, schema.Streams(schema.Policy{}, 1), true); err != nil {
		t.Fatal(err)
	}
	log.record(h, 30)
	await(t, "thirty more", func() bool { return snapshotsOf(t, db, "alpha") == 80 })
	if gapsOf(t, db, schema.GapStreamRecreated) != 1 {
		t.Error("the new stream is not told as a gap")
	}
	p.stop()
}

// TestIdentity_StreamDeleted deletes a stream under a running projection, and nobody makes it again for a while: what comes on
// the others is folded meanwhile.
func TestIdentity_StreamDeleted(t *testing.T) {
	long(t)
	t.Parallel()
	log := startLog(t, t.TempDir())
	h := newHost("alpha", 20, 1)
	log.record(h, 20)
	db := filepath.Join(t.TempDir(), "p.db")
	p := projection(t, log.dir, db)
	await(t, "the first twenty snapshots", func() bool { return snapshotsOf(t, db, "alpha") == 20 })
	if err := log.js.DeleteStream(context.Background(), schema.StreamRollups); err != nil {
		t.Fatal(err)
	}
	p.awaitStderr("a stream of the log is gone")
	log.record(h, 10)
	await(t, "ten more", func() bool { return snapshotsOf(t, db, "alpha") == 30 })
	if err := embeddednats.Declare(context.Background(), log.js, schema.Streams(schema.Policy{}, 1), true); err != nil {
		t.Fatal(err)
	}
	await(t, "the gap of the stream that is there again", func() bool { return gapsOf(t, db, schema.GapStreamRecreated) == 1 })
	log.record(h, 10)
	await(t, "ten more", func() bool { return snapshotsOf(t, db, "alpha") == 40 })
	p.stop()
}

var comparesNoStream = withFault("compares-no-stream", "projector/streams.go",
	`		return schema.GapStreamLostEnd, nil`,
	`		if runsAs("compares-no-stream") {
			return "", nil
		}
		return schema.GapStreamLostEnd, nil`)

// TestIdentity_StoreOfYesterday restores the log from a copy, as after a disk was replaced. The log goes on from
// there and gives sequences out that were given out before.
func TestIdentity_StoreOfYesterday(t *testing.T) {
	long(t)
	t.Parallel()
	for _, running := range []bool{false, true} {
		t.Run(fmt.Sprintf("projection runs on: %t", running), func(t *testing.T) { storeOfYesterday(t, proctape, running, true) })
	}
	// The control: a build that does not compare the stream with what it folded skips what is new.
	broken := comparesNoStream.program(t)
	t.Run("control", func(t *testing.T) { storeOfYesterday(t, broken, false, false) })
}

func storeOfYesterday(t *testing.T, program string, running, sound bool) {
	log := startLog(t, t.TempDir())
	h := newHost("alpha", 20, 1)
	log.record(h, 40)
	log.stop()
	yesterday := filepath.Join(t.TempDir(), "jetstream")
	copyTree(t, filepath.Join(log.dir, "jetstream"), yesterday)
	log.start()
	log.record(h, 40)

	db := filepath.Join(t.TempDir(), "p.db")
	p := projection(t, log.dir, db)
	await(t, "all eighty", func() bool { return snapshotsOf(t, db, "alpha") == 80 })
	if !running {
		p.stop()
	}
	log.stop()
	if err := os.RemoveAll(filepath.Join(log.dir, "jetstream")); err != nil {
		t.Fatal(err)
	}
	copyTree(t, yesterday, filepath.Join(log.dir, "jetstream"))
	log.start()
	if running {
		// New messages at once, so that they may pass the old ones' sequences before anybody looks.
		log.record(h, 60)
		await(t, "sixty more", func() bool { return snapshotsOf(t, db, "alpha") == 140 })
		p.stop()
	} else {
		log.record(h, 10) // below where the projection was
		p := startProgram(t, program, "project", "--data", log.dir, "--db", db)
		p.awaitLine("is projecting")
		if !sound {
			p.stop()
			if snapshotsOf(t, db, "alpha") == 90 {
				t.Error("the broken build skipped nothing: this test catches nothing")
			}
			return
		}
		await(t, "ten more", func() bool { return snapshotsOf(t, db, "alpha") == 90 })
		p.stop()
	}
	if gapsOf(t, db, schema.GapStreamLostEnd, schema.GapStreamRegrown) == 0 {
		t.Error("that the stream lost its end is not told")
	}
	if n := count(t, db, `SELECT sum(next_seq - 1 - stored - quarantined - missing) FROM producers`); n != 0 {
		t.Errorf("the books are off by %d", n)
	}
}

// TestIdentity_BlockCutShort cuts a block of the store in half, as a failing disk does: what is left is folded, what
// is lost is told, and what comes then is not skipped.
func TestIdentity_BlockCutShort(t *testing.T) {
	long(t)
	t.Parallel()
	log := startLog(t, t.TempDir())
	h := newHost("alpha", 20, 1)
	log.record(h, 100)
	db := filepath.Join(t.TempDir(), "p.db")
	p := projection(t, log.dir, db)
	await(t, "all hundred", func() bool { return snapshotsOf(t, db, "alpha") == 100 })
	p.stop()
	log.stop()

	blocks := must(filepath.Glob(filepath.Join(log.dir, "jetstream", "*", "streams", schema.StreamSnapshots, "msgs", "*.blk")))(t)
	if len(blocks) == 0 {
		t.Fatal("no blocks")
	}
	info := must(os.Stat(blocks[0]))(t)
	if err := os.Truncate(blocks[0], info.Size()/2); err != nil {
		t.Fatal(err)
	}
	// Without its index, as after a crash, the server scans the block and finds where it ends.
	os.Remove(filepath.Join(filepath.Dir(blocks[0]), "index.db"))
	log.start()
	log.record(h, 20)
	p = projection(t, log.dir, db)
	await(t, "twenty more", func() bool { return snapshotsOf(t, db, "alpha") == 120 })
	p.stop()
	if gapsOf(t, db, schema.GapStreamLostEnd, schema.GapStreamRegrown) == 0 {
		t.Error("that the stream lost its end is not told")
	}
}

// TestIdentity_TrimmedBelow purges what a projection has not folded yet: the hole is a gap, with a count.
func TestIdentity_TrimmedBelow(t *testing.T) {
	long(t)
	t.Parallel()
	log := startLog(t, t.TempDir())
	h := newHost("alpha", 20, 1)
	log.record(h, 30)
	db := filepath.Join(t.TempDir(), "p.db")
	p := projection(t, log.dir, db)
	await(t, "the first thirty", func() bool { return snapshotsOf(t, db, "alpha") == 30 })
	p.stop()
	log.record(h, 30)
	stream := must(log.js.Stream(context.Background(), schema.StreamSnapshots))(t)
	if err := stream.Purge(context.Background()); err != nil {
		t.Fatal(err)
	}
	log.record(h, 5)
	p = projection(t, log.dir, db)
	await(t, "five more", func() bool { return snapshotsOf(t, db, "alpha") == 35 })
	p.stop()
	if n := count(t, db, `SELECT count FROM gaps WHERE kind='stream_hole' AND stream='PROCTAPE_SNAPSHOTS'`); n != 30 {
		t.Errorf("the gap of the stream counts %d messages, want 30", n)
	}
	if n := count(t, db, `SELECT missing FROM producers WHERE kind='snapshot'`); n != 30 {
		t.Errorf("%d snapshots are missing, want 30", n)
	}
}

// TestIdentity_TwoDatabasesOfOneLog are equal; two projections of one database are refused.
func TestIdentity_TwoDatabasesOfOneLog(t *testing.T) {
	long(t)
	t.Parallel()
	log := startLog(t, t.TempDir())
	a, b := filepath.Join(t.TempDir(), "a.db"), filepath.Join(t.TempDir(), "b.db")
	pa := projection(t, log.dir, a)
	h := newHost("alpha", 50, 1)
	log.record(h, 100)
	pb := projection(t, log.dir, b) // it begins in the middle, and catches up
	log.record(h, 100)
	await(t, "all in both", func() bool { return snapshotsOf(t, a, "alpha") == 200 && snapshotsOf(t, b, "alpha") == 200 })

	// It does not wait for the first one, which goes on.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, proctape, "project", "--data", log.dir, "--db", a).CombinedOutput()
	if err == nil || !strings.Contains(string(out), fmt.Sprintf("process %d already writes", pa.cmd.Process.Pid)) {
		t.Errorf("a second projection of one database: %v, %s", err, out)
	}
	pa.stop()
	pb.stop()
	run(t, "verify", "--db", a, "--against", b)
	equal(t, a, b)

	// The control: one byte of one row.
	db := writable(t, b)
	if _, err := db.Exec(`UPDATE samples SET rss_kib = rss_kib + 1 WHERE id = (SELECT min(id) FROM samples WHERE id >> 22 = 100)`); err != nil {
		t.Fatal(err)
	}
	db.Close()
	out, err = exec.Command(proctape, "verify", "--db", a, "--against", b).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "samples") || !strings.Contains(string(out), "2026-11-01") {
		t.Errorf("verify says of a changed row: %v\n%s", err, out)
	}
}

// TestIdentity_CopyOfADatabase folds one log into a database and a copy of it, at once: neither takes messages from the
// other.
func TestIdentity_CopyOfADatabase(t *testing.T) {
	long(t)
	t.Parallel()
	log := startLog(t, t.TempDir())
	h := newHost("alpha", 10, 1)
	log.record(h, 10)
	db, copied := filepath.Join(t.TempDir(), "p.db"), filepath.Join(t.TempDir(), "p.db")
	projection(t, log.dir, db).stop()
	if err := os.WriteFile(copied, must(os.ReadFile(db))(t), 0o600); err != nil {
		t.Fatal(err)
	}
	a, b := projection(t, log.dir, db), projection(t, log.dir, copied)
	for range 30 {
		log.record(h, 5)
	}
	await(t, "all in both", func() bool { return snapshotsOf(t, db, "alpha") == 160 && snapshotsOf(t, copied, "alpha") == 160 })
	a.stop()
	b.stop()
	for _, path := range []string{db, copied} {
		if n := count(t, path, `SELECT count(*) FROM gaps`); n != 0 {
			t.Errorf("%d gaps where nothing is missing", n)
		}
	}
}

// TestIdentity_MadeAnewAndEmpty deletes a stream and makes it again, and nothing comes on it: the others go on.
func TestIdentity_MadeAnewAndEmpty(t *testing.T) {
	long(t)
	t.Parallel()
	log := startLog(t, t.TempDir())
	h := newHost("alpha", 100, 1)
	log.record(h, 20)
	db := filepath.Join(t.TempDir(), "p.db")
	p := projection(t, log.dir, db)
	await(t, "the first twenty", func() bool { return snapshotsOf(t, db, "alpha") == 20 })
	if err := log.js.DeleteStream(context.Background(), schema.StreamSnapshots); err != nil {
		t.Fatal(err)
	}
	if err := embeddednats.Declare(context.Background(), log.js, schema.Streams(schema.Policy{}, 1), true); err != nil {
		t.Fatal(err)
	}
	events := count(t, db, `SELECT count(*) FROM process_events`)
	for range 3 {
		for _, m := range h.snapshot() {
			if m.Kind != schema.KindSnapshot {
				log.publish(m)
			}
		}
	}
	await(t, "more events", func() bool { return count(t, db, `SELECT count(*) FROM process_events`) > events })
	p.stop()
	start(t, "project", "--data", log.dir, "--db", db).stopWhen("is projecting")
}

// TestIdentity_DatabaseRemoved removes the database under a running projection: the log is folded into a new one.
func TestIdentity_DatabaseRemoved(t *testing.T) {
	long(t)
	t.Parallel()
	log := startLog(t, t.TempDir())
	h := newHost("alpha", 10, 1)
	log.record(h, 20)
	db := filepath.Join(t.TempDir(), "p.db")
	p := projection(t, log.dir, db)
	await(t, "twenty snapshots", func() bool { return snapshotsOf(t, db, "alpha") == 20 })
	if err := os.Remove(db); err != nil {
		t.Fatal(err)
	}
	log.record(h, 5)
	await(t, "all of them in a new database", func() bool { return snapshotsOf(t, db, "alpha") == 25 })
	p.stop()
	if !strings.Contains(p.stderr(), "the database was removed") {
		t.Errorf("it is not told: %s", p.stderr())
	}
	run(t, "verify", "--data", log.dir, "--db", db, "--replay")
}

// stopWhen stops a process once it has said something.
func (p *process) stopWhen(said string) {
	p.t.Helper()
	p.awaitLine(said)
	p.stop()
}

// TestIdentity_VerifyOfATrimmedLog: what the log no longer has cannot be compared, and is said; what it has must agree. The rows are
// so old that a policy may have trimmed their messages.
func TestIdentity_VerifyOfATrimmedLog(t *testing.T) {
	long(t)
	t.Parallel()
	log := startLog(t, t.TempDir())
	log.record(newHost("alpha", 20, 1), 60)
	db := filepath.Join(t.TempDir(), "p.db")
	projection(t, log.dir, db).stop()
	stream := must(log.js.Stream(context.Background(), schema.StreamSnapshots))(t)
	if err := stream.Purge(context.Background(), jetstream.WithPurgeSequence(21)); err != nil {
		t.Fatal(err)
	}
	out, code := exitOf(t, "verify", "--data", log.dir, "--db", db, "--replay")
	if !strings.Contains(out, "20 snapshots and 0 events are older") || !strings.Contains(out, "Equal") || code != 0 {
		t.Errorf("verify ends with %d and prints\n%s", code, out)
	}
	if _, err := writable(t, db).Exec(`UPDATE samples SET rss_kib = rss_kib + 1 WHERE id = (SELECT min(id) FROM samples WHERE id >> 22 = 40)`); err != nil {
		t.Fatal(err)
	}
	if out, code := exitOf(t, "verify", "--data", log.dir, "--db", db, "--replay"); code != 5 {
		t.Errorf("verify says of a changed row %d\n%s", code, out)
	}
	if err := stream.Purge(context.Background()); err != nil { // and of a log that holds nothing
		t.Fatal(err)
	}
	run(t, "replay", "--data", log.dir, "--db", filepath.Join(t.TempDir(), "empty.db"))
}

// exitOf runs a command of the program, and returns what it printed and its exit code.
func exitOf(t *testing.T, args ...string) (string, int) {
	t.Helper()
	out, err := exec.Command(proctape, args...).CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	if ended == nil {
		return string(out), 0
	}
	return string(out), ended.ExitCode()
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
