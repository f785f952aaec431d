package trouble

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// reported is a reporter and the lines that it had.
func reported(t *testing.T) (*Reporter, func() []string) {
	t.Helper()
	var b bytes.Buffer
	return NewReporter(slog.New(slog.NewTextHandler(&b, nil))), func() []string {
		return strings.FieldsFunc(b.String(), func(r rune) bool { return r == '\n' })
	}
}

// Trouble has one line when it begins and one when it ends, however often it is told and by how many.
func TestReporter_OneLineEach(t *testing.T) {
	r, lines := reported(t)
	lost := uint64(3)
	r.CountLosses(func() uint64 { return lost })
	for i := range 12 {
		r.Begin("projector", Trouble{Kind: DiskFull, About: "/d", Reason: fmt.Sprint("try ", i), Figures: map[string]int64{"free_bytes": int64(i)}})
		r.Begin("log", Trouble{Kind: DiskFull, About: "/d", Reason: "resume wants 16 MiB, 8 MiB are free"})
	}
	if open := r.Open(); len(open) != 1 || open[0].Reason != "resume wants 16 MiB, 8 MiB are free" || open[0].Figures["free_bytes"] != 11 {
		t.Errorf("got %+v, want one, as it was told last", open)
	}
	r.End("log", DiskFull, "/d", "")
	if got := lines(); len(got) != 1 || !strings.Contains(got[0], "level=WARN") || !strings.Contains(got[0], `reason="try 0" free_bytes=0`) {
		t.Errorf("while one part has it: %q", got)
	}
	lost = 7
	r.End("projector", DiskFull, "/d", "")
	r.End("projector", DiskFull, "/d", "")
	r.End("nobody", ReadOnly, "/d", "")
	got := lines()
	if len(got) != 2 || !strings.Contains(got[1], "level=WARN") || !strings.Contains(got[1], "the disk has room again") ||
		!strings.Contains(got[1], "took=") || !strings.Contains(got[1], `cost="4 items lost"`) {
		t.Errorf("at the end: %q", got)
	}
	if open := r.Open(); len(open) != 0 {
		t.Errorf("still open: %+v", open)
	}
}

// What follows from other trouble has no line while that goes on; it is open all the same. The control is the same without the
// other trouble.
func TestReporter_Consequences(t *testing.T) {
	for cause, want := range map[Kind]int{DiskFull: 2, LogServer: 2, Losing: 6, "": 4} {
		t.Run(string(cause), func(t *testing.T) {
			r, lines := reported(t)
			if cause != "" {
				r.Begin("log", Trouble{Kind: cause, Reason: "a cause"})
			}
			r.Begin("publisher", Trouble{Kind: LogRefuses, Reason: "no answer"})
			r.Begin("projector", Trouble{Kind: Projection, Reason: "no answer"})
			r.Begin("retention", Trouble{Kind: Retention, Reason: "no answer"}) // follows from the projection, too
			if open := r.Open(); len(open) < 3 {
				t.Errorf("open: %+v", open)
			}
			for _, k := range []Kind{LogRefuses, Projection, Retention, cause} {
				for _, part := range []string{"log", "publisher", "projector", "retention"} {
					r.End(part, k, "", "nothing lost")
				}
			}
			if got := lines(); len(got) != want {
				t.Errorf("got %d lines, want %d:\n%s", len(got), want, strings.Join(got, "\n"))
			}
		})
	}
}

// A line more says that what somebody did was not enough.
func TestReporter_Again(t *testing.T) {
	r, lines := reported(t)
	r.Again(DiskFull, "/d")
	r.Begin("log", Trouble{Kind: DiskFull, About: "/d", Reason: "0 are free"})
	r.Begin("log", Trouble{Kind: DiskFull, About: "/d", Reason: "8 are free"})
	r.Again(DiskFull, "/d")
	if got := lines(); len(got) != 2 || !strings.Contains(got[1], "8 are free") {
		t.Errorf("got %q", got)
	}
}

func TestReporter_Notes(t *testing.T) {
	r, lines := reported(t)
	for range 5 {
		r.Note(Trouble{Kind: Unreadable, About: "a", Reason: "nonsense"})
	}
	r.noted[key{Unreadable, "a"}].said = time.Now().Add(-noteEach)
	r.Note(Trouble{Kind: Unreadable, About: "a", Reason: "nonsense"})
	if got := lines(); len(got) != 2 || !strings.Contains(got[1], "more_since=4") {
		t.Errorf("got %q, want two lines, the second with four more", got)
	}
	for i := range 3 * maxNotes {
		r.Note(Trouble{Kind: Unreadable, About: fmt.Sprint(i)})
	}
	if len(r.noted) > maxNotes {
		t.Errorf("it remembers %d notes", len(r.noted))
	}
}

// A nil reporter reports nothing.
func TestReporter_Nil(t *testing.T) {
	var r *Reporter
	r.Begin("p", Trouble{})
	r.Again(DiskFull, "")
	r.End("p", DiskFull, "", "")
	r.Note(Trouble{})
	r.CountLosses(nil)
	if r.Open() != nil {
		t.Error("it has something open")
	}
}

func TestLost(t *testing.T) {
	for n, want := range map[uint64]string{0: "nothing lost", 1: "1 item lost", 19197: "19197 items lost"} {
		if got := Lost(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}

// Each kind is described, once.
func TestKinds(t *testing.T) {
	seen := map[Kind]bool{}
	for _, k := range Kinds() {
		if seen[k.Kind] || k.Level == Well || k.Doc == "" || k.Remedy == "" {
			t.Errorf("%+v: twice, or not described", k)
		}
		seen[k.Kind] = true
		if info, ok := k.Kind.Info(); !ok || info != k {
			t.Errorf("%s: got %+v", k.Kind, info)
		}
	}
	if _, ok := Kind("other").Info(); ok {
		t.Error("a kind that does not exist is known")
	}
}
