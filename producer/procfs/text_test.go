package procfs

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/proctape/proctape/schema"
)

func TestValidText(t *testing.T) {
	for _, tt := range []struct {
		s     string
		limit int
		want  string
	}{
		{"", 4, ""},
		{"/a/b", 4, "/a/b"},
		{"/a/bc", 4, "/a/b"},
		{"a\x00b", 4, "ab"},
		{"a\xffb", 8, "a\uFFFDb"},
		{"a\xffb", 4, "a\uFFFD"},
		{"a\xffb", 3, "a"},
		{"éé", 3, "é"},
		{"é", 1, ""},
		{strings.Repeat("a\xff", 3000), schema.MaxCommand, strings.Repeat("a\uFFFD", 1024) + "a"},
	} {
		got := ValidText(tt.s, tt.limit)
		if got != tt.want || !utf8.ValidString(got) {
			t.Errorf("ValidText(%.20q, %d): got %.20q of %d bytes, want %.20q of %d", tt.s, tt.limit, got, len(got), tt.want, len(tt.want))
		}
	}
}
