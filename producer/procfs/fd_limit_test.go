package procfs

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// limitsOf is the file limits of a process, with a soft limit of open files.
func limitsOf(soft string) string {
	return "Limit                     Soft Limit           Hard Limit           Units     \n" +
		"Max processes             96551                96551                processes \n" +
		"Max open files            " + soft + "                 524288               files     \n" +
		"Max realtime timeout      unlimited            unlimited            us        \n"
}

func TestParseFDLimit(t *testing.T) {
	for text, want := range map[string]int{limitsOf("1024"): 1024, limitsOf("0"): 0, limitsOf("unlimited"): maxFDs, limitsOf("2147483648"): maxFDs} {
		if got, err := parseFDLimit([]byte(text)); err != nil || got != want {
			t.Errorf("got %d, %v, want %d", got, err, want)
		}
	}
	wantErrors(t, parseFDLimit, map[string]string{
		"":                               "Max open files is missing",
		"Max processes  1 1 processes\n": "Max open files is missing",
		"Max open files\n":               "Max open files is missing",
		limitsOf("-1"):                   `Max open files is "-1"`,
		limitsOf("2147483649"):           "more than a machine can have",
	})
}

// The limit is read of a process with many descriptors alone, and as often as these are counted. What cannot be read of it is unknown.
func TestProcesses_FDLimit(t *testing.T) {
	root := copyFixture(t)
	setFDs := func(n int) {
		dir := filepath.Join(root, "42/fd")
		if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)); err != nil {
			t.Fatal(err)
		}
		for fd := range n {
			writeFile(t, root, "42/fd/"+strconv.Itoa(fd), "")
		}
	}
	limits := func(text string) func() { return func() { write(t, filepath.Join(root, "42/limits"), text) } }
	for _, step := range []struct {
		what   string
		fds    int
		do     func()
		want   int // -1: unknown
		failed string
	}{
		{"few, and no file", manyFDs - 1, func() {}, -1, ""},
		{"few: what stands in the file is not read", manyFDs - 1, limits("garbled"), -1, ""},
		{"many", manyFDs, limits(limitsOf("1024")), 1024, ""},
		{"another limit", manyFDs, limits(limitsOf("4096")), 4096, ""},
		{"garbled", manyFDs, limits("Max open files  many"), -1, "PID/limits"},
		{"whole again", manyFDs, limits(limitsOf("unlimited")), maxFDs, ""},
		{"few again", 3, func() {}, -1, ""},
		{"many, and no file", manyFDs, func() { os.Remove(filepath.Join(root, "42/limits")) }, -1, ""},
	} {
		t.Run(step.what, func(t *testing.T) {
			setFDs(step.fds)
			step.do()
			got := scan(t, newFS(t, root), Options{})
			p := processOf(t, got, 42)
			if want := max(step.want, 0); p.OpenFDs != step.fds || p.FDLimit != want || p.FDLimitKnown != (step.want >= 0) {
				t.Errorf("got %d of %d descriptors, limit known %t, want %d of %d", p.OpenFDs, p.FDLimit, p.FDLimitKnown, step.fds, step.want)
			}
			if failed := len(got.Failures) > 0; failed != (step.failed != "") || failed && got.Failures[0].File != step.failed {
				t.Errorf("got failures %v, want of %q", got.Failures, step.failed)
			}
		})
	}
}

// The limit of a real process is what getrlimit tells it, also after it was changed.
func TestProcess_OwnFDLimit(t *testing.T) {
	for range manyFDs {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	was := limit
	t.Cleanup(func() { unix.Setrlimit(unix.RLIMIT_NOFILE, &was) })
	for _, soft := range []uint64{limit.Cur, limit.Cur - 3} {
		limit.Cur = soft
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		p, err := newFS(t, "").Process(os.Getpid(), Options{})
		if err != nil || !p.FDLimitKnown || p.FDLimit != int(soft) {
			t.Errorf("got %d, known %t, %v, want %d", p.FDLimit, p.FDLimitKnown, err, soft)
		}
	}
	if text := readFixture(t, "/proc/self", "limits"); !strings.Contains(text, "Max open files") {
		t.Errorf("got limits %q", text)
	}
}
