package integration_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/query/top"
)

// TestTop_AnyKeys presses keys at random on the real program, over a stored recording with episodes, while the terminal changes its size: it neither ends nor panics, and
// leaves the terminal as it was. make soak goes on for five minutes. The control is a program that is killed: it leaves the terminal as the screen has it.
func TestTop_AnyKeys(t *testing.T) {
	long(t)
	t.Parallel()
	db := withEpisodes(t, storedRecording(t, "v11"))
	seed := uint64(37)
	if soak {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	keys := pressable()
	s := onScreen(t, proctape, 100, 30, []string{"XDG_CONFIG_HOME=" + t.TempDir()}, "top", "--db", db, "--at", "2026-11-23T03:10:50Z")
	before := s.before
	s.awaitText("◀ PAST")
	until := time.Now()
	if soak {
		until = until.Add(5 * time.Minute)
	}
	for n := 0; n < 400 || time.Now().Before(until); n++ {
		s.press(keys[random.IntN(len(keys))])
		if n%20 != 19 {
			continue
		}
		s.size(1+random.IntN(220), 1+random.IntN(70))
		if n%100 != 99 {
			continue
		}
		s.size(100, 30)
		s.press("ctrl+u", escape)
		s.await("the screen in its size", func(screen string) bool { // it has taken in what was pressed
			lines := strings.Split(screen, "\n")
			return len(lines) == 30 && lines[29] != "" && strings.HasPrefix(lines[0], " ")
		})
	}
	s.press("ctrl+c", "ctrl+c") // the first one may end a prompt
	s.ended()
	if s.err != nil {
		t.Errorf("seed %d: it ends with %v", seed, s.err)
	}
	if left := s.leaves(before); left != "" {
		t.Errorf("seed %d: %s; it wrote at last %.400q", seed, left, s.written.String()[max(0, s.written.Len()-400):])
	}
	if all := s.written.String(); strings.Contains(all, "panic") || strings.Contains(all, "goroutine ") {
		t.Errorf("seed %d: it panicked: %.2000s", seed, all[max(0, len(all)-2000):])
	}
	killed := onScreen(t, proctape, 100, 30, nil, "top", "--db", db)
	before = killed.before
	killed.awaitText("quit")
	_ = killed.cmd.Process.Kill()
	killed.ended()
	if killed.leaves(before) == "" {
		t.Error("the control: a program that was killed leaves nothing")
	}
}

// escape is Esc as the keyboard protocol of kitty sends it: a plain one with another key right behind it begins a sequence, such as Esc and ].
const escape = "\x1b[27u"

// pressable are all keys of the program but those that end or suspend it, and what somebody types.
func pressable() []string {
	keys := []string{"=", "~", "(", "|", "日", "5", "m", "right", "left", "backspace", "\x1b[200~pasted\x1b[201~", "\x1b[<0;9;9M", "\x1b[<65;9;9M", "\x00"}
	for _, k := range top.Keys {
		for _, key := range k.Keys {
			if key == "esc" {
				key = escape
			}
			if key != "q" && key != "f10" && key != "ctrl+c" && key != "ctrl+z" {
				keys = append(keys, key)
			}
		}
	}
	return keys
}
