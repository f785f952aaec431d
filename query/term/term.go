// Package term makes text from outside safe to print on a terminal: any bytes go in, text that cannot control the terminal
// comes out.
package term

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Safe returns s with everything that could steer a terminal or turn text around made visible: control characters
// of both sets (C0, C1 and DEL), bidirectional controls, line separators, and bytes that are not UTF-8.
func Safe(s string) string { return safe(s, "") }

// safe is Safe, which leaves the control characters in keep, all of them ASCII, as they are.
func safe(s, keep string) string {
	if isPlain(s, keep) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !unsafe(r) || r < 0x80 && strings.IndexByte(keep, byte(r)) >= 0:
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += size
	}
	return b.String()
}

func isPlain(s, keep string) bool {
	for i := range len(s) {
		if (s[i] < 0x20 || s[i] >= 0x7f) && strings.IndexByte(keep, s[i]) < 0 {
			return false
		}
	}
	return true
}

// Writer makes lines of text safe to print, as Safe does; it keeps newlines and tabs. Each Write must begin and end
// between characters, as those of package fmt do.
type Writer struct{ W io.Writer }

// Write writes b with its unsafe characters made visible.
func (w Writer) Write(b []byte) (int, error) {
	text := safe(string(b), "\n\t")
	if text == string(b) {
		return w.W.Write(b)
	}
	if _, err := io.WriteString(w.W, text); err != nil {
		return 0, err
	}
	return len(b), nil
}

// unsafe reports whether a terminal or a reader's eye could be misled by r: Unicode's control, format and separator
// characters, of which the space alone is harmless, and what is not a character at all.
func unsafe(r rune) bool {
	return r != ' ' && (unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs) || !unicode.IsPrint(r) && r != '\u00a0')
}

// Cut shortens s to at most n runes, the last of which is then "…".
func Cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	if n <= 1 {
		return "…"
	}
	runes := []rune(s)
	return string(runes[:n-1]) + "…"
}

// JSON is a writer that makes JSON safe to print: in strings, characters that could steer a terminal become escapes. Each
// Write must begin and end between characters, as those of a json.Encoder do.
type JSON struct{ W io.Writer }

// Write writes b with its unsafe characters escaped.
func (j JSON) Write(b []byte) (int, error) {
	if bytes.IndexFunc(b, func(r rune) bool { return r != '\n' && unsafe(r) }) < 0 {
		return j.W.Write(b)
	}
	var out []byte
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		switch {
		case r == '\n' || !unsafe(r):
			out = append(out, b[i:i+size]...)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += size
	}
	if _, err := j.W.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}
