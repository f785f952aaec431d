package integration_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFiles_LinesThatAreGoneAreWrittenAgain cuts monitor.jsonl short, or removes it, while nobody writes it: at the
// next start it is made whole from the rows, to the byte.
func TestFiles_LinesThatAreGoneAreWrittenAgain(t *testing.T) {
	long(t)
	t.Parallel()
	log := startLog(t, t.TempDir())
	h := newHost("alpha", 30, 1)
	log.record(h, 60)
	dir := t.TempDir()
	db, lines := filepath.Join(dir, "p.db"), filepath.Join(dir, "monitor.jsonl")
	fold := func() string {
		p := start(t, "project", "--data", log.dir, "--db", db, "--ndjson", dir, "--ndjson-limit", "400000")
		p.awaitLine("is projecting")
		p.stop() // which folds what is there
		return p.stderr()
	}
	fold()
	whole := must(os.ReadFile(lines))(t)
	if _, err := os.Stat(lines + ".1"); err != nil || bytes.Count(whole, []byte("\n")) < 3 {
		t.Fatalf("want a rotation and some lines after it: %v, %d lines", err, bytes.Count(whole, []byte("\n")))
	}
	for name, damage := range map[string]func() error{
		"in the middle of a line":  func() error { return os.Truncate(lines, int64(len(whole)*6/10)) },
		"to nothing":               func() error { return os.Truncate(lines, 0) },
		"away":                     func() error { return os.Remove(lines) },
		"not, but something added": func() error { return os.WriteFile(lines, append(bytes.Clone(whole), "{\"torn"...), 0o600) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		said := fold()
		if got := must(os.ReadFile(lines))(t); !bytes.Equal(got, whole) {
			t.Errorf("cut %s: got %d bytes again, want the %d there were", name, len(got), len(whole))
		}
		if name != "not, but something added" && !strings.Contains(said, "lines are missing from a file") {
			t.Errorf("cut %s: it is not told: %q", name, said)
		}
	}
	run(t, "verify", "--data", log.dir, "--db", db, "--replay")
}

// TestFiles_CutWhileTheyAreWritten empties monitor.jsonl under a running projection, as logrotate's copytruncate does: it
// is made whole again.
func TestFiles_CutWhileTheyAreWritten(t *testing.T) {
	long(t)
	t.Parallel()
	log := startLog(t, t.TempDir())
	h := newHost("alpha", 30, 1)
	log.record(h, 10)
	dir := t.TempDir()
	db, lines := filepath.Join(dir, "p.db"), filepath.Join(dir, "monitor.jsonl")
	p := start(t, "project", "--data", log.dir, "--db", db, "--ndjson", dir)
	await(t, "ten snapshots", func() bool { return snapshotsOf(t, db, "alpha") == 10 })
	if err := os.Truncate(lines, 0); err != nil {
		t.Fatal(err)
	}
	log.record(h, 10)
	await(t, "ten more", func() bool { return snapshotsOf(t, db, "alpha") == 20 })
	p.stop()
	undisturbed := t.TempDir()
	run(t, "replay", "--data", log.dir, "--db", filepath.Join(undisturbed, "r.db"), "--ndjson", undisturbed)
	if got, want := must(os.ReadFile(lines))(t), must(os.ReadFile(filepath.Join(undisturbed, "monitor.jsonl")))(t); !bytes.Equal(got, want) {
		t.Errorf("got %d bytes and %d lines, want %d and %d", len(got), bytes.Count(got, []byte("\n")), len(want), bytes.Count(want, []byte("\n")))
	}
}

// TestFiles_OneWriterAFolder refuses a second database that would write the same files.
func TestFiles_OneWriterAFolder(t *testing.T) {
	t.Parallel()
	log := startLog(t, t.TempDir())
	dir := t.TempDir()
	p := start(t, "project", "--data", log.dir, "--db", filepath.Join(dir, "p.db"), "--ndjson", dir)
	p.awaitLine("is projecting")
	out, err := exec.Command(proctape, "replay", "--data", log.dir, "--db", filepath.Join(t.TempDir(), "r.db"), "--ndjson", dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "already writes the files in "+dir) {
		t.Errorf("a second writer: %v\n%s", err, out)
	}
	p.stop()
}

// TestFiles_OfAnotherDatabaseAreMovedAside starts a new database beside old files.
func TestFiles_OfAnotherDatabaseAreMovedAside(t *testing.T) {
	t.Parallel()
	log := startLog(t, t.TempDir())
	log.record(newHost("alpha", 5, 1), 5)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "monitor.jsonl"), []byte("{\"precious\":true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "replay", "--data", log.dir, "--db", filepath.Join(dir, "new.db"), "--ndjson", dir)
	if b, err := os.ReadFile(filepath.Join(dir, "monitor.jsonl.aside")); err != nil || string(b) != "{\"precious\":true}\n" {
		t.Errorf("the old file: %q, %v", b, err)
	}
}

// TestFiles_ErrorsOfTheDisk injects errors into system calls of a fold. Whatever it says then, and whether it goes on
// or ends, the next run ends with what an undisturbed one has.
func TestFiles_ErrorsOfTheDisk(t *testing.T) {
	long(t)
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("SKIPPED: there is no strace on this machine, so no error can be injected")
	}
	log := startLog(t, t.TempDir())
	log.record(newHost("alpha", 40, 3), 30)
	args := func(f fold) []string {
		return []string{"replay", "--data", log.dir, "--db", f.db(), "--ndjson", f.dir, "--ndjson-limit", "90000"}
	}
	undisturbed := fold{t.TempDir()}
	run(t, args(undisturbed)...)
	ended := 0
	for _, inject := range []string{
		"fsync:error=EIO:when=3", "fsync:error=EIO:when=4", "fsync:error=EIO:when=5", "fsync:error=EIO:when=8", "fdatasync:error=EIO:when=3", "fdatasync:error=ENOSPC:when=2", "pwrite64:error=EIO:when=20",
		"pwrite64:error=ENOSPC:when=30..40", "write:error=ENOSPC:when=2", "write:error=EIO:when=5", "pread64:error=EIO:when=12",
		"renameat:error=EIO:when=2", "ftruncate:error=EIO:when=1",
	} {
		f := fold{t.TempDir()}
		trace := append([]string{"-f", "-qq", "-o", os.DevNull, "-P", f.dir, "-P", f.db(), "-P", f.db() + "-wal", "-P", f.dir + "/monitor.jsonl",
			"-P", f.dir + "/events.jsonl", "-P", f.dir + "/monitor.jsonl.new", "-P", f.dir + "/monitor.jsonl.1",
			"-e", "trace=" + strings.SplitN(inject, ":", 2)[0], "-e", "inject=" + inject, proctape}, args(f)...)
		if out, err := exec.Command(strace, trace...).CombinedOutput(); err != nil {
			ended++
			if !strings.Contains(string(out), "proctape: error: ") {
				t.Errorf("%s: it ended without a reason:\n%s", inject, out)
			}
			if f.finished(t) {
				t.Errorf("%s: it ended with an error and says it is finished", inject)
			}
			if out, err := exec.Command(proctape, args(f)...).CombinedOutput(); err != nil {
				t.Errorf("%s, then: %v\n%s", inject, err, out)
				continue
			}
		}
		if d := f.defects(t, undisturbed); len(d) > 0 {
			t.Errorf("%s:\n%s", inject, strings.Join(d, "\n"))
		}
	}
	if ended == 0 {
		t.Error("no error ended a run: a disk that cannot sync must")
	}
	t.Logf("%d runs ended with an error, the others went on", ended)
}
