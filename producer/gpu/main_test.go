package gpu

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// roleKey names the environment variable that makes the test binary read GPUs, by the program that it names, until it
// is killed.
const roleKey = "GPU_TEST_SMI"

// patience is how long a test waits for what must happen, on a machine that may be busy with other work.
const patience = 5 * time.Minute

func TestMain(m *testing.M) {
	if smi := os.Getenv(roleKey); smi != "" {
		Open(Config{NvidiaSMI: smi, Interval: time.Second}).Run(context.Background())
		return
	}
	goleak.VerifyTestMain(m)
}

func logTo(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// fake returns the path of a program that behaves like nvidia-smi in a certain way.
func fake(t *testing.T, mode string) string {
	t.Helper()
	script, err := filepath.Abs("testdata/nvidia-smi")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "nvidia-smi-"+mode)
	if err := os.Symlink(script, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// start runs a reader on a program, on a machine without AMD cards, until the test ends.
func start(t *testing.T, smi string, timing timing) *Reader {
	t.Helper()
	return startWith(t, Config{NvidiaSMI: smi, Sys: t.TempDir(), timing: timing})
}

// startWith runs a reader until the test ends.
func startWith(t *testing.T, cfg Config) *Reader {
	t.Helper()
	cfg.Interval, cfg.Log = time.Second, cmp.Or(cfg.Log, logTo(t))
	r := Open(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := within(t, result); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return r
}

func within(t *testing.T, result <-chan error) error {
	t.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(patience):
		t.Fatalf("no end within %s", patience)
		return nil
	}
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within %s", what, patience)
		}
	}
}

// pids are those of the fake programs that were asked for "gpus" or "apps", and of what they started, oldest first.
func pids(t *testing.T, smi, asked string) []int {
	t.Helper()
	data, err := os.ReadFile(smi + "." + asked)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, word := range strings.Fields(string(data)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// alive reports whether a process exists and is not a zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && unix.Kill(pid, 0) == nil && !strings.Contains(string(stat), ") Z ")
}

func put(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
