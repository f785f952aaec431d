package lockfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// holdVariable makes the test binary hold the lock at its value until its stdin ends.
const holdVariable = "PROCTAPE_TEST_HOLD"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdVariable); path != "" {
		hold(path)
		return
	}
	os.Exit(m.Run())
}

func hold(path string) {
	if _, err := Acquire(path); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("held")
	io.Copy(io.Discard, os.Stdin)
}

// startHolder starts another process that holds the lock at path, and returns once it does.
func startHolder(t *testing.T, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdVariable+"="+path)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait() // again, where the test killed it: the error is of no interest
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != "held\n" {
		t.Fatalf("holder: got %q, error %v, want %q", line, err, "held\n")
	}
	return cmd
}

// acquire takes the lock and gives it up when the test ends.
func acquire(t *testing.T, path string) *Lock {
	t.Helper()
	lock, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Release() })
	return lock
}

func wantHeld(t *testing.T, path string, pid int) {
	t.Helper()
	lock, err := Acquire(path)
	var held *HeldError
	if !errors.As(err, &held) {
		if err == nil {
			lock.Release()
		}
		t.Fatalf("got error %v, want a *HeldError", err)
	}
	if held.PID != pid || held.Path != path {
		t.Errorf("got %q held by %d, want %q by %d", held.Path, held.PID, path, pid)
	}
	if got, ok := Owner(path); got != pid || !ok {
		t.Errorf("Owner: got %d, %v, want %d, true", got, ok, pid)
	}
}

func TestAcquire_TwiceInOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock := acquire(t, path)
	wantHeld(t, path, os.Getpid())
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	acquire(t, path)
	wantHeld(t, path, os.Getpid())
}

func TestAcquire_FromAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	holder := startHolder(t, path)
	wantHeld(t, path, holder.Process.Pid)
}

func TestAcquire_AfterHolderIsKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	holder := startHolder(t, path)
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	holder.Wait()
	if pid, ok := Owner(path); ok {
		t.Errorf("Owner: got %d, want nobody", pid)
	}
	acquire(t, path)
	wantHeld(t, path, os.Getpid())
}

func TestAcquire_ShorterPIDReplacesLonger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if err := os.WriteFile(path, []byte("99999999999999999999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	acquire(t, path)
	got, err := os.ReadFile(path)
	if want := fmt.Sprintf("%d\n%s%s\n", os.Getpid(), heldOn, thisMachine()); err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestAcquire_File(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock := acquire(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode(), fs.FileMode(0o600); got != want {
		t.Errorf("got mode %v, want %v", got, want)
	}
	lock.Release()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("after Release: got %v, want the file to stay", err)
	}
}

func TestAcquire_Refuses(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"a symbolic link": link,
		"a folder":        dir,
		"no such folder":  filepath.Join(dir, "none", "lock"),
	} {
		t.Run(name, func(t *testing.T) {
			lock, err := Acquire(path)
			if err == nil {
				lock.Release()
				t.Fatal("got no error")
			}
			var held *HeldError
			if errors.As(err, &held) || !strings.Contains(err.Error(), path) {
				t.Errorf("got error %v, want one that names %s and no *HeldError", err, path)
			}
			if pid, ok := Owner(path); ok {
				t.Errorf("Owner: got %d, want nobody", pid)
			}
		})
	}
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the link's target: got %v, want that it was not created", err)
	}
}

func TestOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if pid, ok := Owner(path); ok {
		t.Errorf("no file: got %d, want nobody", pid)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: got %v, want that it was not created", err)
	}
	lock := acquire(t, path)
	if pid, ok := Owner(path); !ok || pid != os.Getpid() {
		t.Errorf("held: got %d, %v, want %d, true", pid, ok, os.Getpid())
	}
	lock.Release()
	if pid, ok := Owner(path); ok {
		t.Errorf("released: got %d, want nobody", pid)
	}
	if again, err := Acquire(path); err != nil {
		t.Errorf("after Owner: got %v, want the lock to be free", err)
	} else {
		again.Release()
	}
}

func TestHeldError(t *testing.T) {
	tests := map[string]struct {
		pid     int
		machine string
		want    string
	}{
		"known":   {7, "", "/run/lock is held by process 7"},
		"unknown": {0, "", "/run/lock is held by another process"},
		"machine": {0, "build07", "/run/lock is held by the machine build07, which has not released it"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := (&HeldError{Path: "/run/lock", PID: test.pid, Machine: test.machine}).Error(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAcquire_WhatTheFileTells(t *testing.T) {
	for content, want := range map[string]int{"": 0, "x": 0, "12\n": 12, "12": 12, strings.Repeat("1", 100): 0} {
		t.Run(fmt.Sprintf("%.10q", content), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "lock")
			acquire(t, path)
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			wantHeld(t, path, want)
		})
	}
}

// Looking at who owns a free lock must not keep anybody from taking it.
func TestOwner_DoesNotDisturbAcquire(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	acquire(t, path).Release()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				Owner(path)
			}
		}
	}()
	for i := range 500 {
		lock, err := Acquire(path)
		if err != nil {
			t.Errorf("attempt %d: %v", i, err)
			break
		}
		lock.Release()
	}
	close(stop)
	<-stopped
}

// What a file says of its holder comes back, and so does what the versions before this one wrote.
func TestContent(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, want := range []content{{"12", "build07 3d12", false}, {"", "build07 3d12", true}, {"7", "nameless ", false}} {
		if err := writeContent(f, want); err != nil {
			t.Fatal(err)
		}
		if got := readContent(f); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	for text, want := range map[string]content{"": {}, "12\n": {pid: "12"}, "12\nwhat comes later\n": {pid: "12"}} {
		if err := os.WriteFile(f.Name(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := readContent(f); got != want {
			t.Errorf("%q: got %+v, want %+v", text, got, want)
		}
	}
}
