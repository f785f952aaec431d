package run

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestExitCode_IsTheCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	var configs []Config
	for code := range 256 {
		configs = append(configs, Config{Args: sh(fmt.Sprintf("exit %d", code))})
	}
	e := newEngine(t, configs...)
	e.start(t)
	for code := range 256 {
		e.next(t)
		if r := e.next(t).Result; r.ExitCode != code || r.Signal != 0 || r.Core {
			t.Errorf("exit %d: %+v", code, r)
		}
	}
	if code := e.end(t); code != 255 {
		t.Errorf("the engine exited with %d, want 255", code)
	}
}

func TestExitCode_NamesTheSignal(t *testing.T) {
	t.Parallel()
	fatal := []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGABRT, unix.SIGKILL, unix.SIGUSR1, unix.SIGSEGV,
		unix.SIGPIPE, unix.SIGALRM, unix.SIGTERM, unix.Signal(40)}
	var configs []Config
	for _, s := range fatal {
		configs = append(configs, Config{Args: sh(fmt.Sprintf("ulimit -c 0; kill -%d $$", s))})
	}
	e := newEngine(t, configs...)
	e.start(t)
	for _, s := range fatal {
		e.next(t)
		if r := e.next(t).Result; r.ExitCode != 128+int(s) || r.Signal != s {
			t.Errorf("signal %d: %+v", s, r)
		}
	}
}

// TestStart_FailsAsEnvDoes compares with env(1), which executes the command in its own place.
func TestStart_FailsAsEnvDoes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("plain", "exit 3\n", 0o644)
	write("script", "exit 7\n", 0o755) // without an interpreter line
	write("orphaned", "#!/no/such/interpreter\n", 0o755)
	write("garbage", "\x7fELF and nothing more", 0o755)
	for _, name := range []string{"folder", "uname"} { // the second hides no program that comes later in PATH
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	path := "PATH=/nowhere:" + dir + ":" + os.Getenv("PATH")

	for _, command := range []string{
		"no-such-command", "/no/such/file", filepath.Join(dir, "plain"), "plain", "script", filepath.Join(dir, "script"),
		"folder", dir, "orphaned", "garbage", filepath.Join(dir, "plain", "below"), "", "true", "false", "uname",
	} {
		env := exec.Command("env", path, command)
		env.Run()
		want := env.ProcessState.ExitCode()

		e := newEngine(t, Config{Args: []string{command}, Env: []string{path}})
		e.start(t)
		r := e.next(t)
		if got := e.end(t); got != want {
			t.Errorf("%q: exit %d, env exits with %d", command, got, want)
		}
		if r.Err != "" && !strings.Contains(r.Err, fmt.Sprintf("%q", command)) {
			t.Errorf("%q: error %q does not name it", command, r.Err)
		}
	}
}

func TestStart_WantsACommand(t *testing.T) {
	_, err := Start(Config{})
	if err == nil || ExitCode(err) != 125 {
		t.Errorf("got %v, exit %d, want an error and 125", err, ExitCode(err))
	}
}
