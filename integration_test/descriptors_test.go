package integration_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/query"
)

// playFiles lowers its limit of open files, opens as many files as it is told, or until the kernel refuses, says so, closes them at a line, and says that.
func playFiles() int {
	limit, _ := strconv.ParseUint(os.Getenv("PROCTAPE_TEST_LIMIT"), 10, 64)
	files, _ := strconv.Atoi(os.Getenv("PROCTAPE_TEST_FILES"))
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var opened []int
	for len(opened) < files {
		fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.EMFILE) {
			break
		}
		opened = append(opened, fd)
	}
	fmt.Println("opened")
	orders := bufio.NewReader(os.Stdin)
	orders.ReadString('\n')
	for _, fd := range opened {
		unix.Close(fd)
	}
	fmt.Println("closed")
	io.Copy(io.Discard, orders)
	return 0
}

// holder is a process that holds files open until it is told to close them.
type holder struct {
	t     *testing.T
	pid   int
	tell  io.Writer
	hears *bufio.Reader
}

// holdFiles starts a process that may have limit files open and opens n, or as many as it may. It lives until the test ends.
func holdFiles(t *testing.T, limit, n int) *holder {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"=files", "PROCTAPE_TEST_LIMIT="+strconv.Itoa(limit), "PROCTAPE_TEST_FILES="+strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	input, output := must(cmd.StdinPipe())(t), must(cmd.StdoutPipe())(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		input.Close()
		cmd.Wait()
	})
	h := &holder{t, cmd.Process.Pid, input, bufio.NewReader(output)}
	h.says("opened")
	return h
}

// says waits until the process says a word.
func (h *holder) says(want string) {
	h.t.Helper()
	line, err := h.hears.ReadString('\n')
	if line != want+"\n" {
		h.t.Fatalf("the process said %q (%v), want %q", line, err, want)
	}
}

// close has the process close its files.
func (h *holder) close() {
	h.t.Helper()
	fmt.Fprintln(h.tell, "close")
	h.says("closed")
}

// serverFiles is what a server has open.
const serverFiles = 2000

// serverLimit is what it may have: 100 000, or as many as this test may.
func serverLimit(t *testing.T) int {
	t.Helper()
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err != nil {
		t.Fatal(err)
	}
	if own.Max < 4*serverFiles {
		t.Skipf("SKIPPED: %d files at most may be open here", own.Max)
	}
	return int(min(100_000, own.Max))
}

// TestDescriptors_OfItsLimit: a real process that opens files until its low limit is reached is one episode, which ends when it has closed them; one with far more files,
// and a far higher limit, is none, nor is the recorder. The control is the rule as it was, a number for all: it finds the second, and not the first.
func TestDescriptors_OfItsLimit(t *testing.T) {
	long(t)
	t.Parallel()
	for _, bpf := range []string{"off", "on"} {
		t.Run("bpf "+bpf, func(t *testing.T) {
			begin := record
			if bpf == "on" {
				begin = recordByPrograms
			}
			dir := t.TempDir()
			recorder := begin(t, proctape, dir)
			server, full := fillUp(t, dir)
			full.close()
			path := filepath.Join(dir, "monitor.db")
			await(t, "the end of the episode", func() bool {
				return count(t, path, fmt.Sprintf(`SELECT count(*) FROM anomalies WHERE pid = %d AND ended IS NOT NULL`, full.pid)) > 0
			})
			recorder.stop()
			found := 0
			for _, a := range episodesOfFiles(t, dir) {
				if a.PID == nil || !slices.Contains([]int64{int64(full.pid), int64(server.pid), int64(recorder.cmd.Process.Pid)}, *a.PID) {
					continue // others of this machine may be close to a limit too
				}
				found++
				switch {
				case *a.PID != int64(full.pid):
					t.Errorf("an episode of another (the server is %d): %s", server.pid, a.Description)
				case a.Rule != "fd_exhaustion" || a.Severity != "high" || a.Peak == nil || *a.Peak < 390 || a.Threshold == nil || *a.Threshold != 360 || a.Values["fd_limit"] != 400:
					t.Errorf("got %+v", a)
				}
			}
			if found != 1 {
				t.Errorf("got %d episodes, want one", found)
			}
		})
	}
	t.Run("control", func(t *testing.T) {
		rules := filepath.Join(t.TempDir(), "rules.yaml")
		text := "rules:\n  - name: fd_exhaustion\n    settings: {max_open_fds: 1000}\n    when: open_fds >= max_open_fds\n    until: open_fds < max_open_fds * 0.9\n"
		if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		recorder := record(t, proctape, dir, "--rules", rules)
		server, full := fillUp(t, dir)
		await(t, "the episode of the server", func() bool {
			return count(t, filepath.Join(dir, "monitor.db"), fmt.Sprintf(`SELECT count(*) FROM anomalies WHERE pid = %d`, server.pid)) > 0
		})
		recorder.stop()
		for _, a := range episodesOfFiles(t, dir) {
			if *a.PID == int64(full.pid) {
				t.Errorf("the rule as it was finds what has 400 files open: %s", a.Description)
			}
		}
	})
}

// fillUp starts a server with many files and a process that has as many as it may, and waits until each has been seen with them.
func fillUp(t *testing.T, dir string) (server, full *holder) {
	t.Helper()
	most := serverLimit(t)
	server = holdFiles(t, most, serverFiles)
	full = holdFiles(t, 400, serverFiles)
	for _, seen := range []string{
		fmt.Sprintf("pid = %d AND open_fds >= %d AND fd_limit = %d", server.pid, serverFiles, most),
		fmt.Sprintf("pid = %d AND open_fds >= 390 AND fd_limit = 400", full.pid),
	} {
		await(t, "snapshots with "+seen, func() bool {
			return count(t, filepath.Join(dir, "monitor.db"), `SELECT count(*) FROM process_metrics WHERE `+seen) >= 12
		})
	}
	return server, full
}

// episodesOfFiles are the episodes that are about open files.
func episodesOfFiles(t *testing.T, dir string) []query.Anomaly {
	t.Helper()
	return decode[query.Anomaly](t, run(t, "anomalies", "--data", dir, "--rule", "fd_exhaustion,fd_growth", "--json"))
}
