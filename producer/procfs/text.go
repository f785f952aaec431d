package procfs

import (
	"strings"
	"unicode/utf8"
)

// ValidText is s as far as it can be stored in limit bytes: without NUL, with U+FFFD for bytes that are not UTF-8, and cut
// between two characters.
func ValidText(s string, limit int) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
	if len(s) <= limit {
		return s
	}
	for !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
