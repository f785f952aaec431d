package integration_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const nobody = 65534

// asUser runs the program as a user without privileges, in one more group if that is not 0, and returns its exit code and what it printed.
func asUser(t *testing.T, uid, group uint32, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(proctape, args...)
	credential := &syscall.Credential{Uid: uid, Gid: uid}
	if group != 0 {
		credential.Groups = []uint32{group}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	cmd.Dir = "/"
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// openTheWay makes the way to the program and to a folder open to all users, and no more.
func openTheWay(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can be another user")
	}
	for p := filepath.Dir(dir); p != "/" && p != os.TempDir(); p = filepath.Dir(p) {
		open(t, p)
	}
	open(t, filepath.Dir(proctape))
	open(t, proctape)
}

// TestGroup_ReadsAndRegisters shares a recording with a group: who is in it reads and records jobs, and nobody else does anything.
func TestGroup_ReadsAndRegisters(t *testing.T) {
	long(t)
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	openTheWay(t, dir)
	const group = 100 // "users" on every distribution; another number does as well
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, "monitor.jsonl.1") // of an earlier life
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	recorder := start(t, "up", "--data", dir, "--interval", "200ms", "--host", "testhost", "--group", "100")
	defer recorder.stop()
	recorder.awaitLine("In another terminal")
	awaitSnapshots(t, dir, 2)

	code, out, errs := asUser(t, nobody, group, "run", "--data", dir, "--host", "testhost", "--job", "theirs", "--", "sh", "-c", "exit 3")
	if code != 3 || strings.Contains(errs, "not recorded") {
		t.Errorf("a member's job: exit code %d, want 3, and no complaint: %s%s", code, out, errs)
	}
	awaitJob(t, dir, "theirs")
	for _, args := range [][]string{{"jobs"}, {"snapshots", "--limit", "1"}, {"status"}, {"report", "theirs"}, {"verify"}, {"job", "declare", "told", "--host", "testhost"}} {
		if code, _, errs := asUser(t, nobody, group, append(args, "--data", dir)...); code != 0 {
			t.Errorf("a member's %v: exit code %d: %s", args, code, errs)
		}
	}
	for _, args := range [][]string{{"job", "declare", "other", "--fleet"}, {"job", "declare", "other", "--host", "elsewhere"}, {"retention", "run"}, {"hosts", "add", "x"}} {
		if code, _, errs := asUser(t, nobody, group, append(args, "--data", dir)...); code == 0 || strings.Contains(errs, "deadline") {
			t.Errorf("a member's %v: exit code %d, want a refusal in plain words: %s", args, code, errs)
		}
	}
	for _, args := range [][]string{{"jobs"}, {"status"}, {"tail"}, {"job", "declare", "x"}} {
		code, _, errs := asUser(t, nobody, 0, append(args, "--data", dir)...)
		if code != 1 || !strings.Contains(errs, "permission denied") || !strings.Contains(errs, "the group") {
			t.Errorf("a stranger's %v: exit code %d, want permission denied and the group to ask for: %s", args, code, errs)
		}
	}
	code, _, errs = asUser(t, nobody, 0, "run", "--data", dir, "--job", "x", "--", "sh", "-c", "exit 4")
	if code != 4 || !strings.Contains(errs, "job x is not recorded") || !strings.Contains(errs, "permission denied") || !strings.Contains(errs, "the group") {
		t.Errorf("a stranger's job: exit code %d, want 4, and why it is not recorded: %s", code, errs)
	}
	await(t, "what a life has made, written down", func() bool {
		_, err := os.Stat(filepath.Join(dir, "lives"))
		return err == nil
	})
	checkShared(t, dir, group)
}

// checkShared checks who may read what of a data folder that is shared with a group.
func checkShared(t *testing.T, dir string, group uint32) {
	t.Helper()
	want := map[string]uint32{".": 0o2750, "monitor.db": 0o640, "monitor.db-wal": 0o640, "monitor.db-shm": 0o640, "monitor.db.state": 0o640, "monitor.db-sums": 0o640,
		"monitor.jsonl": 0o640, "monitor.jsonl.1": 0o640, "events.jsonl": 0o640, "nats.sock": 0o660, "creds": 0o710, "creds/member.nk": 0o640, "creds/reader.nk": 0o640,
		"creds/admin.nk": 0o600, "creds/conductor.nk": 0o600, "creds/projector.nk": 0o600}
	for name, mode := range want {
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(dir, name), &st); err != nil {
			t.Error(err)
			continue
		}
		if st.Mode&0o7777 != mode || mode&0o070 != 0 && st.Gid != group {
			t.Errorf("%s has mode %04o and group %d, want %04o and %d", name, st.Mode&0o7777, st.Gid, mode, group)
		}
	}
	for _, name := range []string{"jetstream", "lives"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v; want mode 0700", name, info, err)
		}
	}
}

