package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// freeAddress is an address of this machine at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", freePort(t))
}

// TestTop_Server shows what a real sampler sends to a server elsewhere, with a reader's key and without a database: a process that begins later, its end,
// and times since the screen was opened; nothing of it stays behind, however the screen ends. The controls: without the key there is no screen, and a
// program that is killed outright leaves its folder, which the next one removes.
func TestTop_Server(t *testing.T) {
	long(t)
	t.Parallel()
	dir, address := t.TempDir(), freeAddress(t)
	up := start(t, "up", "--data", dir, "--interval", "500ms", "--listen", address, "--host", "elsewhere")
	up.awaitLine("Recorded:")
	temp := t.TempDir()
	env := []string{"TMPDIR=" + temp, "HOME=" + t.TempDir()}
	args := []string{"top", "--server", "nats://" + address, "--creds", filepath.Join(dir, "creds", "reader.nk")}
	left := func() int { return len(must(filepath.Glob(filepath.Join(temp, "*")))(t)) }

	s := onScreen(t, proctape, 120, 30, env, args...)
	s.await("what is live", func(screen string) bool {
		return strings.Contains(screen, "● LIVE") && strings.Contains(screen, "elsewhere") && strings.Contains(screen, "; earlier needs --db or --url")
	})
	info, err := os.Stat(must(filepath.Glob(filepath.Join(temp, "proctape-top-*")))(t)[0])
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v %v", info.Mode(), err)
	}
	pid := startNamed(t, "far-worker")
	s.press("/", "far-worker", "enter")
	s.await("the process", func(screen string) bool { return strings.Contains(screen, fmt.Sprintf(" %d ", pid)) })
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.press("4")
	s.awaitText("SIGKILL")
	s.press("1", "T")
	s.awaitText("◀ PAST")
	s.press("3")
	s.awaitText("since ")
	s.press("q")
	s.ended()
	if s.err != nil || left() != 0 {
		t.Errorf("it ends with %v and leaves %d folders:\n%s", s.err, left(), s.screen())
	}
	for _, end := range []unix.Signal{unix.SIGTERM, unix.SIGHUP, unix.SIGKILL} {
		s := onScreen(t, proctape, 80, 24, env, args...)
		before := s.before
		s.awaitText("● LIVE")
		_ = s.cmd.Process.Signal(end)
		s.ended()
		if killed := end == unix.SIGKILL; left() > 0 != killed {
			t.Errorf("after %v: %d folders", end, left())
		} else if !killed {
			if said := s.leaves(before); said != "" {
				t.Errorf("after %v: %s", end, said)
			}
		}
	}
	killed := must(filepath.Glob(filepath.Join(temp, "proctape-top-*")))(t)[0]
	if err := os.Chtimes(killed, time.Time{}, time.Now().Add(-2*time.Minute)); err != nil {
		t.Fatal(err)
	}
	p := exec.Command(proctape, append(args, "--json", "--interval", "100ms")...)
	p.Env = append(os.Environ(), env...)
	out := must(p.StdoutPipe())(t)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 20)
	must(out.Read(line))(t)
	if _, err := os.Stat(killed); !os.IsNotExist(err) {
		t.Errorf("what was left is still there: %v", err)
	}
	out.Close()
	if err := p.Wait(); err != nil || left() != 0 {
		t.Errorf("frames end with %v and leave %d folders", err, left())
	}
	for _, wrong := range [][]string{args[:3], append(args[:len(args):len(args)], "--at", "-5m"), append(args[:len(args):len(args)], "--once")} {
		cmd := exec.Command(proctape, wrong...)
		cmd.Env = append(os.Environ(), env...)
		if said, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(said), "hint: ") {
			t.Errorf("%v: %v %s", wrong, err, said)
		}
	}
	up.stop()
}
