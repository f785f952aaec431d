package integration_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var neverHeals = withFault("never-heals", "embedded-nats/heal.go",
	`return h.failed >= unhealthyBefore`,
	`return h.failed >= unhealthyBefore && !runsAs("never-heals")`)

// TestTrouble_DiskFull fills the disk under a recorder and frees it: readers are served meanwhile, the reason is told,
// the recorder goes on by itself, within ten seconds on the machine at rest of make soak, and nothing is missing.
func TestTrouble_DiskFull(t *testing.T) {
	t.Parallel()
	long(t)
	t.Run("heals", func(t *testing.T) {
		t.Parallel()
		fillDisk(t, proctape, true)
	})
	// A build that does not heal the server, which never writes again once it could not.
	t.Run("control", func(t *testing.T) {
		t.Parallel()
		fillDisk(t, neverHeals.program(t), false)
	})
}

func fillDisk(t *testing.T, program string, sound bool) {
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip("SKIPPED: there is no unshare on this machine, so no small disk can be made")
	}
	disk := t.TempDir()
	namespaces := []string{"-m"}
	if os.Geteuid() != 0 {
		namespaces = []string{"-Urm"}
	}
	script := `mount -t tmpfs -o size=48m tmpfs "$1" && exec "$2" up --data "$1/data" --interval 100ms --host here`
	recorder := startProgram(t, unshare, append(namespaces, "sh", "-c", script, "sh", disk, program)...)
	recorder.await("start", func(lines []string) bool { return strings.Contains(strings.Join(lines, "\n"), "is recording") })
	// The disk as the recorder sees it.
	root := fmt.Sprintf("/proc/%d/root", recorder.cmd.Process.Pid)
	if _, err := os.Stat(filepath.Join(root, disk, "data")); err != nil {
		t.Skipf("SKIPPED: this machine does not let a test mount a small disk: %v\n%s", err, recorder.stderr())
	}
	enter := func(args ...string) *exec.Cmd {
		how := []string{"-t", strconv.Itoa(recorder.cmd.Process.Pid), "-m"}
		if os.Geteuid() != 0 {
			how = append(how, "-U", "--preserve-credentials")
		}
		return exec.Command("nsenter", append(how, args...)...)
	}
	inside := func(query string) int { // SQLite follows links, so it has to be where the disk is
		enter := enter(os.Args[0])
		enter.Env = append(os.Environ(), roleEnv+"=count", "PROCTAPE_TEST_DB="+filepath.Join(disk, "data", "monitor.db"), "PROCTAPE_TEST_QUERY="+query)
		n, err := strconv.Atoi(strings.TrimSpace(string(must(enter.Output())(t))))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	await(t, "ten snapshots", func() bool { return inside(`SELECT count(*) FROM snapshots`) >= 10 })

	filler := filepath.Join(root, disk, "filler")
	f := must(os.Create(filler))(t)
	w := bufio.NewWriterSize(f, 4096)
	for err == nil {
		_, err = w.Write(make([]byte, 4096))
	}
	f.Close()
	recorder.awaitStderr("no space left on device", "database or disk is full", "disk is full")
	full := inside(`SELECT count(*) FROM snapshots`)
	if full < 10 {
		t.Errorf("a reader sees %d snapshots while the disk is full", full)
	}
	if sound { // status says how much room is wanted
		await(t, "a status with the bytes that are wanted", func() bool {
			check := enter(program, "status", "--check", "--data", filepath.Join(disk, "data"))
			line, _ := check.Output()
			return check.ProcessState.ExitCode() == 2 && strings.Contains(string(line), "the disk is full") && strings.Contains(string(line), "wants 16 MiB")
		})
	}
	// For a while, so that every part meets the full disk.
	<-time.After(3 * time.Second)

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	freed := time.Now()
	full = inside(`SELECT count(*) FROM snapshots`)
	if !sound {
		// What the log took before the disk was full may still be folded. One that heals goes on for ever.
		for since := freed; time.Since(since) < 10*time.Second; <-time.After(time.Second) {
			if n := inside(`SELECT count(*) FROM snapshots`); n > full {
				full, since = n, time.Now()
			}
			if time.Since(freed) > patience {
				t.Fatalf("the broken build goes on too, to %d snapshots: this test catches nothing", full)
			}
		}
		recorder.cmd.Process.Kill()
		return
	}
	await(t, "snapshots after the disk was freed", func() bool { return inside(`SELECT count(*) FROM snapshots`) > full })
	took := time.Since(freed)
	t.Logf("recording again %s after there was space", took.Round(10*time.Millisecond))
	if soak && took > 10*time.Second {
		t.Errorf("it took %s, want at most 10s", took)
	}
	more := inside(`SELECT count(*) FROM snapshots`)
	await(t, "twenty more", func() bool { return inside(`SELECT count(*) FROM snapshots`) >= more+20 })
	await(t, "all that waited", func() bool {
		return inside(`SELECT max(seq) - count(*) FROM snapshots`) == 0
	})
	if n := inside(`SELECT coalesce(sum(missing), 0) FROM producers`); n != 0 {
		t.Errorf("%d items are missing: they waited in the sampler", n)
	}
	recorder.awaitStderr("the disk has room again")
	said := recorder.stderr()
	began, ended := strings.Count(said, `msg="the disk is full`), strings.Count(said, `msg="the disk has room again"`)
	if began == 0 || ended == 0 || ended > began || !strings.Contains(said[strings.LastIndex(said, "the disk has room again"):], "took=") {
		t.Errorf("a full disk is said to begin %d times and to end %d times:\n%s", began, ended, said)
	}
	recorder.stop()
}