// awaitSnapshots waits until the database of a data folder has some snapshots.
func awaitSnapshots(t *testing.T, dir string, n int) {
	t.Helper()
	awaitCount(t, dir, `SELECT count(*) FROM snapshots`, n)
}

// awaitJob waits until the database of a data folder has a job.
func awaitJob(t *testing.T, dir, job string) {
	t.Helper()
	awaitCount(t, dir, `SELECT count(*) FROM jobs WHERE job_id = '`+job+`'`, 1)
}

func awaitCount(t *testing.T, dir, query string, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, "monitor.db")); err == nil {
			got := 0
			if err := readOnly(t, filepath.Join(dir, "monitor.db")).QueryRow(query).Scan(&got); err == nil && got >= n {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s gives no %d within %s", query, n, patience)
		}
	}
}

// TestRead_FoldersThatCannotBeWritten reads what lies in folders in which no file can be made.
func TestRead_FoldersThatCannotBeWritten(t *testing.T) {
	long(t)
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	openTheWay(t, dir)
	recorder := start(t, "up", "--data", dir, "--interval", "200ms", "--host", "testhost")
	recorder.awaitLine("In another terminal")
	run(t, "run", "--data", dir, "--host", "testhost", "--job", "one", "--", "true")
	awaitJob(t, dir, "one")
	copied := copyOf(t, dir, "monitor.db", "monitor.db-wal", "monitor.db-shm", "monitor.db-sums")
	withoutIndex := copyOf(t, dir, "monitor.db", "monitor.db-wal", "monitor.db-sums")
	recorder.stop()
	for name, folder := range map[string]string{"as it was left": dir, "copied while it was recorded into": copied, "copied without the index of the write-ahead log": withoutIndex,
		"the database alone": copyOf(t, dir, "monitor.db")} {
		t.Run(name, func(t *testing.T) {
			makeReadable(t, folder)
			before := entriesOf(t, folder)
			for _, args := range [][]string{{"jobs", "--columns", "job"}, {"snapshots", "--limit", "1"}, {"status"}, {"verify"}, {"report", "one"}, {"top", "--once"}} {
				args = append(args, "--data", folder)
				if code, out, errs := asUser(t, nobody, 0, args...); code != 0 || args[0] == "jobs" && !strings.Contains(out, "one") {
					t.Errorf("another user's %v: exit code %d\n%s%s", args, code, out, errs)
				}
				if code, out := onReadOnlyMount(t, folder, args...); code != 0 || args[0] == "jobs" && !strings.Contains(out, "one") {
					t.Errorf("%v on a read-only mount: exit code %d\n%s", args, code, out)
				}
			}
			if after := entriesOf(t, folder); after != before {
				t.Errorf("reading made files:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

// onReadOnlyMount runs the program as root with the folder mounted read-only over itself, for it alone.
func onReadOnlyMount(t *testing.T, folder string, args ...string) (code int, out string) {
	t.Helper()
	script := `mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" || exit 99; exec "$@"`
	cmd := exec.Command("unshare", append([]string{"-m", "sh", "-c", script, folder, proctape}, args...)...)
	b, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	if cmd.ProcessState.ExitCode() == 99 {
		t.Skipf("SKIPPED: nothing can be mounted here: %s", b)
	}
	return cmd.ProcessState.ExitCode(), string(b)
}

// copyOf copies files of a folder into another one.
func copyOf(t *testing.T, dir string, files ...string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	openTheWay(t, to)
	if err := os.Mkdir(to, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// makeReadable lets everybody read a folder and the files in it.
func makeReadable(t *testing.T, dir string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		mode := os.FileMode(0o644)
		if e.IsDir() {
			mode = 0o755
		}
		if err := os.Chmod(filepath.Join(dir, e.Name()), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

// entriesOf are the names of what is in a folder.
func entriesOf(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range list {
		all = append(all, e.Name())
	}
	return strings.Join(all, "\n")
}
