package run

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// heirloom prints what a process inherits from who executes it: its signals, descriptors, folder, umask and environment.
const heirloom = `grep -E '^(SigBlk|SigIgn|SigCgt|Umask)' /proc/self/status; for fd in /proc/$$/fd/*; do echo "${fd##*/}"; done; pwd; env | sort`

// TestStart_HandsOnWhatEnvHandsOn compares with env(1): everything that we inherit, the command inherits.
func TestStart_HandsOnWhatEnvHandsOn(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // and a script that comes before
		"as it is":          ``,
		"nohup":             `trap '' HUP; `,
		"in the background": `trap '' INT; `,
		"no job control":    `trap '' TSTP TTIN TTOU; `,
		"open descriptors":  `exec 7</dev/null 9>/dev/null; `,
		"closed input":      `exec 0</dev/null; `,
		"umask and folder":  `umask 027; cd /usr; `,
	}
	for name, before := range tests {
		t.Run(name, func(t *testing.T) {
			got := inherited(t, before)
			if want := inheritedByEnv(t, before); got != want {
				t.Errorf("the command has\n%s\nenv's has\n%s", got, want)
			}
		})
	}
}

// TestStart_HandsOnTheSignalMask blocks signals that are ours to pass on.
func TestStart_HandsOnTheSignalMask(t *testing.T) {
	t.Parallel()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var mask, old unix.Sigset_t
	mask.Val[0] = 1<<(unix.SIGUSR1-1) | 1<<(unix.SIGWINCH-1) | 1<<(40-1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &mask, &old); err != nil {
		t.Fatal(err)
	}
	defer unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)

	e := newEngine(t, Config{Args: []string{"grep", "SigBlk", "/proc/self/status"}})
	e.start(t)
	e.wantLine(t, fmt.Sprintf("SigBlk:\t%016x", mask.Val[0]))
	e.end(t)
}

// inherited is what a command inherits that we start, in a process that is executed after the script before.
func inherited(t *testing.T, before string) string {
	t.Helper()
	e := newEngine(t, Config{Args: sh(heirloom), Env: []string{"PROCTAPE_JOB_ID=j"}})
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	e.Path, e.Args = "/bin/sh", append(sh(before+`exec "$0"`), exe)
	e.start(t)
	out, err := io.ReadAll(e.output)
	if err != nil {
		t.Fatal(err)
	}
	if code := e.end(t); code != 0 {
		t.Fatalf("exit %d", code)
	}
	return string(out)
}

func inheritedByEnv(t *testing.T, before string) string {
	t.Helper()
	cmd := exec.Command("sh", "-c", before+`exec env PROCTAPE_JOB_ID=j sh -c "$0"`, heirloom)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// ignoresSIGPIPE reports whether a status file's SigIgn has the signal, man proc_pid_status(5). What else is ignored
// was so before us.
func ignoresSIGPIPE(status string) bool {
	_, mask, _ := strings.Cut(status, "SigIgn:\t")
	mask, _, _ = strings.Cut(mask, "\n")
	bits, err := strconv.ParseUint(mask, 16, 64)
	return err == nil && bits&(1<<(unix.SIGPIPE-1)) != 0
}

// TestStart_ForgetsThatWeIgnoreSIGPIPE is the control of what the engine in these tests does before: without Start a
// command does ignore SIGPIPE.
func TestStart_ForgetsThatWeIgnoreSIGPIPE(t *testing.T) {
	signal.Ignore(unix.SIGPIPE)
	defer func() {
		catch := make(chan os.Signal, 1)
		signal.Notify(catch, unix.SIGPIPE)
		signal.Stop(catch)
	}()
	out, err := exec.Command("grep", "SigIgn", "/proc/self/status").Output()
	if err != nil || !ignoresSIGPIPE(string(out)) {
		t.Errorf("started in the ordinary way: %q, %v", out, err)
	}
	if got := inherited(t, ""); ignoresSIGPIPE(got) {
		t.Errorf("started by us:\n%s", got)
	}
}

func TestStart_LeavesStandardInputToTheCommand(t *testing.T) {
	t.Parallel()
	data := make([]byte, 4<<20)
	rand.NewChaCha8([32]byte{}).Read(data)
	e := newEngine(t, Config{Args: []string{"head", "-c", "0"}}, Config{Args: []string{"sha256sum"}})
	e.Stdin = bytes.NewReader(data)
	e.start(t)
	e.wantLine(t, fmt.Sprintf("%x  -", sha256.Sum256(data)))
	if code := e.end(t); code != 0 {
		t.Errorf("exit %d", code)
	}
}
