package integration_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/proctape/proctape/schema/metric"
)

// TestRefusal_FolderOfAnother runs commands on a data folder that their user may not enter.
func TestRefusal_FolderOfAnother(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "private")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var as *syscall.SysProcAttr
	if os.Geteuid() == 0 {
		as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		for p := filepath.Dir(dir); p != "/"; p = filepath.Dir(p) { // the way there is open, the folder is not
			open(t, p)
		}
		open(t, filepath.Dir(proctape))
		open(t, proctape)
	} else if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"up"}, {"snapshots"}, {"tail"}, {"status"}} {
		cmd := exec.Command(proctape, append(args, "--data", dir)...)
		cmd.SysProcAttr = as
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		err := cmd.Run()
		var ended *exec.ExitError
		if !errors.As(err, &ended) || ended.ExitCode() != 1 {
			t.Errorf("%v: got %v, want exit code 1", args, err)
		}
		if got := stderr.String(); !strings.Contains(got, dir) || !strings.Contains(got, "hint: ") || strings.Count(got, "\n") != 2 {
			t.Errorf("%v: want an error that names the folder and a hint, got\n%s", args, got)
		}
	}
	if entries, err := os.ReadDir(dir); as != nil && (err != nil || len(entries) > 0) {
		t.Errorf("something was made in the folder: %v, %v", entries, err)
	}
}

// besideContract reports whether a key stands in a line beside those of the contract, where there is something to say.
func besideContract(key string) bool {
	return key == "unknown" || slices.ContainsFunc(metric.Extras, func(id metric.ID) bool { return metric.Table[id].Key == key })
}

// open lets everybody through a folder, or run a program.
func open(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm()&0o005 != 0o005 {
		if err := os.Chmod(path, info.Mode().Perm()|0o055); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFiles_NobodyElseCanRead records under the most generous umask and looks at every file.
func TestFiles_NobodyElseCanRead(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	above := t.TempDir() // the umask leaves it writable to all, which the recorder refuses
	if err := os.Chmod(above, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(above), 0o755); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(above, "data")
	recorder := start(t, "up", "--data", dir, "--interval", "100ms", "--listen", "127.0.0.1:0")
	await(t, "three snapshots", func() bool { return count(t, filepath.Join(dir, "monitor.db"), `SELECT count(*) FROM snapshots`) >= 3 })
	seen := 0
	check := func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // the server's temporary files come and go
			}
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return nil
		}
		seen++
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	}
	if err := filepath.WalkDir(dir, check); err != nil {
		t.Fatal(err)
	}
	recorder.stop()
	if err := filepath.WalkDir(dir, check); err != nil || seen < 20 {
		t.Fatalf("looked at %d files: %v", seen, err)
	}
}

// TestNDJSON_RotatesAndHoldsTheContractsKeys records with a small limit and reads every line of every file.
func TestNDJSON_RotatesAndHoldsTheContractsKeys(t *testing.T) {
	long(t)
	t.Parallel()
	dir := t.TempDir()
	const limit = 20_000
	recorder := start(t, "up", "--data", dir, "--interval", "100ms", "--ndjson-limit", "20000")
	await(t, "two rotations", func() bool {
		_, err := os.Stat(filepath.Join(dir, "monitor.jsonl.2"))
		return err == nil
	})
	recorder.stop()

	snapshotKeys := strings.Fields(`timestamp daemon_pid system_memory_total_mb system_memory_available_mb system_memory_used_mb
		daemon_rss_mb load_avg_1 load_avg_5 load_avg_15 processes gpus pressure_level running_jobs active_sheets zombie_count
		zombie_pids job_progress conductor_uptime_seconds host`)
	processKeys := strings.Fields(`pid ppid command state cpu_percent rss_mb vms_mb threads open_fds age_seconds job_id sheet_num
		syscall_counts syscall_time_pct`)
	slices.Sort(snapshotKeys)
	slices.Sort(processKeys)
	lines := 0
	for _, name := range []string{"monitor.jsonl.2", "monitor.jsonl.1", "monitor.jsonl"} {
		path := filepath.Join(dir, name)
		sizes := 0
		for line := range fileLines(t, path) {
			if name != "monitor.jsonl" && sizes >= limit {
				t.Errorf("%s: a line was written after the limit of %d bytes was reached", name, limit)
			}
			sizes += len(line) + 1
			lines++
			var snap map[string]json.RawMessage
			if err := json.Unmarshal(line, &snap); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := slices.DeleteFunc(slices.Sorted(maps.Keys(snap)), besideContract); !slices.Equal(got, snapshotKeys) {
				t.Fatalf("%s: got keys %v, want %v", name, got, snapshotKeys)
			}
			var procs []map[string]json.RawMessage
			if err := json.Unmarshal(snap["processes"], &procs); err != nil || len(procs) == 0 {
				t.Fatalf("%s: processes: %v", name, err)
			}
			for _, p := range procs {
				if got := slices.DeleteFunc(slices.Sorted(maps.Keys(p)), besideContract); !slices.Equal(got, processKeys) {
					t.Fatalf("%s: got keys %v, want %v", name, got, processKeys)
				}
			}
		}
	}
	if lines < 2 { // one in each file that is full; the last may be empty
		t.Errorf("only %d lines", lines)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "monitor.jsonl*")); len(left) != 3 {
		t.Errorf("got files %v, want three", left)
	}
	for line := range fileLines(t, filepath.Join(dir, "events.jsonl")) {
		if !json.Valid(line) {
			t.Errorf("events.jsonl: %s", line)
		}
	}
}

// fileLines yields the lines of a file, each of which must end in a newline.
func fileLines(t *testing.T, path string) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 0 && b[len(b)-1] != '\n' {
			t.Errorf("%s does not end with a whole line", path)
		}
		s := bufio.NewScanner(bytes.NewReader(b))
		s.Buffer(nil, 16<<20)
		for s.Scan() {
			if !yield(s.Bytes()) {
				return
			}
		}
	}
}
