package term_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/proctape/proctape/query/term"
)

func TestSafe(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"plain", `/bin/sh -c "a | b" \n ~`, `/bin/sh -c "a | b" \n ~`},
		{"letters", "größe λ мир", "größe λ мир"},
		{"CJK", "日本語 한국어", "日本語 한국어"},
		{"emoji", "🚀 ✅", "🚀 ✅"},
		{"combining mark", "e\u0301", "e\u0301"},
		{"no-break space", "a\u00a0b", "a\u00a0b"},
		{"replacement character", "\ufffd", "\ufffd"},
		{"ESC alone", "a\x1bb", `a\x1bb`},
		{"CSI: clear the screen", "\x1b[2Jx", `\x1b[2Jx`},
		{"OSC 52: write the clipboard", "\x1b]52;c;ZXZpbA==\x07", `\x1b]52;c;ZXZpbA==\x07`},
		{"DCS", "\x1bP+q\x1b\\", `\x1bP+q\x1b\`},
		{"C1: CSI as one character", "\u009b2J", `\u009b2J`},
		{"C1: OSC and ST", "\u009d0;title\u009c", `\u009d0;title\u009c`},
		{"C1: next line", "a\u0085b", `a\u0085b`},
		{"C1 as a byte", "\x9b2J", `\x9b2J`},
		{"NUL", "a\x00b", `a\x00b`},
		{"BEL", "\a", `\x07`},
		{"backspace", "rm -rf\b\b\b\b\b\b", `rm -rf` + strings.Repeat(`\x08`, 6)},
		{"DEL", "\x7f", `\x7f`},
		{"CR, LF and TAB", "a\rb\nc\td", `a\x0db\x0ac\x09d`},
		{"shift out", "\x0e", `\x0e`},
		{"bidi override", "\u202egnp.exe", `\u202egnp.exe`},
		{"bidi isolates and marks", "\u2066\u2069\u200e\u200f\u061c", `\u2066\u2069\u200e\u200f\u061c`},
		{"zero width", "a\u200bb\ufeffc\u200dd\u2060e", `a\u200bb\ufeffc\u200dd\u2060e`},
		{"soft hyphen", "a\u00adb", `a\u00adb`},
		{"line and paragraph separator", "a\u2028b\u2029c", `a\u2028b\u2029c`},
		{"tag characters", "\U000e0041", `\ue0041`},
		{"private use", "\ue000", `\ue000`},
		{"not a character", "\uffff", `\uffff`},
		{"invalid UTF-8", "a\xffb\xc3", `a\xffb\xc3`},
		{"overlong", "\xc0\x9b", `\xc0\x9b`},
		{"surrogate", "\xed\xa0\x80", `\xed\xa0\x80`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := term.Safe(c.in)
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if again := term.Safe(got); again != got {
				t.Errorf("what is safe became %q", again)
			}
		})
	}
}

func TestWriter(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"lines", "JOB\tPIDS\nbuild-7\t3\n", "JOB\tPIDS\nbuild-7\t3\n"},
		{"letters", "größe 日本\n", "größe 日本\n"},
		{"an escape", "a\x1b[2Jb\n", `a\x1b[2Jb` + "\n"},
		{"a carriage return", "a\rb\n", `a\x0db` + "\n"},
		{"C1 and bidi", "\u009b2J\u202e\n", `\u009b2J\u202e` + "\n"},
		{"bytes", "a\xff\n", `a\xff` + "\n"},
		{"nothing", "", ""},
	} {
		var got strings.Builder
		n, err := term.Writer{W: &got}.Write([]byte(c.in))
		if got.String() != c.want || n != len(c.in) || err != nil {
			t.Errorf("%s: got %q, %d, %v, want %q", c.name, got.String(), n, err, c.want)
		}
	}
}

func FuzzSafe(f *testing.F) {
	for _, s := range []string{"", "plain", "\x1b[2J", "\u009b", "\u202e", "\ufeff", "日本語", "\xff\xc3", "🚀\u200d", "\U000e0041"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := term.Safe(s)
		if !utf8.ValidString(got) {
			t.Errorf("%q became %q, which is not UTF-8", s, got)
		}
		for _, r := range got {
			if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
				t.Errorf("%q became %q, which holds %U", s, got, r)
			}
		}
		if term.Safe(got) != got {
			t.Errorf("%q became %q, which is not safe", s, got)
		}
		if n := utf8.RuneCountInString(term.Cut(got, 10)); n > 10 {
			t.Errorf("%q cut to %d runes, want at most 10", got, n)
		}
	})
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		name string
		in   string
		n    int
		want string
	}{
		{"empty", "", 5, ""},
		{"shorter", "abc", 5, "abc"},
		{"as long", "abcde", 5, "abcde"},
		{"longer", "abcdef", 5, "abcd…"},
		{"counts runes", "größer", 6, "größer"},
		{"between runes", "größer", 4, "grö…"},
		{"CJK", "日本語です", 3, "日本…"},
		{"to one", "ab", 1, "…"},
		{"one of one", "a", 1, "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := term.Cut(c.in, c.n)
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
