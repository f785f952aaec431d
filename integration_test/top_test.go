package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// startNamed starts a process that sleeps under a name.
func startNamed(t *testing.T, name string) (pid int) {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	cmd.Args[0] = name
	return startAs(t, cmd, 0)
}

// leaves reports what a program that was on a terminal has left behind: its mode, and the screen that it drew.
func (s *screenTerminal) leaves(before unix.Termios) string {
	s.t.Helper()
	after, err := unix.IoctlGetTermios(int(s.far.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	if *after != before {
		return fmt.Sprintf("the terminal's mode is another: %+v, before %+v", *after, before)
	}
	if err := s.far.Close(); err != nil { // then what was written is read to its end
		s.t.Fatal(err)
	}
	<-s.drained
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown.IsAltScreen() || s.shown.CursorHidden() {
		return fmt.Sprintf("the screen is still there: %v, the cursor is hidden: %v", s.shown.IsAltScreen(), s.shown.CursorHidden())
	}
	return ""
}

// mode is the mode of the terminal.
func (s *screenTerminal) mode() unix.Termios {
	s.t.Helper()
	mode, err := unix.IoctlGetTermios(int(s.far.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return *mode
}

// TestTop_Live drives the real program on a real terminal over the recording of this machine, which goes on.
func TestTop_Live(t *testing.T) {
	long(t)
	t.Parallel()
	needsEveryProcess(t)
	dir := t.TempDir()
	recorder := record(t, proctape, dir)
	pid := startNamed(t, "worker-"+steering)
	await(t, "the process", func() bool {
		return count(t, filepath.Join(dir, "monitor.db"), fmt.Sprintf(`SELECT count(*) FROM process_metrics WHERE pid=%d`, pid)) > 0
	})
	s := onScreen(t, proctape, 100, 30, nil, "top", "--data", dir)
	s.awaitText("● LIVE")
	s.press("/", "~worker-", "enter")
	s.await("the process alone", func(screen string) bool { // its row, and the filter in the head
		return strings.Contains(screen, `worker-\x1b[2J`) && strings.Contains(screen, "/~worker- 1/")
	})
	s.press("M")
	s.awaitText("RSS▼")
	s.press("T")
	s.awaitText("◀ PAST")
	s.press(".")
	s.awaitText("● LIVE")
	s.press("k")
	s.awaitText(fmt.Sprintf(" %d (Esc: none): TERM", pid))
	s.press("esc")
	s.await("no question", func(screen string) bool { return !strings.Contains(screen, "Esc: none") })
	if err := unix.Kill(pid, 0); err != nil {
		t.Errorf("after Esc: %v", err)
	}
	s.press("k", "ctrl+u", "KILL", "enter")
	s.awaitText("sent KILL to")
	await(t, "its death", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
	await(t, "its end in the recording", func() bool {
		return count(t, filepath.Join(dir, "monitor.db"), fmt.Sprintf(`SELECT count(*) FROM process_events WHERE event_type='exit' AND pid=%d`, pid)) > 0
	})
	await(t, "the time of a death", func() bool { // of which process is another test's matter: others may die here meanwhile
		s.press("[") // it looks before the last tick of the screen's clock
		return strings.Contains(s.screen(), "◀ PAST")
	})
	s.press("?")
	s.awaitText("Moving")
	s.press("?", "ctrl+l")
	s.await("no help", func(screen string) bool { return !strings.Contains(screen, "Moving") })
	s.click(" / filter")
	s.awaitText("filter:")
	s.press("esc")
	s.await("all processes", func(screen string) bool { return !strings.Contains(screen, "/~worker-") })
	s.size(120, 40)
	s.await("the other size", func(screen string) bool {
		lines := strings.Split(screen, "\n")
		return len(lines) == 40 && strings.Contains(lines[39], "quit")
	})
	s.press("q")
	s.ended()
	if s.err != nil {
		t.Error(s.err)
	}
	recorder.stop()
}

// TestTop_LeavesTheTerminalAsItWas ends the screen in each way in which it can end.
func TestTop_LeavesTheTerminalAsItWas(t *testing.T) {
	long(t)
	t.Parallel()
	db := simulated(t, 20)
	for name, end := range map[string]func(s *screenTerminal){
		"q":       func(s *screenTerminal) { s.press("q") },
		"Ctrl-C":  func(s *screenTerminal) { s.press("ctrl+c") },
		"SIGTERM": func(s *screenTerminal) { _ = s.cmd.Process.Signal(unix.SIGTERM) },
		"SIGINT":  func(s *screenTerminal) { _ = s.cmd.Process.Signal(unix.SIGINT) },
		"SIGHUP":  func(s *screenTerminal) { _ = s.cmd.Process.Signal(unix.SIGHUP) },
		"SIGQUIT": func(s *screenTerminal) { _ = s.cmd.Process.Signal(unix.SIGQUIT) },
	} {
		t.Run(name, func(t *testing.T) {
			s := onScreen(t, proctape, 80, 24, nil, "top", "--db", db)
			before := s.before
			s.awaitText("quit")
			if s.mode() == before {
				t.Error("the control: the screen has the terminal's first mode")
			}
			end(s)
			s.ended()
			if s.err != nil {
				t.Error(s.err)
			}
			if left := s.leaves(before); left != "" {
				t.Error(left)
			}
		})
	}
}

// simulated makes a database of a simulated host with so many processes, for the ten minutes that end now.
func simulated(t *testing.T, processes int) string {
	t.Helper()
	dir := t.TempDir()
	db := filepath.Join(dir, "simulated.db")
	run(t, "simulate", "--data", dir, "--hosts", "1", "--processes", fmt.Sprint(processes), "--duration", "10m", "--rate", "fast")
	run(t, "replay", "--data", dir, "--db", db)
	return db
}

// TestTop_Past drives the real program through the past of a recording with a hole, on a small and on a large screen.
func TestTop_Past(t *testing.T) {
	long(t)
	t.Parallel()
	db := simulated(t, 40)
	whole := must(os.ReadFile(db))(t)
	var from, to float64
	w := writable(t, db)
	if err := w.QueryRow(`SELECT min(timestamp) + 240, min(timestamp) + 300 FROM snapshots`).Scan(&from, &to); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{`DELETE FROM samples WHERE id >> 22 IN (SELECT id FROM snapshots WHERE timestamp > ? AND timestamp < ?)`, `DELETE FROM snapshots WHERE timestamp > ? AND timestamp < ?`} {
		if _, err := w.Exec(statement, from, to); err != nil {
			t.Fatal(err)
		}
	}
	for _, size := range [][2]int{{80, 24}, {200, 60}} {
		s := onScreen(t, proctape, size[0], size[1], nil, "top", "--db", db, "--at", fmt.Sprintf("@%f", to+60))
		s.await("the past", func(screen string) bool {
			return strings.Contains(screen, "◀ PAST") && strings.Contains(screen, " R ")
		})
		s.press("2")
		s.awaitText("SPAWNS")
		s.press("enter")
		s.awaitText("step")
		s.press("3")
		s.awaitText("sim-0001")
		s.press("4")
		s.awaitText("spawn")
		s.press("esc") // and a key right behind it would be Alt with that key
		s.awaitText("CPU%▼")
		s.press("V")
		s.awaitText("─")
		s.press("V", "g")
		s.awaitText("grouped by user")
		s.press("esc")
		s.await("no groups", func(screen string) bool { return !strings.Contains(screen, "grouped by") })
		s.press("enter")
		s.awaitText("born of")
		s.press("esc")
		s.awaitText("CPU%▼")
		s.press("{")
		s.await("the gap, without a figure", func(screen string) bool { // a terminal draws line by line
			return strings.Contains(screen, "▨ GAP") && strings.Contains(screen, "lived before and after") && !figureOfProcess.MatchString(screen)
		})
		s.press("t")
		s.await("the sample after the gap", func(screen string) bool {
			return strings.Contains(screen, "◀ PAST") && figureOfProcess.MatchString(screen)
		})
		s.press("T")
		s.awaitText("▨ GAP")
		s.press("j", "30s", "enter")
		s.await("the middle of the gap", func(screen string) bool {
			return strings.Contains(screen, "▨ GAP") && !figureOfProcess.MatchString(screen)
		})
		s.press("q")
		s.ended()
	}
	// The control: the same time of the whole recording has figures, and no gap.
	other := filepath.Join(t.TempDir(), "whole.db")
	if err := os.WriteFile(other, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	s := onScreen(t, proctape, 80, 24, nil, "top", "--db", other, "--at", fmt.Sprintf("@%f", from+30))
	s.await("figures", figureOfProcess.MatchString)
	s.press("q")
	s.ended()
}

// figureOfProcess is a row of a process with a share of CPU and a size.
var figureOfProcess = regexp.MustCompile(`(?m)^.\s+\d+ .*\s\d+\.\d\s+[\d.]+[KMG]\s`)