// awaitStderr waits until the process said one of the words to stderr.
func (p *process) awaitStderr(words ...string) {
	p.t.Helper()
	await(p.t, fmt.Sprintf("word of %q in\n%s", words, p.stderr()), func() bool {
		for _, w := range words {
			if strings.Contains(p.stderr(), w) {
				return true
			}
		}
		return false
	})
}

var waitsForNoReader = withFault("waits-for-no-reader", "projector/wal.go",
	`for waited := false; w.store.WALSize() > store.WALTrim; waited = true {`,
	`for waited := false; w.store.WALSize() > store.WALTrim && !runsAs("waits-for-no-reader"); waited = true {`)

// TestTrouble_LingeringReader holds a read transaction open while a log is folded: the write-ahead log stays below
// 64 MiB, the fold waits, and goes on when the reader is gone.
func TestTrouble_LingeringReader(t *testing.T) {
	long(t)
	t.Parallel()
	log := startLog(t, t.TempDir())
	fold, control := filepath.Join(t.TempDir(), "p.db"), filepath.Join(t.TempDir(), "p.db")
	for _, db := range []string{fold, control} { // the databases are there before there is anything to fold
		projection(t, log.dir, db).stop()
	}
	// Rows are many bytes long, so that a few of them fill the write-ahead log.
	const all, limit = 200, 64 << 20
	h := newHost("alpha", 200, 1)
	h.command = 2000
	for range all {
		h.renew()
		log.publish(h.snapshot()[0])
	}
	folded := func(db string) int {
		return count(t, db, `SELECT seq FROM checkpoints WHERE stream='PROCTAPE_SNAPSHOTS'`)
	}

	leave := linger(t, fold)
	p := start(t, "project", "--data", log.dir, "--db", fold)
	p.awaitStderr("folding waits")
	held := folded(fold)
	<-time.After(500 * time.Millisecond)
	if now := folded(fold); now != held || held >= all {
		t.Errorf("the fold went from %d to %d of %d while it said it waits", held, now, all)
	}
	if size := walSize(t, fold); size > limit {
		t.Errorf("the write-ahead log grew to %d bytes, want at most %d", size, limit)
	} else {
		t.Logf("the write-ahead log grew to %.1f MiB", float64(size)/(1<<20))
	}
	leave()
	await(t, "all folded", func() bool { return folded(fold) == all })
	p.stop()

	// The control: a build that does not wait for the reader is caught.
	broken := waitsForNoReader.program(t)
	leave = linger(t, control)
	p = startProgram(t, broken, "project", "--data", log.dir, "--db", control)
	await(t, "all folded", func() bool { return folded(control) == all })
	if size := walSize(t, control); size <= limit {
		t.Errorf("the write-ahead log of the broken build grew to %d bytes only: this test catches nothing", size)
	} else {
		t.Logf("that of the broken build grew to %.1f MiB", float64(size)/(1<<20))
	}
	leave()
	p.stop()
}

