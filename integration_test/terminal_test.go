package integration_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// What would clear a terminal, set its title, write a clipboard, and turn text around, each in its own way.
const steering = "\x1b[2J\x1b]0;title\x07\u009b2J\u202egnp\u2066\u200b\r"

// TestTerminal_NothingSteersIt shows on a terminal what processes, jobs, files and users chose to be named.
func TestTerminal_NothingSteersIt(t *testing.T) {
	long(t)
	t.Parallel()
	needsEveryProcess(t)
	dir := t.TempDir()
	job := "job-" + steering
	recorder := record(t, proctape, dir)
	cmd := exec.Command("sleep", "600")
	cmd.Args[0] = "prog-" + steering
	pid := startAs(t, cmd, 0, "PROCTAPE_JOB_ID="+job)
	await(t, "the process", func() bool {
		return count(t, filepath.Join(dir, "monitor.db"), fmt.Sprintf(`SELECT count(*) FROM process_metrics WHERE pid=%d AND job_id IS NOT NULL`, pid)) > 0
	})
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "its end", func() bool {
		return count(t, filepath.Join(dir, "monitor.db"), fmt.Sprintf(`SELECT count(*) FROM process_events WHERE pid=%d AND event_type='kill'`, pid)) > 0
	})
	recorder.stop()

	config := filepath.Join(dir, "config-"+steering)
	if err := os.WriteFile(config, []byte("interval: [\x1b[2J\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "data-"+steering)
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	here := []string{"--data", link}
	for _, args := range [][]string{
		{"snapshots"}, {"snapshots", "--json"}, {"events"}, {"execs"}, {"history", fmt.Sprint(pid)}, {"jobs"}, {"profile", job}, {"report", job},
		{"report", job, "--format", "classic"}, {"gaps"}, {"status"}, {"retention", "status"}, {"verify"}, {"quarantine", "list"},
		{"report", "none-" + steering}, {"snapshots", "--host", "h-" + steering}, {"snapshots", "--since", steering}, {"snapshots", "--limit", steering},
		{"snapshots", "--db", "/no/" + steering}, {"snapshots", "--data", "/no/" + steering}, {"snapshots", "--config", "/no/" + steering},
		{"snapshots", "--config", config}, {"status", "--data", "/no/" + steering}, {"up", "--data", "/proc/no/" + steering},
		{"status", "--server", "nats://" + steering}, {"status", "--creds", steering}, {"sample", "--server", "nats://127.0.0.1:1", "--creds", "/no/" + steering},
		{"up", "--listen", steering}, {"up", "--job-rule", steering}, {"up", "--tls-cert", steering, "--tls-key", steering, "--listen", "127.0.0.1:0"},
		{"quarantine", "show", steering}, {"--log-level", steering, "status"}, {steering}, {"snapshots", steering}, {"--" + steering}, {"help", steering},
		{"replay", "--db", "/no/" + steering}, {"verify", "--against", "/no/" + steering}, {"retention", steering}, {"tail", steering},
		{"run", "--job", job, "--", "/no/" + steering}, {"run", "--job", job, "--", "true"}, {"trace", steering}, {"completion", steering},
	} {
		if !containsString(args, "--data") {
			args = append(args[:len(args):len(args)], here...)
			if args[0] == "run" {
				args = append([]string{"run", "--data", link}, args[1:len(args)-2]...)
			}
		}
		shown := onTerminal(t, args...)
		if r, bad := steers(shown); bad {
			t.Errorf("%q shows %U on a terminal: %q", args, r, shown)
		}
		if piped := onPipe(args...); !containsString(args, "classic") {
			if r, bad := steers(piped); bad {
				t.Errorf("%q writes %U into a pipe: %q", args, r, piped)
			}
		}
	}
	// The control: these bytes are there, and come out where the bytes are the contract.
	classic := onPipe(append([]string{"report", job, "--format", "classic"}, here...)...)
	if !strings.Contains(classic, job) {
		t.Errorf("the classic report in a pipe does not have the name of the job as it is: %q", classic)
	}
	if shown := onTerminal(t, append([]string{"jobs", "--wide"}, here...)...); !strings.Contains(shown, `job-\x1b[2J\x1b]0;title\x07\u009b2J\u202egnp\u2066\u200b\x0d`) {
		t.Errorf("jobs does not show the name of the job: %q", shown)
	}
}

// steers finds a character that a terminal obeys, or that turns text around. The colours of a summary and the terminal's
// own carriage returns are not among them.
func steers(shown string) (rune, bool) {
	for _, ours := range []string{"\r\n", "\x1b[32m", "\x1b[31m", "\x1b[m"} {
		shown = strings.ReplaceAll(shown, ours, "\n")
	}
	for i, r := range shown {
		_, size := utf8.DecodeRuneInString(shown[i:])
		if r == utf8.RuneError && size == 1 || r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return r, true
		}
	}
	return 0, false
}

func TestTerminal_SteersControl(t *testing.T) {
	t.Parallel()
	for _, r := range steering {
		if unicode.IsPrint(r) {
			continue
		}
		if _, bad := steers("a" + string(r) + "b"); !bad {
			t.Errorf("%U goes unnoticed", r)
		}
	}
}

func containsString(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// onPipe runs the program and returns all that it wrote into a pipe. How it ends does not matter.
func onPipe(args ...string) string {
	out, _ := exec.Command(proctape, args...).CombinedOutput()
	return string(out)
}

// onTerminal runs the program on a terminal and returns all that it wrote. How it ends does not matter.
func onTerminal(t *testing.T, args ...string) string {
	t.Helper()
	near, far := openPTY(t)
	cmd := exec.Command(proctape, args...)
	cmd.Stdout, cmd.Stderr = far, far
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	if _, err := io.Copy(&shown, near); err != nil && !errors.Is(err, unix.EIO) { // EIO: the last program has closed it
		t.Fatal(err)
	}
	_ = cmd.Wait() // many of these fail
	return shown.String()
}

// openPTY opens a pseudo-terminal, man pts(4): what is written to far is read from near.
func openPTY(t *testing.T) (near, far *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("SKIPPED: no terminal: %v", err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	near = os.NewFile(uintptr(fd), "ptmx")
	t.Cleanup(func() { near.Close() })
	far, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return near, far
}
