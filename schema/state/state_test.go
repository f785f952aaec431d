package state

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/schema/trouble"
)

func example() Process {
	return Process{Command: "up", PID: 7, Started: 1, Said: Clock{Wall: 3, Boot: 2, BootID: "b"}, Memory: Memory{1 << 20, "the default"},
		Troubles: []trouble.Trouble{{Kind: trouble.DiskFull, About: "/d", Since: time.Unix(5, 0).UTC(), Reason: "full", Figures: map[string]int64{"free_bytes": 1}}},
		Sampler:  &Sampler{Host: "h", Last: map[string]int64{"snapshot": 9}}, Projects: map[string]Place{"S": {4, 5}}}
}

func TestFile_GivesBackWhatWasWritten(t *testing.T) {
	path := Path(filepath.Join(t.TempDir(), "monitor.db"))
	if _, err := Read(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := Read(path); !errors.Is(err, ErrUnreadable) {
		t.Errorf("before anything was written: %v", err)
	}
	want := example()
	for range 2 {
		if err := f.Write(want); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Read(path); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != fileSize || info.Mode() != 0o600 {
		t.Errorf("got %v of %d bytes, %v", info.Mode(), info.Size(), err)
	}
}

// However much a process has to say, the file has room for it.
func TestFile_HasRoom(t *testing.T) {
	p := example()
	for range 500 {
		p.Troubles = append(p.Troubles, trouble.Trouble{Kind: trouble.Unreadable, About: strings.Repeat("ä", 4000), Reason: strings.Repeat("<", 4000)})
	}
	b, err := encode(p)
	if err != nil || len(b) != fileSize {
		t.Fatalf("got %d bytes, %v", len(b), err)
	}
	if got, err := decode(b); err != nil || len(got.Troubles) < 3 || !strings.HasSuffix(got.Troubles[1].About, "ä…") {
		t.Errorf("got %+v, %v", got, err)
	}
	if len(p.Troubles) != 501 || len(p.Troubles[1].About) != 8000 {
		t.Error("what was to be written was changed")
	}
}

// A file with a bit turned says nothing. The control is that file with none.
func TestFile_Damage(t *testing.T) {
	whole, err := encode(example())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decode(whole); err != nil {
		t.Errorf("the whole file: %v", err)
	}
	used := len(strings.TrimRight(string(whole), " \n"))
	for range 2000 {
		b := append([]byte(nil), whole...)
		at := rand.IntN(used)
		b[at] ^= 1 << rand.IntN(8)
		if p, err := decode(b); err == nil {
			t.Fatalf("with a bit of byte %d turned: %+v", at, p)
		}
	}
}

func TestClock_Since(t *testing.T) {
	for name, c := range map[string]struct {
		now, before Clock
		want        time.Duration
	}{
		"one boot, the wall clock was set": {Clock{100, 50, "a"}, Clock{900, 20, "a"}, 30},
		"after a reboot":                   {Clock{100, 50, "b"}, Clock{90, 2000, "a"}, 10},
	} {
		if got := c.now.Since(c.before); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

// A keeper writes at once and at its end, and says that it was the end.
func TestKeeper(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ctx, stop := context.WithCancel(t.Context())
	asked := make(chan struct{}, 100)
	k := NewKeeper(path, func() Process { asked <- struct{}{}; return Process{Command: "up"} }, slog.New(slog.DiscardHandler))
	ran := make(chan error)
	go func() { ran <- k.Run(ctx) }()
	<-asked
	stop()
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	if p, err := Read(path); err != nil || !p.Ended || p.PID != os.Getpid() || p.Command != "up" || Now().Since(p.Said) > time.Hour {
		t.Errorf("got %+v, %v", p, err)
	}
}

// A file that somebody removes, or puts another in the place of, is made again.
func TestKeeper_RemovedFile(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	path := Path(filepath.Join(t.TempDir(), "monitor.db"))
	k := NewKeeper(path, func() Process { return Process{Command: "up"} }, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	awaitState := func() {
		for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
			if p, err := Read(path); err == nil && p.Command == "up" {
				return
			} else if time.Now().After(deadline) {
				t.Fatalf("%+v, %v", p, err)
			}
		}
	}
	for _, remove := range []func() error{
		func() error { return os.Remove(path) },
		func() error { return errors.Join(os.Remove(path), os.WriteFile(path, []byte("another's"), 0o600)) },
	} {
		awaitState()
		if err := remove(); err != nil {
			t.Fatal(err)
		}
	}
	awaitState()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