// linger opens a read transaction on a database, and returns what ends it.
func linger(t *testing.T, path string) (leave func()) {
	t.Helper()
	tx := must(readOnly(t, path).Begin())(t)
	var n int
	if err := tx.QueryRow(`SELECT count(*) FROM snapshots`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return func() { tx.Rollback() }
}

func walSize(t *testing.T, db string) int64 {
	t.Helper()
	return must(os.Stat(db + "-wal"))(t).Size()
}

var syncsNothing = withFault("syncs-nothing", "embedded-nats/server.go",
	`SyncAlways: true`,
	`SyncAlways: !runsAs("syncs-nothing")`)

// TestTrouble_PowerCut cuts the power of a disk, in the way of the file system's own shutdown, while messages are
// acknowledged: every one that was acknowledged is there afterwards, and the database is what the log says.
func TestTrouble_PowerCut(t *testing.T) {
	if !soak {
		t.Skip("SKIPPED: a campaign of make soak")
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can mount a disk to cut the power of")
	}
	image := filepath.Join(t.TempDir(), "disk.img")
	mount := t.TempDir()
	sh := func(script string) {
		t.Helper()
		if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
	}
	sh("truncate -s 512M " + image + " && mkfs.ext4 -q " + image + " && mount -o loop " + image + " " + mount)
	t.Cleanup(func() { exec.Command("umount", mount).Run() })
	data := filepath.Join(mount, "data")
	acked := cutPower(t, proctape, image, mount, data, 10)
	recorder := start(t, "up", "--data", data, "--interval", "1h", "--host", "here")
	recorder.awaitLine("In another terminal")
	recorder.stop()
	db := filepath.Join(data, "monitor.db")
	if n := snapshotsOf(t, db, "cut"); n < acked {
		t.Errorf("%d snapshots are stored, %d were acknowledged", n, acked)
	}
	run(t, "verify", "--data", data, "--replay")
	t.Logf("%d acknowledged over ten power cuts, none lost", acked)

	// The control: a build whose server does not sync before it acknowledges.
	broken := syncsNothing.program(t)
	data = filepath.Join(mount, "control")
	acked = cutPower(t, broken, image, mount, data, 1)
	recorder = start(t, "up", "--data", data, "--interval", "1h", "--host", "here")
	recorder.awaitLine("In another terminal")
	recorder.stop()
	if n := snapshotsOf(t, filepath.Join(data, "monitor.db"), "cut"); n >= acked {
		t.Errorf("the broken build lost nothing of %d: this test catches nothing", acked)
	}
}

// cutPower has a recorder and a publisher work on the disk, and cuts its power, again and again. It returns how many
// messages were acknowledged.
func cutPower(t *testing.T, program, image, mount, data string, cuts int) (acked int) {
	t.Helper()
	for cut := range cuts {
		recorder := startProgram(t, program, "up", "--data", data, "--interval", "1h", "--host", "here")
		recorder.awaitLine("In another terminal")
		sampler := exec.Command(os.Args[0])
		sampler.Env = append(os.Environ(), roleEnv+"=publisher", "PROCTAPE_TEST_DATA="+data, "PROCTAPE_TEST_SEED="+strconv.Itoa(cut))
		out := must(sampler.StdoutPipe())(t)
		if err := sampler.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 50 + 20*cut {
			if !lines.Scan() {
				t.Fatal("the publisher ended")
			}
			acked++
		}
		// What is acknowledged from here on does not count. A sync that the shutdown overtakes may find its transaction ended,
		// by being aborted, and succeed (jbd2_complete_transaction in Linux fs/jbd2/journal.c); a machine without power would
		// not go on to answer.
		shutDown(t, mount)
		sampler.Process.Kill()
		_, _ = io.Copy(io.Discard, out)
		sampler.Wait()
		recorder.cmd.Process.Kill()
		<-recorder.done
		if out, err := exec.Command("sh", "-c", "umount "+mount+" && mount -o loop "+image+" "+mount).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return acked
}
