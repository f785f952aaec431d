package procfs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Whose an environment is says the real user, also of a process that may not be dumped; and nobody says it of a program
// that is set-user-ID, for the environment is that of whoever called it.
func TestProcess_EnvironmentOfAUser(t *testing.T) {
	tests := map[string]struct {
		mode os.FileMode
		uid  uint32
		env  string
	}{
		"ours":                          {0o755, uint32(os.Getuid()), "j"},
		"another user's":                {0o755, 65534, "j"},
		"of a program nobody may read":  {0o711, 65534, "j"}, // its directory in /proc is root's
		"of a set-user-ID program":      {0o755 | os.ModeSetuid, 65534, ""},
		"of a set-group-ID program":     {0o755 | os.ModeSetgid, 65534, ""},
		"of root's set-user-ID program": {0o755 | os.ModeSetuid, 0, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if os.Getuid() != 0 && (int(tt.uid) != os.Getuid()) {
				t.Skip("SKIPPED: it needs root")
			}
			pid := startSleeper(t, tt.mode, tt.uid)
			p, err := newFS(t, "").Process(pid, Options{EnvKeys: []string{"JOB_ID"}})
			if err != nil {
				t.Fatal(err)
			}
			if p.Env == nil || p.Env["JOB_ID"] != tt.env || tt.env != "" && p.EnvUID != int(tt.uid) {
				t.Errorf("got %q of user %d, want %q of %d", p.Env, p.EnvUID, tt.env, tt.uid)
			}
			uid, start, ok := newFS(t, "").RealUser(pid)
			if ok != (tt.env != "") || ok && uid != int(tt.uid) || start != p.StartTicks {
				t.Errorf("real user: got %d, start %d, %t, want %d, %d, %t", uid, start, ok, tt.uid, p.StartTicks, tt.env != "")
			}
		})
	}
}

func TestRealUser_Gone(t *testing.T) {
	if uid, _, ok := newFS(t, "").RealUser(1 << 30); ok {
		t.Errorf("got user %d of no process", uid)
	}
}

// startSleeper starts a program whose file has a mode, as a user, with JOB_ID in its environment.
func startSleeper(t *testing.T, mode os.FileMode, uid uint32) (pid int) {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("SKIPPED: ", err)
	}
	program, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "sleeper")
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "600")
	cmd.Env = []string{"JOB_ID=j", fmt.Sprintf("PATH=%s", os.Getenv("PATH"))}
	if int(uid) != os.Getuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process.Pid
}
