package term_test

import (
	"testing"

	"github.com/proctape/proctape/query/term"
)

func TestWidth(t *testing.T) {
	for s, want := range map[string]int{"": 0, "build": 5, "構築": 4, "e\u0301": 1, "ｶﾅ": 2, "한국": 4, "…": 1} {
		if got := term.Width(s); got != want {
			t.Errorf("%q: got %d, want %d", s, got, want)
		}
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		s    string
		n    int
		want string
	}{{"build", 5, "build"}, {"build-7", 5, "buil…"}, {"構築中", 5, "構築…"}, {"構築中", 4, "構…"}, {"ab", 1, "…"}, {"ab", 0, ""}} {
		if got := term.Fit(c.s, c.n); got != c.want || term.Width(got) > c.n {
			t.Errorf("%q in %d: got %q, want %q", c.s, c.n, got, c.want)
		}
	}
}

func TestPad(t *testing.T) {
	if got, want := term.Pad("構築", 6, false)+"|"+term.Pad("7", 3, true)+"|"+term.Pad("long", 2, true), "構築  |  7|long"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
